"""Kinds `same_vocabulary` and `same_merges` (I-5, static half): the same tokens at the same ids, merges in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model_contracts.artifact import Tokenizer
from model_contracts.checks.interface import Examination, NoParameters, Where, not_owed, tokenizers_of
from model_contracts.formats.padding import names_padding
from model_contracts.ledger import KEPT
from model_contracts.outcome import Comparison, Place, jsonable


def same_vocabulary(examination: Examination, parameters: NoParameters, where: Where) -> Iterator[Comparison]:
    """Compare token by token: the same text at the same id. Ids past the source's last may be padding."""
    if examination.source_view.artifact.tokenizer is not None and examination.target.tokenizer is None:
        yield Comparison(
            measure="tokenizer_present",
            place=Place(file=examination.target.path.name),
            expected=f"the {examination.source_view.artifact.tokenizer.size:,} tokens of the source",
            observed=None,
            holds=False,
            note="the tokenizer is missing: the conversion lost it",
        )
        return
    target, source = tokenizers_of(examination)
    yield from _tokens(target, source)
    padding = target.size - source.used
    holds = padding >= 0 and not any(_is_token(target, source, at) for at in range(source.used, target.size))
    yield Comparison(
        measure="vocabulary_size",
        place=Place(file=target.origin.name),
        expected=source.used,
        observed=source.used if holds else target.used,
        holds=holds,
        note=f"and {padding:,} ids of padding" if holds and padding else None,
    )


def _is_token(target: Tokenizer, source: Tokenizer, at: int) -> bool:
    """Whether the target has a token where the source has none: no name of padding, nor any name that is unused."""
    text = target.tokens[at]
    if names_padding(text):
        return False
    return not (target.unused(at) and text not in source.ids)


def _tokens(target: Tokenizer, source: Tokenizer) -> Iterator[Comparison]:
    """An id is compared where the source has a token, and where the target has what is no name of padding."""
    place = Place(file=target.origin.name)
    shared = min(target.size, source.used)
    pairs = enumerate(zip(target.tokens[:shared], source.tokens, strict=False))
    different = [at for at, (ours, theirs) in pairs if ours != theirs and not _same(target, source, at)]
    different += [at for at in range(source.used, target.size) if _is_token(target, source, at)]
    if same := shared - sum(at < shared for at in different):
        yield Comparison(measure="token_at_id", place=place, holds=True, count=same)
    for index in different[:KEPT]:
        theirs = source.stored(index) if index < source.used else None
        yield Comparison(
            measure="token_at_id",
            place=Place(file=target.origin.name, token=index),
            expected=jsonable(theirs),
            observed=jsonable(target.stored(index)),
            holds=False,
            note=_moved(theirs, index, target) if theirs is not None else "the source has no token at this id",
        )
    if len(different) > KEPT:
        yield _more("token_at_id", place, len(different))


def _same(target: Tokenizer, source: Tokenizer, at: int) -> bool:
    """Whether an id holds the same: a text, whichever of the two sides takes it for padding, or padding in both."""
    if source.tokens[at] is None:
        return not _is_token(target, source, at)
    return source.tokens[at] == target.stored(at)


def same_merges(examination: Examination, parameters: NoParameters, where: Where) -> Iterator[Comparison]:
    """Compare the merges in their order: the rank of a merge decides how a text falls apart."""
    target, source = tokenizers_of(examination)
    if source.algorithm != "BPE":
        raise not_owed(f"a {source.algorithm} tokenizer has no merges")
    yield from _sequence("merge_at_rank", target, target.merges or (), source.merges or ())


def _sequence(
    measure: str, target: Tokenizer, ours: Sequence[object], theirs: Sequence[object]
) -> Iterator[Comparison]:
    place = Place(file=target.origin.name)
    different = [i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b]
    held = min(len(ours), len(theirs)) - len(different)
    if held:
        yield Comparison(measure=measure, place=place, holds=True, count=held)
    for index in different[:KEPT]:
        yield Comparison(
            measure=measure,
            place=Place(file=target.origin.name, key=f"merges[{index}]"),
            expected=jsonable(theirs[index]),
            observed=jsonable(ours[index]),
            holds=False,
        )
    if len(different) > KEPT:
        yield _more(measure, place, len(different))
    yield Comparison(
        measure="merge_count", place=place, expected=len(theirs), observed=len(ours), holds=len(ours) == len(theirs)
    )


def _more(measure: str, place: Place, total: int) -> Comparison:
    rest = total - KEPT
    return Comparison(measure=measure, place=place, holds=False, count=rest, note=f"and {rest:,} more like it")


def _moved(theirs: str | None, index: int, target: Tokenizer) -> str | None:
    there = target.ids.get(theirs) if theirs is not None else None
    return f"the source's token stands at {there} ({there - index:+d})" if there is not None else None
