"""Owns `modules.json` of sentence-transformers: which parts follow the transformer, what each says, and its weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from model_contracts.artifact import Container, Module
from model_contracts.formats.documents import NotJson, parse, read_object, read_whole
from model_contracts.formats.interface import Unreadable
from model_contracts.formats.source import FileBytes
from model_contracts.ledger import Ledger
from model_contracts.outcome import Place
from model_contracts.paths import stays_in

FILE = "modules.json"
#: A pipeline has three or four parts.
_MOST, _BYTES = 32, 1 << 20


def read_modules(folder: Path, open_container: Callable[[Path], Container], ledger: Ledger) -> tuple[Module, ...]:
    """The parts in order; nothing where no modules.json lies in the folder. What is wrong goes to the ledger."""
    path = folder / FILE
    if not path.is_file() or not stays_in(folder, path):
        return ()
    try:
        with FileBytes(path) as source:
            parts = parse(read_whole(source, _BYTES))
    except (NotJson, Unreadable) as refused:
        _say(ledger, False, "JSON", getattr(refused, "observed", str(refused)))
        return ()
    whole = isinstance(parts, list) and len(parts) <= _MOST and all(_part(part) for part in parts)
    if not _say(ledger, whole, f"a list of at most {_MOST} parts with type and path", type(parts).__name__):
        return ()
    return tuple(_module(folder, part, open_container, ledger) for part in parts)


def _part(part: Any) -> bool:
    return isinstance(part, dict) and isinstance(part.get("type"), str) and isinstance(part.get("path", ""), str)


def _module(folder: Path, part: dict[str, Any], open_container: Callable[[Path], Container], ledger: Ledger) -> Module:
    kind, place = part["type"].rpartition(".")[2][:80], part.get("path", "")
    below = folder / place
    plain = place == "" or (Path(place).name == place and stays_in(folder, below))
    if not _say(ledger, plain, "the name of a folder beside it", place[:200]) or place == "":
        return Module(kind, place if plain else "", None, None)
    config, weights = below / "config.json", below / "model.safetensors"
    said = read_object(config, ledger) if _there(folder, config) else None
    container = None
    if _there(folder, weights):
        try:
            container = open_container(weights)
        except Unreadable:
            container = None
    return Module(kind, place, said, container)


def _there(folder: Path, path: Path) -> bool:
    try:
        return path.is_file() and stays_in(folder, path)
    except (OSError, ValueError):
        return False


def _say(ledger: Ledger, holds: bool, expected: str, observed: object) -> bool:
    return ledger.compare("format", "modules", holds, expected=expected, observed=observed, place=Place(file=FILE))
