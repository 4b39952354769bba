"""Kinds `same_vocabulary`, `same_merges`, `same_flags`, `same_template` (I-5, static half): two tokenizers are one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import Field

from model_contracts.anatomy.pretokenizers import name_of
from model_contracts.artifact import Tokenizer
from model_contracts.checks.interface import Examination, NoParameters, Where, missing_input, not_owed
from model_contracts.ledger import KEPT
from model_contracts.outcome import Comparison, Place, Record, jsonable


class TemplateParameters(Record):
    """Which formats owe the source's chat template."""

    owed_by: tuple[str, ...] = Field(
        description="Formats whose converters carry it; elsewhere its absence is said only."
    )


def _pair(examination: Examination) -> tuple[Tokenizer, Tokenizer]:
    source = examination.source_view.artifact.tokenizer
    if source is None:
        raise missing_input("the source carries no tokenizer to compare with")
    target = examination.target.tokenizer
    if target is None:
        raise missing_input("the target carries no tokenizer to compare")
    return target, source


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
    target, source = _pair(examination)
    place = Place(file=target.origin.name)
    same = 0
    different: list[tuple[int, str | None, str | None]] = []
    for index, (ours, theirs) in enumerate(zip(target.tokens, source.tokens, strict=False)):
        if ours == theirs or (theirs is None and _padding(ours)):
            same += 1
        else:
            different.append((index, theirs, ours))
    if same:
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
    tail = [token for token in target.tokens[source.size :] if not _padding(token)]
    yield Comparison(
        measure="vocabulary_size",
        place=place,
        expected=source.size,
        observed=target.size,
        holds=target.size >= source.size and not tail,
        note=f"{target.size - source.size:,} ids of padding" if target.size > source.size and not tail else None,
    )


def same_merges(examination: Examination, parameters: NoParameters, where: Where) -> Iterator[Comparison]:
    """Compare the merges in their order: the rank of a merge decides how a text falls apart."""
    target, source = _pair(examination)
    if source.algorithm != "BPE":
        raise not_owed(f"a {source.algorithm} tokenizer has no merges")
    yield from _sequence("merge_at_rank", target, target.merges or (), source.merges or ())


def same_flags(examination: Examination, parameters: NoParameters, where: Where) -> Iterator[Comparison]:
    """Compare added tokens, add-BOS and add-EOS flags, and the pre-tokenizer."""
    target, source = _pair(examination)
    place = Place(file=target.origin.name)
    for index, added in source.added.items():
        ours = target.tokens[index] if index < target.size else None
        yield Comparison(
            measure="added_token",
            place=Place(file=target.origin.name, token=index),
            expected=jsonable(added.content),
            observed=jsonable(ours),
            holds=ours == added.content,
        )
        if target.token_types is not None and ours == added.content and index < len(target.token_types):
            kind = target.token_types[index]
            yield Comparison(
                measure="added_token_type",
                place=Place(file=target.origin.name, token=index),
                expected="control or user defined" if not added.special else "control",
                observed={1: "normal", 2: "unknown", 3: "control", 4: "user defined", 5: "unused", 6: "byte"}.get(
                    kind, kind
                ),
                holds=kind in ((3,) if added.special else (3, 4, 2)),
            )
    for flag in ("add_bos", "add_eos"):
        ours_flag, theirs_flag = getattr(target, flag), getattr(source, flag)
        if ours_flag is None and not theirs_flag:
            continue
        yield Comparison(
            measure=flag,
            place=place,
            expected=bool(theirs_flag),
            observed=ours_flag,
            holds=bool(ours_flag) == bool(theirs_flag),
        )
    ours_name, theirs_name = name_of(target), name_of(source)
    if target.pre is not None or (ours_name and theirs_name):
        if theirs_name is None:
            return
        yield Comparison(
            measure="pre_tokenizer",
            place=Place(file=target.origin.name, key="tokenizer.ggml.pre"),
            expected=theirs_name,
            observed=ours_name,
            holds=ours_name == theirs_name,
            note=None if ours_name == theirs_name else "digits, spaces and letters are split differently",
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


def _padding(token: str | None) -> bool:
    """Whether a token is a converter's filler for an id that has no token ([PAD151665], <unk>, <|pad_3|>)."""
    return token is None or token == "<unk>" or "pad" in token.lower()


def _moved(theirs: str | None, index: int, target: Tokenizer) -> str | None:
    there = target.ids.get(theirs) if theirs is not None else None
    return f"the source's token stands at {there} ({there - index:+d})" if there is not None else None
