"""Owns the head of a GGUF file: version 3, typed key-values, tensor entries, data on 32 bytes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from model_contracts.converters.gguf_keys import Keys, keys_of
from model_contracts.converters.interface import FileLayout, TargetModel
from model_contracts.dtypes import GGML_CODES

ALIGNMENT = 32
CODES = {name: code for code, name in GGML_CODES.items()}
_U8, _U32, _I32, _F32, _BOOL, _STRING, _ARRAY = 0, 4, 5, 6, 7, 8, 9
_LETTERS = {_U32: "I", _I32: "i", _F32: "f", _BOOL: "?"}


def layout(model: TargetModel) -> FileLayout:
    """Lay the tensors out in their order (ggml docs/gguf.md)."""
    keys = keys_of(model)
    parts = [struct.pack("<4sIQQ", b"GGUF", 3, len(model.tensors), len(keys))]
    parts += [_text(key) + _value(value) for key, value in keys.items()]
    places, at = {}, 0
    for tensor in model.tensors:
        places[tensor.name] = at
        axes = tensor.shape[::-1]
        entry = struct.pack(f"<I{len(axes)}QIQ", len(axes), *axes, CODES[tensor.dtype], at)
        parts.append(_text(tensor.name) + entry)
        at += -(-tensor.nbytes // ALIGNMENT) * ALIGNMENT
    head = b"".join(parts)
    head += bytes(-len(head) % ALIGNMENT)
    return FileLayout(head, {name: len(head) + place for name, place in places.items()}, len(head) + at)


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def _value(value: Any) -> bytes:
    """A value with its type: whole numbers are UINT32 (INT32 in arrays), numbers FLOAT32, as llama.cpp reads them."""
    if isinstance(value, list):
        return struct.pack("<I", _ARRAY) + _array(value)
    if isinstance(value, bytes):
        return struct.pack("<IIQ", _ARRAY, _U8, len(value)) + value
    code = _code(value)
    if code == _STRING:
        return struct.pack("<I", code) + _text(value)
    return struct.pack(f"<I{_LETTERS[code]}", code, value)


def _array(values: Sequence[Any]) -> bytes:
    if not values or isinstance(values[0], str):
        return struct.pack("<IQ", _STRING, len(values)) + _texts(values)
    code = _F32 if isinstance(values[0], float) else _BOOL if isinstance(values[0], bool) else _I32
    return struct.pack(f"<IQ{len(values)}{_LETTERS[code]}", code, len(values), *values)


def _texts(values: Sequence[str]) -> bytes:
    """Hundreds of thousands of strings, each behind its length in 8 bytes."""
    return b"".join([len(data).to_bytes(8, "little") + data for data in map(str.encode, values)])


def _code(value: Any) -> int:
    kinds = ((bool, _BOOL), (int, _U32), (float, _F32), (str, _STRING))
    return next(code for kind, code in kinds if isinstance(value, kind))


__all__ = ["Keys", "layout"]
