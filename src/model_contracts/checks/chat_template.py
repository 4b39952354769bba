"""Kinds `same_template` (I-5, static half) and `one_template`: the source's template, and one in all its homes."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from model_contracts.checks.interface import Examination, NoParameters, Where, not_owed
from model_contracts.outcome import Comparison, Place, Record, jsonable


class TemplateParameters(Record):
    """Which formats owe the source's chat template."""

    owed_by: tuple[str, ...] = Field(
        description="Formats whose converters carry it; elsewhere its absence is said only."
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
    yield _compared("chat_template", examination.target.path.name, "chat_template", source, target)


def one_template(examination: Examination, parameters: NoParameters, where: Where) -> Iterator[Comparison]:
    """Compare each template with the one of its name in another home: loaders differ in which they read."""
    artifact = examination.target
    seen: dict[str, tuple[str, str]] = {}
    doubled = 0
    for home, templates in artifact.chat_templates.items():
        for name, text in templates.items():
            first, expected = seen.setdefault(name, (home, text))
            if first == home:
                continue
            doubled += 1
            said = _compared("chat_template", home, "chat_template" if name == "default" else name, expected, text)
            note = None if said.holds else f"{first} and {home} hold different templates; {said.note}"
            yield said.model_copy(update={"note": note})
    if not doubled:
        raise not_owed("the chat template has one home" if seen else "there is no chat template beside the weights")


def _compared(measure: str, file: str, key: str, expected: str, observed: str | None) -> Comparison:
    holds = observed == expected
    pairs = enumerate(zip(observed or "", expected, strict=False))
    at = next((i for i, (a, b) in pairs if a != b), min(len(observed or ""), len(expected)))
    return Comparison(
        measure=measure,
        place=Place(file=file, key=key, offset=None if holds else at),
        expected=jsonable(expected if holds else expected[max(0, at - 30) : at + 60]),
        observed=jsonable(observed if holds or observed is None else observed[max(0, at - 30) : at + 60]),
        holds=holds,
        count=max(len(expected), 1),
        note=None if holds else f"first difference at character {at:,}",
    )
