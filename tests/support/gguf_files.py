"""Writes GGUF files for tests: well-formed ones from key-values and tensors, and any other by replacing a part."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from model_contracts.dtypes import DTYPES, GGML_CODES

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
_LETTERS = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "B", U64: "Q", I64: "q", F64: "d"}
CODES = {name: code for code, name in GGML_CODES.items()}


@dataclass(frozen=True)
class Raw:
    """Bytes that stand as they are where a value, a key or a tensor entry would."""

    data: bytes


@dataclass(frozen=True)
class Info:
    """One tensor: its axes in ggml's order (fastest first), its type number, its data.

    `offset` replaces where it would be laid out; `axes` the number of axes that is written.
    """

    name: str | bytes | Raw
    ne: Sequence[int]
    code: int
    data: bytes
    offset: int | None = None
    axes: int | None = None


def info(
    name: str | bytes | Raw,
    ne: Sequence[int] = (8,),
    code: int | str = "F32",
    *,
    data: bytes | None = None,
    offset: int | None = None,
    axes: int | None = None,
) -> Info:
    """A tensor entry; its data are zeros of the right length unless given (nothing where that passes 1 MiB)."""
    number = CODES[code] if isinstance(code, str) else code
    if data is None:
        dtype = DTYPES.get(GGML_CODES.get(number, ""))
        size = dtype.nbytes(prod(ne)) if dtype else 0
        data = bytes(size) if size <= 1 << 20 else b""
    return Info(name, ne, number, data, offset, axes)


def array_info(name: str, array: np.ndarray) -> Info:
    """A float32 tensor from a row-major array."""
    values = np.ascontiguousarray(array, np.float32)
    return info(name, values.shape[::-1], "F32", data=values.tobytes())


def text(value: str | bytes | Raw, order: str = "<") -> bytes:
    """A string: its length in 8 bytes, then its bytes."""
    if isinstance(value, Raw):
        return value.data
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack(order + "Q", len(data)) + data


def array(code: int, values: Sequence[Any] | Raw, count: int | None = None) -> Raw:
    """The value of an array key; `count` replaces the true number of elements."""
    body = values.data if isinstance(values, Raw) else b"".join(_value(code, value) for value in values)
    length = count if count is not None else len(values) if not isinstance(values, Raw) else 0
    return Raw(struct.pack("<IQ", code, length) + body)


def _value(code: int, value: Any, order: str = "<") -> bytes:
    if isinstance(value, Raw):
        return value.data
    if code == STRING:
        return text(value, order)
    return struct.pack(order + _LETTERS[code], value)


def pair(key: str | bytes | Raw, code: int, value: Any) -> tuple[str | bytes | Raw, int, Any]:
    """A key with the type number that is written and its value (`array(…)` for arrays, `Raw` for anything)."""
    return key, code, value


NAMED = pair("general.architecture", STRING, "qwen2")
QUANTISED = pair("general.quantization_version", U32, 2)


def header_bytes(
    pairs: Sequence[tuple[Any, int, Any]] = (NAMED,),
    infos: Sequence[Info] = (),
    *,
    magic: bytes = b"GGUF",
    version: int = 3,
    n_tensors: int | None = None,
    n_pairs: int | None = None,
    alignment: int = 32,
    order: str = "<",
) -> bytes:
    """Everything before the data section, without its padding; the counts replace the true ones."""
    counts = (len(infos) if n_tensors is None else n_tensors, len(pairs) if n_pairs is None else n_pairs)
    out = bytearray(magic + struct.pack(order + "IQQ", version, *counts))
    for key, code, value in pairs:
        out += text(key, order) + struct.pack(order + "I", code) + _value(code, value, order)
    at = 0
    for entry in infos:
        if isinstance(entry.name, Raw) and not entry.ne:
            out += entry.name.data
            continue
        out += text(entry.name, order) + struct.pack(order + "I", len(entry.ne) if entry.axes is None else entry.axes)
        out += b"".join(struct.pack(order + ("Q" if axis >= 0 else "q"), axis) for axis in entry.ne)
        out += struct.pack(order + "IQ", entry.code, at if entry.offset is None else entry.offset)
        at += len(entry.data) + -len(entry.data) % alignment
    return bytes(out)


def file_bytes(
    pairs: Sequence[tuple[Any, int, Any]] = (NAMED,),
    infos: Sequence[Info] = (),
    *,
    alignment: int = 32,
    tail: bytes = b"",
    pad_last: bool = True,
    **changes: Any,
) -> bytes:
    """A file: header, padding, the data of each tensor padded to `alignment`. `changes` as of `header_bytes`."""
    header = header_bytes(pairs, infos, alignment=alignment, **changes)
    out = bytearray(header + bytes(-len(header) % alignment))
    for index, entry in enumerate(infos):
        out += entry.data
        if pad_last or index < len(infos) - 1:
            out += bytes(-len(entry.data) % alignment)
    return bytes(out) + tail


def tokenizer_pairs(tokens: Sequence[str], merges: Sequence[str] = (), /, **changes: Any) -> list[tuple[Any, int, Any]]:
    """The key-values of a byte-level BPE tokenizer; `changes` replace a part by its name, None takes it away."""
    parts: Mapping[str, tuple[int, Any]] = {
        "model": (STRING, "gpt2"),
        "pre": (STRING, "qwen2"),
        "tokens": (ARRAY, array(STRING, tokens)),
        "token_type": (ARRAY, array(I32, [1] * len(tokens))),
        "merges": (ARRAY, array(STRING, merges)),
        "eos_token_id": (U32, 0),
        **changes,
    }
    return [pair(f"tokenizer.ggml.{name}", *part) for name, part in parts.items() if part is not None]
