"""Owns how two tokenizers are held to each other section by section: normalizer, pre-tokenizer, template, decoder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from model_contracts.anatomy.tokenizers.pretokenizers import cut_alike, cuts_of, name_of
from model_contracts.anatomy.tokenizers.tokenizer_kinds import treatment, types_of
from model_contracts.anatomy.tokenizers.tokenizer_sections import SECTIONS, canonical, differences, prefix_of
from model_contracts.checks.interface import Comparisons
from model_contracts.checks.static.tokenizers.tokenizer_sides import Sides
from model_contracts.definitions import load_tokenizers
from model_contracts.ledger import KEPT
from model_contracts.outcome import Comparison, Place, Uncompared, jsonable
from model_contracts.vocabulary import Tokenizer


def same_sections(sides: Sides) -> Comparisons:
    """Every section of two tokenizer.json, by what it means."""
    target, source = sides.target, sides.source
    if target.sections is None or source.sections is None:
        silent = target if target.sections is None else source
        if not (target.sections is None and source.sections is None and target.algorithm in ("SPM", "Unigram")):
            reason = f"{silent.origin.name} does not say how text is normalised and cut"
            yield Uncompared(place=Place(file=silent.origin.name), count=len(SECTIONS), reason=reason)
            return
        yield from _options(sides)
        return
    for section in SECTIONS:
        theirs = canonical(section, source.sections.get(section))
        ours = canonical(section, target.sections.get(section))
        yield from _section(section, theirs, ours, target, source)
    yield from _settings(sides)


def _settings(sides: Sides) -> Comparisons:
    """Keys of tokenizer_config.json that AutoTokenizer takes over what tokenizer.json says."""
    ours, theirs = sides.target_artifact.tokenizer_config, sides.source_artifact.tokenizer_config
    if ours is None or theirs is None:
        return
    for setting in load_tokenizers().settings:
        values = [config.get(setting.key) for config in (theirs, ours)]
        spelled = [setting.key in config for config in (theirs, ours)]
        if not any(spelled):
            continue
        expected, observed = (setting.assumed if value is None else value for value in values)
        place = Place(file="tokenizer_config.json", key=setting.key)
        if expected != observed and not all(spelled) and not set(sides.kinds) <= set(setting.kinds):
            yield Uncompared(place=place, reason="declared on one side only, and what its class assumes is not known")
            continue
        yield Comparison(
            measure=setting.key,
            place=place,
            expected=jsonable(expected),
            observed=jsonable(observed),
            holds=expected == observed,
            note=None if expected == observed else "AutoTokenizer gives texts other ids",
        )


def _section(section: str, theirs: Any, ours: Any, target: Tokenizer, source: Tokenizer) -> Iterator[Comparison]:
    file = target.origin.name
    if theirs == ours or (section == "pre_tokenizer" and _cut_alike(theirs, ours)):
        yield Comparison(measure=section, place=Place(file=file, key=section), holds=True)
        return
    names = (name_of(source), name_of(target))
    if section == "pre_tokenizer" and names[0] and names[1] and cut_alike(names[0], names[1]) is False:
        note = "digits, spaces and letters are split differently"
        place = Place(file=file, key=section)
        yield Comparison(measure=section, place=place, expected=names[0], observed=names[1], holds=False, note=note)
        return
    for at, expected, observed in list(differences(theirs, ours))[:KEPT]:
        yield Comparison(
            measure=section,
            place=Place(file=file, key=f"{section}{at}"[:400]),
            expected=jsonable(expected),
            observed=jsonable(observed),
            holds=False,
            note=_NOTES.get(section),
        )


def _cut_alike(theirs: Any, ours: Any) -> bool:
    """Whether two spellings cut by the same expressions, and put the same before a text."""
    cuts, prefixed = cuts_of(theirs), [prefix_of({"pre_tokenizer": section}) for section in (theirs, ours)]
    return cuts is not None and cuts == cuts_of(ours) and prefixed[0] == prefixed[1]


_NOTES = {
    "normalizer": "texts are changed otherwise before they are cut",
    "pre_tokenizer": "texts are cut otherwise before they are merged",
    "post_processor": "texts are opened or closed otherwise",
    "decoder": "ids become other texts",
}


def same_treatment(sides: Sides) -> Comparisons:
    """What a container declares of how text is treated against what the published files say of it."""
    yield from _options(sides)
    if sides.published is None or not sides.in_gguf:
        return
    published, _ = sides.published
    if published.sections is None or sides.kind is None:
        return
    place = Place(file=sides.target.origin.name)
    for name in types_of(published, "normalizer"):
        if name not in sides.kind.normalizers:
            yield Uncompared(place=place, reason=f"GGUF has no place for the normalizer {name}")
    yield from _template(sides, published)
    yield Comparison(measure="tokenizer_sections", place=place, holds=True, note=_unsaid(published))


def _unsaid(published: Tokenizer) -> str:
    """What no GGUF has a place for, and what readers of this kind do of themselves."""
    sections = published.sections or {}
    names = [name for name in ("decoder", "truncation", "padding") if sections.get(name) is not None]
    flagged = sum(token.lstrip or token.rstrip or token.single_word for token in published.added.values())
    names += [f"the white space that {flagged:,} added tokens take"] if flagged else []
    return f"GGUF has no place for: {', '.join(names)}" if names else "GGUF has a place for all of them"


def _options(sides: Sides) -> Comparisons:
    ours = treatment(sides.target_artifact, sides.target)
    theirs = treatment(sides.source_artifact, sides.source)
    file = sides.target.origin.name
    if sides.published is not None and not sides.in_gguf:
        return  # .apr has no place for them
    more = (
        set(ours)
        if sides.published is None
        else {"precompiled_charsmap"} & set(ours)
        if sides.source.sections
        else set()
    )
    for name in sorted({*theirs, *more}):
        expected, observed = theirs.get(name), ours.get(name)
        place = Place(file=file, key=f"tokenizer.ggml.{name}" if sides.in_gguf else name)
        if expected != observed and name == "add_space_prefix" and _contradicted(sides):
            reason = "tokenizer.json puts a space before a text, and tokenizer_config.json says null for it"
            yield Uncompared(place=place, reason=reason)
            continue
        yield Comparison(
            measure=name,
            place=place,
            expected=_shown(expected),
            observed=_shown(observed) if name in sides.target.options or sides.both_published else None,
            holds=expected == observed,
            note=None if expected == observed else "texts are changed otherwise before they are cut",
        )


def _contradicted(sides: Sides) -> bool:
    """Whether tokenizer_config.json spells the flag as null: llama.cpp's converter takes that for false."""
    artifact = sides.source_artifact if sides.source_artifact.form.beside else sides.target_artifact
    config = artifact.tokenizer_config or {}
    return "add_prefix_space" in config and config["add_prefix_space"] is None


def _template(sides: Sides, published: Tokenizer) -> Comparisons:
    """The ids that the post-processor puts around a text, against those that the container declares."""
    sections, stored = published.sections or {}, sides.stored
    assert stored is not None
    template = canonical("post_processor", sections.get("post_processor"))
    place = Place(file=sides.target.origin.name)
    if "ByteLevel" in types_of(published, "pre_tokenizer") and prefix_of(sections):
        yield Uncompared(place=place, reason="GGUF has no place for the space before a text of this kind")
    if not isinstance(template, dict) or template.get("type") != "template":
        return
    single = template["single"]
    at = next((number for number, piece in enumerate(single) if piece[0] == "A"), len(single))
    for role, pieces in (("bos", single[:at]), ("eos", single[at + 1 :])):
        ids = [one for piece in pieces for one in (piece[0] if isinstance(piece[0], list) else [piece[0]])]
        declared = stored.special_ids.get(role, stored.special_ids.get("sep" if role == "eos" else "cls", (None, "")))
        if len(ids) > 1:
            yield Uncompared(
                place=place, count=len(ids), reason="GGUF has a place for one token on each side of a text"
            )
        elif ids and getattr(published, f"add_{role}") is not False and declared[0] is not None:
            yield Comparison(
                measure=f"{role}_of_post_processor",
                place=Place(file=sides.target.origin.name, key=declared[1]),
                expected=jsonable(ids[0]) if stored is sides.target else declared[0],
                observed=declared[0] if stored is sides.target else jsonable(ids[0]),
                holds=ids[0] == declared[0],
            )


def _shown(value: object) -> Any:
    return f"{len(value):,} bytes, {hash_of(value)}" if isinstance(value, bytes) else jsonable(value)


def hash_of(data: bytes) -> str:
    """A few letters by which two tables are told apart."""
    from hashlib import sha256

    return f"sha256 {sha256(data).hexdigest()[:12]}"
