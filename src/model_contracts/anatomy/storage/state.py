"""Owns what a packed weight says of itself: its shape as a small tensor, or JSON beside it or in its file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite, prod
from pathlib import Path
from typing import Any

import numpy as np

from model_contracts.artifact import Tensor
from model_contracts.scheme import StorageLayout, Value
from model_contracts.sweep.reads import Files, small_bytes

#: Each file's `__metadata__`.
Stated = Mapping[Path, Mapping[str, Any]]
#: The longest state that is read, in bytes, and the most axes and values of a weight.
_STATE, _AXES, _LARGEST = 65_536, 8, 1 << 62


def document_of(
    layout: StorageLayout, name: str, parts: Mapping[str, Tensor], files: Files, stated: Stated
) -> Mapping[str, Any] | None:
    """The JSON object that tells of a weight; None where there is none that can be read."""
    assert layout.shape is not None
    if layout.shape.form == "metadata":
        first = next(iter(parts.values()), None)
        text = stated.get(first.file, {}).get(name) if first is not None else None
        data = text.encode()[: _STATE + 1] if isinstance(text, str) else b""
    else:
        tensor = _part(layout, parts)
        data = (small_bytes(tensor, _STATE, files) if tensor is not None else None) or b""
    try:
        document = json.loads(data) if len(data) <= _STATE else None
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def integers_of(layout: StorageLayout, parts: Mapping[str, Tensor], files: Files) -> tuple[int, ...] | None:
    """The shape that a small tensor of whole numbers holds."""
    tensor = _part(layout, parts)
    data = small_bytes(tensor, _STATE, files) if tensor is not None else None
    if tensor is None or data is None or tensor.dtype not in ("I64", "I32", "U64", "U32", "I16"):
        return None
    kind = f"<{tensor.dtype[0].lower()}{int(tensor.type.bits) // 8}"
    return shape_of(np.frombuffer(data, np.dtype(kind)).tolist())


def shape_of(value: Any) -> tuple[int, ...] | None:
    """A list of a few whole numbers as a shape of a weight; None where it is none."""
    if not isinstance(value, list) or not 2 <= len(value) <= _AXES:
        return None
    if not all(type(size) is int and 0 < size < _LARGEST for size in value) or prod(value) >= _LARGEST:
        return None
    return tuple(value)


def told(layout: StorageLayout, document: Mapping[str, Any]) -> dict[str, Value]:
    """The settings that a document gives, by their paths in it; a path that ends in `?` asks whether it is there."""
    found: dict[str, Value] = {}
    for name, setting in layout.settings.items():
        if setting.state is None:
            continue
        value = _at(document, setting.state.removesuffix("?"))
        if setting.state.endswith("?"):
            found[name] = value is not None
        elif isinstance(value, str | int) or (isinstance(value, float) and isfinite(value)):
            found[name] = value
    return found


def _at(document: Any, path: str) -> Any:
    for word in path.split("."):
        if isinstance(document, Mapping):
            document = document.get(word)
        elif isinstance(document, list) and word.isdigit() and int(word) < len(document):
            document = document[int(word)]
        else:
            return None
    return document


def _part(layout: StorageLayout, parts: Mapping[str, Tensor]) -> Tensor | None:
    """The stored tensor that holds the shape, by any of its names."""
    assert layout.shape is not None
    holds = layout.shape.part
    part = next((part for part in layout.parts if holds in part.names), None)
    return next((parts[end] for end in part.names if end in parts), None) if part is not None else None
