"""Kind `same_vocabulary` (I-5, static half): the same tokens at the same ids, with the same scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model_contracts.anatomy.tokenizers.tokenizer_kinds import SPACE, known
from model_contracts.checks.interface import Comparisons, Examination, NoParameters, Where, static
from model_contracts.checks.static.tokenizers.tokenizer_sides import Sides, sides_of
from model_contracts.formats.padding import names_padding
from model_contracts.ledger import KEPT
from model_contracts.outcome import Comparison, Place, Uncompared, jsonable
from model_contracts.vocabulary import Tokenizer

#: GGUF keeps scores as float32.
_SCORE = 1e-6


def same_vocabulary(examination: Examination, parameters: NoParameters, where: Where) -> Comparisons:
    """Compare token by token: the same text at the same id. Ids past the source's last may be padding."""
    if examination.source_view.artifact.tokenizer is not None and examination.target.tokenizer is None:
        if (unread := _unread(examination)) is not None:
            yield unread
            return
        yield Comparison(
            measure="tokenizer_present",
            place=Place(file=examination.target.path.name),
            expected=f"the {examination.source_view.artifact.tokenizer.size:,} tokens of the source",
            observed=None,
            holds=False,
            note="the tokenizer is missing: the conversion lost it",
        )
        return
    sides = sides_of(examination)
    yield from _kinds(sides)
    yield from _tokens(sides.target, sides.source)
    yield _size(sides.target, sides.source)
    yield from _scores(sides)


def _unread(examination: Examination) -> Uncompared | None:
    unread = examination.target.unread_tokenizers
    source = examination.source_view.artifact.tokenizer
    if not unread or source is None:
        return None
    name, why = next(iter(unread.items()))
    return Uncompared(place=Place(file=name), count=max(source.size, 1), reason=f"{name} is not read: {why}")


def _kinds(sides: Sides) -> Comparisons:
    """A vocabulary under the word for another kind is read in another way."""
    (ours, theirs), target = sides.kinds, sides.target
    place = Place(file=target.origin.name, key="tokenizer.ggml.model" if sides.in_gguf else None)
    if ours is None or theirs is None:
        if sides.in_gguf:
            reason = f"what a conversion does to this kind of {sides.source.algorithm} tokenizer is not declared"
            yield Uncompared(place=place, reason=reason)
        return
    family = {ours.split("-merges")[0], theirs.split("-merges")[0]}
    yield Comparison(measure="tokenizer_kind", place=place, expected=theirs, observed=ours, holds=len(family) == 1)


def _size(target: Tokenizer, source: Tokenizer) -> Comparison:
    padding = target.size - source.used
    holds = padding >= 0 and not any(_is_token(target, source, at) for at in range(source.used, target.size))
    return Comparison(
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
    lost = source.used - shared
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
        yield more("token_at_id", place, len(different))
    if lost > 0:
        yield Comparison(measure="token_at_id", place=place, expected=f"{lost:,} more", holds=False, count=lost)


def _same(target: Tokenizer, source: Tokenizer, at: int) -> bool:
    """Whether an id holds the same: a text, whichever of the two sides takes it for padding, or padding in both."""
    theirs, ours = source.tokens[at], target.stored(at)
    if theirs is None:
        return not _is_token(target, source, at)
    # llama.cpp's converter writes the text that an added token stands for.
    return theirs == ours or (at in source.added and ours == theirs.replace(SPACE, " "))


def _scores(sides: Sides) -> Comparisons:
    """Scores, where the kind has some: those of a SentencePiece model for a vocabulary that keeps none itself."""
    kind = sides.kind if sides.published is not None else known(sides.kinds[1])
    if kind is None or kind.scores != "kept":
        return
    theirs, ours = _scores_of(sides, source=True), _scores_of(sides, source=False)
    place = Place(file=sides.target.origin.name, key="scores")
    listed = sides.target.sections is not None and sides.target.merges is not None
    if theirs is None or (ours is None and (sides.both_published or listed)):
        return  # what orders its merges is held to the scores by F-CONTRACT-I5-002
    if ours is None:
        yield Comparison(measure="score_at_id", place=place, expected=f"{len(theirs):,} scores", holds=False)
        return
    decisive = [
        at
        for at in range(min(len(theirs), len(ours), sides.source.used))
        if at not in sides.source.added and at not in sides.target.added and not sides.target.unused(at)
    ]
    apart = [(at, abs(ours[at] - theirs[at]) / max(abs(theirs[at]), 1.0)) for at in decisive]
    different = [(at, by) for at, by in apart if not by <= _SCORE]
    for at, by in different[:KEPT]:
        yield Comparison(
            measure="score_at_id",
            place=Place(file=sides.target.origin.name, token=at),
            expected=theirs[at],
            observed=ours[at],
            holds=False,
            tolerance=_SCORE,
            smallest_passing_tolerance=by,
            note=f"of the token {sides.source.tokens[at]!r}: texts are cut otherwise",
        )
    if len(different) > KEPT:
        yield more("score_at_id", place, len(different))
    if held := len(decisive) - len(different):
        yield Comparison(measure="score_at_id", place=place, holds=True, count=held)


def _scores_of(sides: Sides, *, source: bool) -> Sequence[float] | None:
    tokenizer, artifact = (sides.source, sides.source_artifact) if source else (sides.target, sides.target_artifact)
    if tokenizer.scores is not None or artifact.sentencepiece is None:
        return tokenizer.scores
    return artifact.sentencepiece.scores


def more(measure: str, place: Place, total: int) -> Comparison:
    """One record for what is not told one by one."""
    rest = total - KEPT
    return Comparison(measure=measure, place=place, holds=False, count=rest, note=f"and {rest:,} more like it")


def _moved(theirs: str | None, index: int, target: Tokenizer) -> str | None:
    there = target.ids.get(theirs) if theirs is not None else None
    return f"the source's token stands at {there} ({there - index:+d})" if there is not None else None


SAME_VOCABULARY = static(NoParameters, same_vocabulary)
