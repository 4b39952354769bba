"""Kind `beside`: nothing that lies beside the weights runs, and the chat template hides nothing from its readers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from model_contracts.artifact import Artifact
from model_contracts.checks.interface import Comparisons, Examination, Where, not_owed, static
from model_contracts.formats.beside import Listing, listing
from model_contracts.outcome import Comparison, Place, Record, Uncompared, jsonable

#: Templates are evaluated between these; outside of them they are text that a model reads.
_CODE = re.compile(r"\{[{%].*?(?:[}%]\}|\Z)", re.DOTALL)
_ESCAPED = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))")
_DUNDER = re.compile(r"__[A-Za-z]\w{0,60}?__")
_URL = re.compile(r"(?:https?|ftp|wss?|file)://[^\s'\"<>{}|\\]{1,200}", re.IGNORECASE)
#: Zero-width and bidirectional marks, tags, other controls: a person who reads the template does not see them.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e0fff]|(?<=[\x00-\x7f])[\u200c\u200d]"
)


class BesideParameters(Record):
    """Names that are more than data, by what they may do; keys of configurations that ask for code."""

    #: Ending of a name (in small letters, with its dot) to what a file of that name is.
    endings: dict[str, str]
    keys: tuple[str, ...]


def beside(examination: Examination, parameters: BesideParameters, where: Where) -> Comparisons:
    """Compare the names in the folder, the keys of its configurations and its chat templates with what is only data."""
    artifact = examination.target
    found, templates = listing(artifact), dict(_templates(artifact))
    documents = dict(_documents(artifact))
    if examination.refused is not None:
        yield _refused(examination.refused)
    elif found is None and not templates and not documents:
        raise not_owed("nothing lies beside the weights, and there is no chat template")
    if found is not None:
        yield from _files(found, parameters, where)
    for file, document in documents.items():
        for key in parameters.keys:
            value = document.get(key)
            yield Comparison(
                measure="code_declared",
                place=Place(file=file, key=key),
                expected="no code of the model's own",
                observed=jsonable(value) if value else "none",
                holds=not value,
                note="a reader that trusts the folder runs it" if value else None,
            )
    for place, text in templates.items():
        yield from _template(place, text)


def _refused(reason: str) -> Comparison:
    return Comparison(
        measure="contract_beside",
        place=Place(file="contracts.yaml"),
        expected="a contract, whose clauses would come on top",
        observed=reason[:400],
        holds=False,
        note="none of its clauses was held; --contract FILE ends with the same error",
    )


def _files(found: Listing, parameters: BesideParameters, where: Where) -> Comparisons:
    bad = [(name, ending) for name in found.names if (ending := _ending(name, parameters)) is not None]
    for name, ending in bad:
        yield Comparison(
            measure="file_beside",
            place=Place(file=name),
            expected="weights, configuration and text",
            observed=parameters.endings[ending],
            holds=False,
            bound_from=where("endings", ending),
            note="it was not opened; a reader that takes it may run what it holds",
        )
    if len(found.names) > len(bad):
        yield Comparison(measure="file_beside", holds=True, count=len(found.names) - len(bad))
    if found.left_out is not None:
        yield Uncompared(reason=found.left_out)


def _ending(name: str, parameters: BesideParameters) -> str | None:
    """The longest of the endings that a name has."""
    return max((end for end in parameters.endings if name.lower().endswith(end)), key=len, default=None)


def _documents(artifact: Artifact) -> Iterator[tuple[str, dict[str, object]]]:
    held = (
        ("config.json", artifact.config),
        ("generation_config.json", artifact.generation_config),
        ("tokenizer_config.json", artifact.tokenizer_config),
    )
    for name, document in held:
        if document is not None:
            sidecar = next((s for s in artifact.sidecars.values() if s.path.name.endswith(name)), None)
            yield sidecar.path.name if sidecar is not None else name, dict(document)


def _templates(artifact: Artifact) -> Iterator[tuple[Place, str]]:
    """Every chat template: of the files beside the weights, and of the metadata of the weights."""
    for home, named in artifact.chat_templates.items():
        yield from ((Place(file=home, key=name), text) for name, text in named.items())
    for container in artifact.containers:
        for key, value in container.metadata.items():
            if isinstance(value, str) and re.fullmatch(r"(?:tokenizer\.)?chat_template(?:\..{1,200})?", key):
                yield Place(file=container.path.name, key=key), value


def _template(place: Place, text: str) -> Iterator[Comparison]:
    plain = _ESCAPED.sub(_character, text)
    code = " ".join(_CODE.findall(plain))
    looks = (
        ("template_dunder", _DUNDER.search(code), "no name of Python's own", "it reaches for what a sandbox hides"),
        ("template_hidden", _HIDDEN.search(plain), "no hidden character", "people do not see it, a model reads it"),
        ("template_url", _URL.search(plain), "no address", "a conversation is sent text about a place on the network"),
    )
    for measure, match, expected, note in looks:
        yield Comparison(
            measure=measure,
            place=place,
            expected=expected,
            observed="none" if match is None else _seen(match.group(), text),
            holds=match is None,
            note=None if match is None else note,
        )


def _character(match: re.Match[str]) -> str:
    code = int(next(group for group in match.groups() if group), 16)
    return chr(code) if code <= 0x10FFFF and not 0xD800 <= code < 0xE000 else match.group()


def _seen(found: str, text: str) -> str:
    """What was found, hidden characters by their numbers, and where in the text it stands unescaped."""
    shown = found if found.isprintable() else ", ".join(f"U+{ord(character):04X}" for character in found)
    at = text.find(found)
    return f"{shown[:200]}{f' at character {at:,}' if at >= 0 else ', written as escapes'}"


BESIDE = static(BesideParameters, beside)
