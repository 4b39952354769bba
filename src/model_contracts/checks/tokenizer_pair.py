"""Kinds `same_vocabulary` and `same_merges` (I-5, static half): the same tokens at the same ids, merges in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model_contracts.artifact import Tokenizer
from model_contracts.checks.interface import Examination, NoParameters, Where, not_owed, tokenizers_of
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
    tail = [token for token in target.tokens[source.size :] if not _padding(token)]
    padding = target.size - source.size
    yield Comparison(
        measure="vocabulary_size",
        place=Place(file=target.origin.name),
        expected=source.size,
        observed=target.size,
        holds=padding >= 0 and not tail,
        note=f"{padding:,} ids of padding" if padding > 0 and not tail else None,
    )


def _tokens(target: Tokenizer, source: Tokenizer) -> Iterator[Comparison]:
    place = Place(file=target.origin.name)
    pairs = enumerate(zip(target.tokens, source.tokens, strict=False))
    different = [
        (i, theirs, ours) for i, (ours, theirs) in pairs if not (ours == theirs or (theirs is None and _padding(ours)))
    ]
    if same := min(target.size, source.size) - len(different):
        yield Comparison(measure="token_at_id", place=place, holds=True, count=same)
    for index, theirs, ours in different[:KEPT]:
        yield Comparison(
            measure="token_at_id",
            place=Place(file=target.origin.name, token=index),
            expected=jsonable(theirs),
            observed=jsonable(ours),
            holds=False,
            note=_moved(theirs, index, target),
        )
    if len(different) > KEPT:
        yield _more("token_at_id", place, len(different))


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


def _filled(theirs: str | None, ours: str | None) -> bool:
    return theirs is None and _padding(ours)


def _padding(token: str | None) -> bool:
    """Whether a token is a converter's filler for an id that has no token ([PAD151665], <unk>, <|pad_3|>)."""
    return token is None or token == "<unk>" or "pad" in token.lower()


def _moved(theirs: str | None, index: int, target: Tokenizer) -> str | None:
    there = target.ids.get(theirs) if theirs is not None else None
    return f"the source's token stands at {there} ({there - index:+d})" if there is not None else None
