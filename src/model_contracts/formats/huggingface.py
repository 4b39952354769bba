"""Owns what lies beside the weights: which files a model takes, how each was found, and what they say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from model_contracts import door
from model_contracts.artifact import Sidecar
from model_contracts.containers import FORMS, Format
from model_contracts.formats.chat_templates import templates_beside
from model_contracts.formats.documents import read_object
from model_contracts.formats.interface import Unreadable
from model_contracts.formats.modules import FILE as MODULES
from model_contracts.formats.source import FileBytes
from model_contracts.formats.tokenizer_folder import FILES, other_tokenizer, pieces_beside, read_pieces
from model_contracts.formats.tokenizer_json import read_tokenizer
from model_contracts.ledger import Ledger
from model_contracts.outcome import Place
from model_contracts.paths import ADAPTER_CONFIG, SIDECAR_FILES, Role, sidecars, stays_in
from model_contracts.vocabulary import SentencePiece, Tokenizer


@dataclass(slots=True)
class Beside:
    """What was taken from beside the weights."""

    sidecars: dict[str, Sidecar] = field(default_factory=dict)
    config: Mapping[str, Any] | None = None
    generation_config: Mapping[str, Any] | None = None
    tokenizer_config: Mapping[str, Any] | None = None
    quantization: Mapping[str, Any] | None = None
    read_tokenizer: Callable[[], Tokenizer | None] = lambda: None
    pieces_file: Path | None = None
    read_sentencepiece: Callable[[], SentencePiece | None] = lambda: None
    unread_tokenizers: Mapping[str, str] = field(default_factory=dict)
    #: Whether a tokenizer lies there in another form than tokenizer.json, read or not.
    other_tokenizer: bool = False
    chat_template: str | None = None
    chat_templates: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def beside(folder: Path, weights: Path | None, format: Format, ledger: Ledger, adapter: bool = False) -> Beside:
    """Find and read the sidecars of a model. `weights` is the one file of a bare model, None for a set or a folder.

    GGUF and `.apr` carry their own tokenizer and configuration: they take a file only where it bears their name.
    An adapter takes `adapter_config.json` for its config: a config.json beside it is the model's that it belongs to.
    """
    taken = Beside()
    for role in SIDECAR_FILES:
        if not FORMS[format].beside and role != "config":
            continue
        sidecar = _find(folder, weights, role, format, ledger, adapter)
        if sidecar is not None:
            taken.sidecars[role] = sidecar
    taken.config = _object(taken, "config", ledger)
    taken.generation_config = _object(taken, "generation_config", ledger)
    taken.tokenizer_config = _object(taken, "tokenizer_config", ledger)
    taken.quantization = _object(taken, "quantization", ledger)
    if (sidecar := taken.sidecars.get("tokenizer")) is not None:
        taken.read_tokenizer = partial(_tokenizer, sidecar.path, taken.tokenizer_config, ledger)
        if (model := pieces_beside(folder)) is not None:
            taken.pieces_file, taken.read_sentencepiece = model, partial(read_pieces, model, ledger)
    elif FORMS[format].beside:
        read, taken.unread_tokenizers = other_tokenizer(folder, taken.tokenizer_config or {}, ledger)
        taken.read_tokenizer = read or taken.read_tokenizer
        taken.other_tokenizer = read is not None or bool(taken.unread_tokenizers)
        for name, why in taken.unread_tokenizers.items():
            ledger.note(f"{name} lies beside the weights and is not read: {why}")
    if FORMS[format].beside:
        for name in (*FILES, MODULES):
            _told_unreadable(folder / name, ledger)
        taken.chat_template, taken.chat_templates = templates_beside(
            folder, taken.sidecars.get("chat_template"), taken.tokenizer_config, ledger
        )
    return taken


def _find(
    folder: Path, weights: Path | None, role: Role, format: Format, ledger: Ledger, adapter: bool
) -> Sidecar | None:
    named = [(path, "bears the name of the weights") for path in sidecars(weights, role)] if weights else []
    names = SIDECAR_FILES[role]
    if role == "config" and adapter:
        names = (ADAPTER_CONFIG,)
    plain = [(folder / name, "lies beside the weights") for name in names]
    for path, how in named + (plain if FORMS[format].beside else []):
        there = door.is_regular(path)
        if not there:
            _told_unreadable(path, ledger)
        if there and stays_in(folder, path):
            return Sidecar(role, path, how)
        if there:
            ledger.note(f"{path.name} was not read: it is a link that leaves the folder of the model")
    return None


def _told_unreadable(path: Path, ledger: Ledger) -> None:
    """Say of a name that lies beside the weights and has no file behind it why it is not read; else nothing."""
    if (why := door.unreadable(path)) is not None:
        expected, place = "a file that can be read", Place(file=path.name)
        ledger.compare("format", "sidecar_file", False, expected=expected, observed=why, place=place)


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
