"""Kinds `same_template` (I-5, static half) and `one_template`: the source's template, and one in all its homes."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from model_contracts.anatomy.tokenizers.named_templates import named_templates
from model_contracts.artifact import Artifact
from model_contracts.checks.interface import Examination, NoParameters, Where, not_owed, static
from model_contracts.checks.static.tokenizers.template_blocks import unclosed
from model_contracts.outcome import Comparison, Place, Record, jsonable

#: GGUF's key of a named template begins so.


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
    ours, theirs = named_templates(examination.target), named_templates(examination.source_view.artifact)
    file = examination.target.path.name
    # Converters carry the plain one; between two folders all of them are the model's.
    folders = examination.target.form.beside and examination.source_view.artifact.form.beside
    left = sorted(set(theirs) - set(ours)) if not folders else []
    said = _compared("chat_template", file, "chat_template", source, target)
    if said.holds and left:
        said = said.model_copy(update={"note": f"without the named templates {', '.join(left)}"[:400]})
    yield said
    for name, text in sorted(theirs.items()):
        if name not in left:
            yield _compared("named_chat_template", file, f"chat_template.{name}"[:400], text, ours.get(name))


def one_template(examination: Examination, parameters: NoParameters, where: Where) -> Iterator[Comparison]:
    """Compare each template with the one of its name in another home, and what it opens with what it closes."""
    artifact = examination.target
    seen: dict[str, tuple[str, str]] = {}
    if artifact.chat_template is None and not artifact.chat_templates:
        raise not_owed("there is no chat template")
    yield from _whole(artifact)
    for home, templates in artifact.chat_templates.items():
        for name, text in templates.items():
            first, expected = seen.setdefault(name, (home, text))
            if first == home:
                continue
            said = _compared("chat_template", home, "chat_template" if name == "default" else name, expected, text)
            note = None if said.holds else f"{first} and {home} hold different templates; {said.note}"
            yield said.model_copy(update={"note": note})


def _whole(artifact: Artifact) -> Iterator[Comparison]:
    """Each text of a template: a runtime refuses one that was cut, or falls back to another."""
    file = artifact.sidecars["chat_template"].path.name if "chat_template" in artifact.sidecars else None
    texts = {artifact.chat_template: file or artifact.path.name} if artifact.chat_template is not None else {}
    for home, templates in artifact.chat_templates.items():
        texts |= {text: home for text in templates.values() if text not in texts}
    for text, home in texts.items():
        open_at = unclosed(text)
        yield Comparison(
            measure="template_whole",
            place=Place(file=home, key="chat_template", offset=open_at[1] if open_at else None),
            expected="every tag and block is closed",
            observed=f"{open_at[0]} has no counterpart" if open_at else "every tag and block is closed",
            holds=open_at is None,
            count=max(len(text), 1),
        )


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


ONE_TEMPLATE = static(NoParameters, one_template)
SAME_TEMPLATE = static(TemplateParameters, same_template)
