"""Kinds `same_flags` and `same_template` (I-5, static half): added tokens, flags, pre-tokenizer, template."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from model_contracts.anatomy.pretokenizers import name_of
from model_contracts.artifact import Tokenizer
from model_contracts.checks.interface import Examination, NoParameters, Where, not_owed, tokenizers_of
from model_contracts.outcome import Comparison, Place, Record, jsonable

_TYPES = {1: "normal", 2: "unknown", 3: "control", 4: "user defined", 5: "unused", 6: "byte"}


class TemplateParameters(Record):
    """Which formats owe the source's chat template."""

    owed_by: tuple[str, ...] = Field(
        description="Formats whose converters carry it; elsewhere its absence is said only."
    )


def same_flags(examination: Examination, parameters: NoParameters, where: Where) -> Iterator[Comparison]:
    """Compare added tokens, add-BOS and add-EOS flags, and the pre-tokenizer."""
    target, source = tokenizers_of(examination)
    yield from _added_tokens(target, source)
    for flag in ("add_bos", "add_eos"):
        ours, theirs = getattr(target, flag), getattr(source, flag)
        if ours is None and not theirs:
            continue
        yield Comparison(
            measure=flag,
            place=Place(file=target.origin.name),
            expected=bool(theirs),
            observed=ours,
            holds=bool(ours) == bool(theirs),
        )
    ours_name, theirs_name = name_of(target), name_of(source)
    # A pre-tokenizer without a known name on the source's side leaves nothing to compare with.
    if theirs_name is not None and (ours_name is not None or examination.target.format == "gguf"):
        yield Comparison(
            measure="pre_tokenizer",
            place=Place(file=target.origin.name, key="tokenizer.ggml.pre"),
            expected=theirs_name,
            observed=ours_name,
            holds=ours_name == theirs_name,
            note=None if ours_name == theirs_name else "digits, spaces and letters are split differently",
        )


def _added_tokens(target: Tokenizer, source: Tokenizer) -> Iterator[Comparison]:
    for index, added in source.added.items():
        ours = target.stored(index)
        place = Place(file=target.origin.name, token=index)
        yield Comparison(
            measure="added_token",
            place=place,
            expected=jsonable(added.content),
            observed=jsonable(ours),
            holds=ours == added.content,
        )
        if target.token_types is not None and ours == added.content and index < len(target.token_types):
            kind = int(target.token_types[index])
            yield Comparison(
                measure="added_token_type",
                place=place,
                expected="control" if added.special else "control or user defined",
                observed=_TYPES.get(kind, str(kind)),
                holds=kind in ((3,) if added.special else (3, 4, 2)),
            )


def same_template(examination: Examination, parameters: TemplateParameters, where: Where) -> Iterator[Comparison]:
    """Compare the chat template's text. A format that does not carry templates owes none."""
    source, target = examination.source_view.artifact.chat_template, examination.target.chat_template
    if source is None:
        raise not_owed("the source has no chat template")
    if target is None and examination.target.format not in parameters.owed_by:
        raise not_owed(
            f"the source's chat template is not in the target; .{examination.target.format} need not carry it"
        )
    holds = target == source
    at = next((i for i, (a, b) in enumerate(zip(target or "", source, strict=False)) if a != b), len(target or ""))
    yield Comparison(
        measure="chat_template",
        place=Place(file=examination.target.path.name, key="chat_template", offset=None if holds else at),
        expected=jsonable(source if holds else source[max(0, at - 30) : at + 60]),
        observed=jsonable(target if holds or target is None else target[max(0, at - 30) : at + 60]),
        holds=holds,
        count=len(source),
        note=None if holds else f"first difference at character {at:,}",
    )
