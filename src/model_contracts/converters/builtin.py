"""Owns our own converter: any of the three formats to any, from what the families and recipes declare."""

from __future__ import annotations

import json
import os
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from model_contracts.anatomy.view import View
from model_contracts.artifact import Artifact
from model_contracts.containers import FORMS, Format
from model_contracts.converters.gather import documents_of, with_tokenizer
from model_contracts.converters.interface import (
    ConversionRefused,
    Documents,
    FileLayout,
    NotWritten,
    Progress,
    TargetModel,
    Written,
)
from model_contracts.converters.modelling import model_of
from model_contracts.converters.staging import sidecar_name
from model_contracts.converters.values import Stream
from model_contracts.converters.writers import apr, gguf, safetensors
from model_contracts.definitions import load_families, load_recipes
from model_contracts.formats.documents import collector_paused
from model_contracts.paths import model_name, suffix_format
from model_contracts.system import files as positions

WRITERS: dict[Format, Callable[[TargetModel], FileLayout]] = {
    "safetensors": safetensors.layout,
    "gguf": gguf.layout,
    "apr": apr.layout,
}
_PIECE = 1 << 20


def convert(
    source: Artifact,
    folder: Path,
    target: Path,
    *,
    dtype: str | None = None,
    tokenizer: Path | None = None,
    allow_overflow: bool = False,
    progress: Progress | None = None,
) -> Written:
    """Write `target`'s files into `folder`, under the names they will have. Raises ConversionRefused."""
    if not source.readable:
        raise ConversionRefused(f"{source.path}: the source cannot be read; contracts check says why")
    format = suffix_format(target.name) or "safetensors"
    chosen = with_tokenizer(source, tokenizer)
    artifact = chosen.artifact
    view, notes = View(artifact, load_families()), list[str]()
    with collector_paused():
        documents = documents_of(view, chosen, notes)
        model, said = model_of(view, documents, format, dtype, load_recipes(), model_name(target))
        layout = WRITERS[format](model)
    directory = suffix_format(target.name) is None
    place = folder / target.name if directory else folder
    place.mkdir(exist_ok=True)
    weights = place / ("model.safetensors" if directory else target.name)
    overflowed = _write(weights, model, layout, allow_overflow, progress)
    for name, count in overflowed.items():
        notes.append(f"{name}: {count:,} values beyond 65504 were written as infinity, as was allowed")
    files = [weights]
    if FORMS[format].beside:
        files += _documents(place, weights.name, documents, template_in_config(documents))
    held = Counter(tensor.dtype for tensor in model.tensors if not tensor.placeholder)
    taken = _taken(source, artifact)
    return Written(
        tuple(files), format, len(model.tensors), held, chosen.origin, taken, (*notes, *said), source=artifact
    )


def _taken(source: Artifact, artifact: Artifact) -> Path | None:
    """The tokenizer.json that was taken in place of the source's own."""
    sidecar = artifact.sidecars.get("tokenizer")
    return sidecar.path if sidecar is not None and sidecar != source.sidecars.get("tokenizer") else None


def _write(
    path: Path, model: TargetModel, layout: FileLayout, allow_overflow: bool, progress: Progress | None
) -> dict[str, int]:
    """The weights file, at its full size from the start, so that a full disk is met before any work."""
    try:
        descriptor = os.open(path, positions.CREATE, 0o666)
        try:
            positions.allocate(path, descriptor, max(layout.size, 1))
            positions.write_at(descriptor, layout.head, 0)
            stream = Stream(model.tensors, layout, descriptor, allow_overflow)
            stream.run(progress)
            if layout.checksum:
                checksum = _checksum(descriptor, layout.size - 4).to_bytes(4, "little")
                positions.write_at(descriptor, checksum, layout.size - 4)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise NotWritten(f"{path.name}: {(error.strerror or 'it cannot be written').lower()}") from None
    return stream.overflowed


def _checksum(descriptor: int, size: int) -> int:
    """CRC-32 of the first bytes of a file."""
    value, buffer = 0, bytearray(_PIECE)
    for start in range(0, size, _PIECE):
        view = memoryview(buffer)[: min(_PIECE, size - start)]
        positions.read_into(descriptor, view, start)
        value = zlib.crc32(view, value)
    return value


def template_in_config(documents: Documents) -> bool:
    """Whether tokenizer_config.json holds the chat template itself."""
    held = documents.tokenizer_config.get("chat_template")
    return held == documents.chat_template or isinstance(held, list)


def _documents(folder: Path, weights: str, documents: Documents, in_config: bool) -> list[Path]:
    """The files that make a directory whole."""
    values: dict[str, Any] = {
        "config.json": documents.config,
        "generation_config.json": documents.generation_config,
        "tokenizer.json": documents.tokenizer,
        "tokenizer_config.json": documents.tokenizer_config,
    }
    texts = {name: json.dumps(value, indent=2, ensure_ascii=False) for name, value in values.items() if value}
    # As their own writers leave them: transformers ends a file with a new line, tokenizers does not.
    texts = {name: text + ("" if name == "tokenizer.json" else "\n") for name, text in texts.items()}
    if documents.chat_template is not None and not in_config:
        texts["chat_template.jinja"] = documents.chat_template
    paths = []
    for name, text in texts.items():
        paths.append(folder / sidecar_name(weights, name))
        paths[-1].write_text(text, encoding="utf-8", newline="")
    return paths
