"""Owns which chat templates lie beside the weights, in each of their homes, and which of them counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from model_contracts.artifact import Sidecar
from model_contracts.formats.documents import NotJson, read_object, read_whole
from model_contracts.formats.interface import Unreadable
from model_contracts.formats.source import FileBytes
from model_contracts.ledger import Ledger
from model_contracts.outcome import Place
from model_contracts.paths import stays_in

#: The longest chat template that is read, in bytes, and the most of a folder.
TEMPLATE_BOUND, _MOST = 8 << 20, 64
#: What the template without a name of its own is called, as transformers calls it.
DEFAULT = "default"
_FOLDER, _SUFFIX = "additional_chat_templates", ".jinja"
Templates = dict[str, dict[str, str]]


def templates_beside(
    folder: Path, sidecar: Sidecar | None, config: Mapping[str, Any] | None, ledger: Ledger
) -> tuple[str | None, Templates]:
    """The template that counts (its own file before tokenizer_config.json, as transformers reads them), and all.

    All of them by home, then by name: a file of its own, a folder of named ones, tokenizer_config.json.
    """
    homes: Templates = {}
    if sidecar is not None:
        own = _own(sidecar.path, ledger)
        if own:
            homes[sidecar.path.name] = own
    if named := dict(_named(folder, ledger)):
        homes[_FOLDER] = named
    if declared := declared_templates((config or {}).get("chat_template")):
        homes["tokenizer_config.json"] = declared
    plain = [(home, texts[DEFAULT]) for home, texts in homes.items() if DEFAULT in texts]
    if len({text for _, text in plain}) > 1:
        said = " and ".join(home for home, _ in plain)
        ledger.note(f"{said} hold different chat templates: the first counts")
    return next((texts[DEFAULT] for texts in homes.values() if DEFAULT in texts), None), homes


def declared_templates(value: object) -> dict[str, str]:
    """Templates by name as tokenizer_config.json holds them: a string, a list of {name, template}, or a mapping."""
    if isinstance(value, str):
        return {DEFAULT: value}
    if isinstance(value, dict):
        return {name: text for name, text in list(value.items())[:_MOST] if isinstance(text, str)}
    found: dict[str, str] = {}
    for item in value[:_MOST] if isinstance(value, list) else ():
        if isinstance(item, dict) and isinstance(item.get("name"), str) and isinstance(item.get("template"), str):
            found.setdefault(item["name"], item["template"])
    return found


def _own(path: Path, ledger: Ledger) -> dict[str, str]:
    if path.name.endswith(".json"):
        document = read_object(path, ledger)
        return declared_templates(document.get("chat_template")) if document else {}
    text = _text(path, ledger)
    return {} if text is None else {DEFAULT: text}


def _named(folder: Path, ledger: Ledger) -> Iterator[tuple[str, str]]:
    below = folder / _FOLDER
    try:
        paths = sorted(path for path in below.iterdir() if path.name.endswith(_SUFFIX)) if below.is_dir() else []
    except OSError:
        paths = []
    for path in paths[:_MOST]:
        if stays_in(folder, path) and path.is_file() and (text := _text(path, ledger)) is not None:
            yield path.name[: -len(_SUFFIX)], text


def _text(path: Path, ledger: Ledger) -> str | None:
    observed: object
    try:
        with FileBytes(path) as source:
            text = read_whole(source, TEMPLATE_BOUND).decode()
        ledger.compare("format", "sidecar_text", True)
        return text
    except UnicodeDecodeError as error:
        expected, observed, offset = "UTF-8", error.reason, error.start
    except NotJson as refused:
        expected, observed, offset = refused.expected, refused.observed, 0
    except Unreadable as refused:
        expected, observed, offset = "a file that can be read", str(refused), 0
    place = Place(file=path.name, offset=offset)
    ledger.compare("format", "sidecar_text", False, expected=expected, observed=observed, place=place)
    return None
