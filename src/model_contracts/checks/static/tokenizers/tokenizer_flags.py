"""Kind `same_flags` (I-5, static half): added tokens and types, what opens and closes a text, how a text is cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from model_contracts.anatomy.tokenizers.pretokenizers import cut_alike, name_of
from model_contracts.anatomy.tokenizers.tokenizer_kinds import adds, kind_of, types_expected
from model_contracts.checks.interface import Comparisons, Examination, NoParameters, Where, not_owed, static
from model_contracts.checks.static.tokenizers.tokenizer_pair import more
from model_contracts.checks.static.tokenizers.tokenizer_sections import same_sections, same_treatment
from model_contracts.checks.static.tokenizers.tokenizer_sides import Sides, sides_of
from model_contracts.ledger import KEPT
from model_contracts.outcome import Comparison, Place, Uncompared, jsonable
from model_contracts.vocabulary import AddedToken

TYPES = {1: "normal", 2: "unknown", 3: "control", 4: "user defined", 5: "unused", 6: "byte"}
_FLAGS = tuple(one.name for one in fields(AddedToken) if one.name not in ("id", "content"))


def same_flags(examination: Examination, parameters: NoParameters, where: Where) -> Comparisons:
    """Compare added tokens, token types, add-BOS and add-EOS, the pre-tokenizer, and every section that both have."""
    sides = sides_of(examination)
    found = list(_compared(sides))
    if not found and sides.source_artifact.form.bare_tokenizer:
        raise not_owed("the source's .apr keeps neither added tokens, types, flags nor the name of a pre-tokenizer")
    yield from found


def _compared(sides: Sides) -> Comparisons:
    yield from _added_tokens(sides)
    yield from _types(sides)
    # First the name: whether its readers add a BOS of themselves follows from it.
    yield from _pre_tokenizer(sides)
    for flag in ("add_bos", "add_eos"):
        yield from _flag(sides, flag)
    yield from same_sections(sides) if sides.both_published else same_treatment(sides)


def _added_tokens(sides: Sides) -> Iterator[Comparison]:
    """The text of each added token of the source; between two tokenizer.json all flags, and no token more."""
    target, source = sides.target, sides.source
    both = target.sections is not None and source.sections is not None
    for index in sorted({*source.added, *(target.added if both else ())}):
        theirs, ours = source.added.get(index), target.added.get(index)
        text = target.stored(index)
        place = Place(file=target.origin.name, token=index)
        expected = source.tokens[index] if theirs is not None and index < source.size else None
        if theirs is None or expected is None:
            yield _one("added_token", place, None, ours.content if ours else None, "the source adds no such token")
            continue
        same = text == expected or (not theirs.special and text == theirs.content.replace("\u2581", " "))
        yield Comparison(
            measure="added_token", place=place, expected=jsonable(expected), observed=jsonable(text), holds=same
        )
        if both and same:
            yield from _flags(place, theirs, ours)


def _flags(place: Place, theirs: AddedToken, ours: AddedToken | None) -> Iterator[Comparison]:
    if ours is None:
        yield _one("added_token", place, theirs.content, None, "it is a token of the vocabulary, and not added")
        return
    for flag in _FLAGS:
        expected, observed = getattr(theirs, flag), getattr(ours, flag)
        if expected != observed:
            yield _one(f"added_token_{flag}", place, expected, observed, f"of the added token {theirs.content[:80]!r}")
    held = sum(getattr(theirs, flag) == getattr(ours, flag) for flag in _FLAGS)
    if held:
        yield Comparison(measure="added_token_flags", place=place, holds=True, count=held)


def _one(measure: str, place: Place, expected: object, observed: object, note: str) -> Comparison:
    return Comparison(
        measure=measure,
        place=place,
        expected=jsonable(expected),
        observed=jsonable(observed),
        holds=False,
        note=note,
    )


def _types(sides: Sides) -> Comparisons:
    """Token types: between two containers equal, else as an honest conversion of the published files gives them."""
    target, source = sides.target, sides.source
    place = Place(file=target.origin.name, key="token_type")
    if sides.published is None:
        if source.token_types is None or target.token_types is None or sides.both_published:
            return
        expected: list[tuple[int, ...]] = [(int(kind),) for kind in source.token_types[: source.used]]
        types = target.token_types
    else:
        published, pieces = sides.published
        stored = sides.stored
        assert stored is not None
        if stored.token_types is None:
            if sides.in_gguf and published.added:
                yield Uncompared(place=place, count=len(published.added), reason="the GGUF declares no token types")
            return
        kind, types = kind_of(published), stored.token_types
        expected = [
            () if published.tokens[at] is None else types_expected(published, pieces, kind, at)
            for at in range(min(published.used, stored.size))
        ]
    yield from _typed(sides, expected, types)


def _typed(sides: Sides, expected: list[tuple[int, ...]], types: object) -> Iterator[Comparison]:
    assert isinstance(types, list | tuple)
    target, source = sides.target, sides.source
    wrong = [
        at
        for at, (owed, kind) in enumerate(zip(expected, types, strict=False))
        # A token that is not there is told of as such.
        if owed and kind not in owed and source.stored(at) == target.stored(at)
    ]
    place = Place(file=target.origin.name, key="token_type")
    for at in wrong[:KEPT]:
        yield Comparison(
            measure="added_token_type" if at in source.added else "token_type",
            place=Place(file=target.origin.name, token=at),
            expected=" or ".join(TYPES.get(kind, str(kind)) for kind in expected[at]),
            observed=TYPES.get(int(types[at]), str(types[at])),
            holds=False,
            note=f"of the token {(target.stored(at) or '')[:80]!r}, special in the source"
            if at in source.added and source.added[at].special
            else f"of the token {(target.stored(at) or '')[:80]!r}",
        )
    if len(wrong) > KEPT:
        yield more("token_type", place, len(wrong))
    if held := min(len(expected), len(types)) - len(wrong):
        yield Comparison(measure="token_type", place=place, holds=True, count=held)


def _flag(sides: Sides, flag: str) -> Comparisons:
    """Whether a text gets a BOS or an EOS, as declared or as readers assume."""
    ours = adds(sides.target_artifact, sides.target, flag)
    theirs = adds(sides.source_artifact, sides.source, flag)
    declared: bool | None = getattr(sides.target, flag)
    place = Place(file=sides.target.origin.name, key=f"{flag}_token")
    for said, artifact, tokenizer in (
        (theirs, sides.source_artifact, sides.source),
        (ours, sides.target_artifact, sides.target),
    ):
        if said is None and artifact.form.beside:
            yield Uncompared(place=place, reason=f"{tokenizer.origin.name} does not say whether it adds one ({flag})")
            return
    if declared is None and not ours and not theirs:
        return
    yield Comparison(
        measure=flag,
        place=place,
        expected=bool(theirs),
        observed=declared,
        holds=bool(ours) == bool(theirs),
        note=None if declared is not None or ours is None else f"not declared: readers assume {bool(ours)}".lower(),
    )


def _pre_tokenizer(sides: Sides) -> Comparisons:
    """The way a text is cut before it is merged, by llama.cpp's name for it or by its expressions."""
    target, source = sides.target, sides.source
    if sides.both_published:
        return  # compared as a section
    if "byte-level" not in sides.kinds:
        return  # other kinds cut by marks and scores
    ours, theirs = name_of(target), name_of(source)
    place = Place(file=target.origin.name, key="tokenizer.ggml.pre")
    silent = [
        artifact for name, artifact in ((ours, sides.target_artifact), (theirs, sides.source_artifact)) if not name
    ]
    if any(artifact.form.bare_tokenizer for artifact in silent):
        return  # .apr has no place for it, and its readers go by the architecture
    if theirs is None or (ours is None and sides.target_artifact.form.beside):
        whose = "source" if theirs is None else "target"
        yield Uncompared(place=place, reason=f"how the pre-tokenizer of the {whose} cuts text is not known here")
        return
    holds = cut_alike(ours, theirs) if ours is not None else False
    if holds is None and (source.pre is None or target.pre is None):
        yield Uncompared(place=place, reason=f"whether {theirs!r} and {ours!r} cut text alike is not known")
        return
    yield Comparison(
        measure="pre_tokenizer",
        place=place,
        expected=theirs,
        observed=ours,
        holds=holds is True,
        note=None if holds else "digits, spaces and letters are split differently",
    )


SAME_FLAGS = static(NoParameters, same_flags)
