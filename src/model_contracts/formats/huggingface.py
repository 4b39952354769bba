"""Owns what lies beside the weights: which files a model takes, how each was found, and what they say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from model_contracts import door
from model_contracts.artifact import Format, Sidecar, Tokenizer
from model_contracts.formats.documents import NotJson, read_object, read_whole
from model_contracts.formats.interface import Unreadable
from model_contracts.formats.source import FileBytes
from model_contracts.formats.tokenizer_json import read_tokenizer
from model_contracts.ledger import Ledger
from model_contracts.outcome import Place
from model_contracts.paths import SIDECAR_FILES, Role, sidecars, stays_in

#: The longest chat template that is read, in bytes.
TEMPLATE_BOUND = 8 << 20


@dataclass(slots=True)
class Beside:
    """What was taken from beside the weights."""

    sidecars: dict[str, Sidecar] = field(default_factory=dict)
    config: Mapping[str, Any] | None = None
    generation_config: Mapping[str, Any] | None = None
    tokenizer_config: Mapping[str, Any] | None = None
    read_tokenizer: Callable[[], Tokenizer | None] = lambda: None
    chat_template: str | None = None


#: Tokenizers in other forms: seen and said, not read.
_OTHER_TOKENIZERS = ("tokenizer.model", "vocab.json", "spiece.model", "sentencepiece.bpe.model")


def beside(folder: Path, weights: Path | None, format: Format, ledger: Ledger) -> Beside:
    """Find and read the sidecars of a model. `weights` is the one file of a bare model, None for a set or a folder.

    GGUF and `.apr` carry their own tokenizer and configuration: they take a file only where it bears their name.
    """
    taken = Beside()
    for role in SIDECAR_FILES:
        if format != "safetensors" and role != "config":
            continue
        sidecar = _find(folder, weights, role, format, ledger)
        if sidecar is not None:
            taken.sidecars[role] = sidecar
    taken.config = _object(taken, "config", ledger)
    taken.generation_config = _object(taken, "generation_config", ledger)
    taken.tokenizer_config = _object(taken, "tokenizer_config", ledger)
    if (sidecar := taken.sidecars.get("tokenizer")) is not None:
        taken.read_tokenizer = partial(_tokenizer, sidecar.path, taken.tokenizer_config, ledger)
    elif format == "safetensors":
        for name in _OTHER_TOKENIZERS:
            if door.is_regular(folder / name):
                ledger.note(f"{name} lies beside the weights; of tokenizers only tokenizer.json is read")
    taken.chat_template = _template(taken, ledger)
    return taken


def _find(folder: Path, weights: Path | None, role: Role, format: Format, ledger: Ledger) -> Sidecar | None:
    named = [(path, "bears the name of the weights") for path in sidecars(weights, role)] if weights else []
    plain = [(folder / name, "lies beside the weights") for name in SIDECAR_FILES[role]]
    for path, how in named + (plain if format == "safetensors" else []):
        there = door.is_regular(path)
        if there and stays_in(folder, path):
            return Sidecar(role, path, how)
        if there:
            ledger.note(f"{path.name} was not read: it is a link that leaves the folder of the model")
    return None


def _object(taken: Beside, role: Role, ledger: Ledger) -> dict[str, Any] | None:
    sidecar = taken.sidecars.get(role)
    if sidecar is None:
        return None

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        ledger.compare(
            "format",
            "sidecar_key_unique",
            len(members) == len(pairs),
            expected="each key once",
            observed=[key for key, _ in pairs],
            place=Place(file=sidecar.path.name),
            note="parsers disagree on which of two equal keys counts",
        )
        return members

    return read_object(sidecar.path, ledger, unique)


def _tokenizer(path: Path, config: Mapping[str, Any] | None, ledger: Ledger) -> Tokenizer | None:
    try:
        with FileBytes(path) as source:
            return read_tokenizer(source, ledger, config)
    except Unreadable as refused:
        ledger.compare(
            "format",
            "sidecar_json",
            False,
            expected="a file that can be read",
            observed=str(refused),
            place=Place(file=path.name),
        )
        return None


def _template(taken: Beside, ledger: Ledger) -> str | None:
    """The chat template: its own file before tokenizer_config.json, as transformers reads them."""
    declared = _declared_template((taken.tokenizer_config or {}).get("chat_template"))
    sidecar = taken.sidecars.get("chat_template")
    if sidecar is None:
        return declared
    if sidecar.path.name.endswith(".json"):
        document = read_object(sidecar.path, ledger)
        own = _declared_template(document.get("chat_template")) if document else None
    else:
        own = _text(sidecar.path, ledger)
    if own is not None and declared is not None and own != declared:
        ledger.note(f"{sidecar.path.name} and tokenizer_config.json hold different chat templates: the first counts")
    return own if own is not None else declared


def _declared_template(value: object) -> str | None:
    """A template as tokenizer_config.json holds it: a string, or a list of {name, template} with one named default."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        for item in value:
            if isinstance(item, dict) and item.get("name") == "default" and isinstance(item.get("template"), str):
                return str(item["template"])
    return None


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
