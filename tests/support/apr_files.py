"""Writes .apr files for tests: well-formed ones from metadata and entries, and any other by replacing a part."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

ALIGNMENT = 64
F32, F16, F64, I32, I64, I8, U8, Q4_K, Q6_K, BF16, APR_Q4, APR_Q8 = 0, 1, 3, 4, 5, 6, 7, 12, 14, 30, 128, 129
_WIDTHS = {F32: 4, F16: 2, F64: 8, I32: 4, I64: 8, I8: 1, U8: 1, BF16: 2}


@dataclass(frozen=True)
class Entry:
    """One tensor: its type byte, shape (row-major) and data; `offset` and `size` replace the true ones."""

    name: str | bytes
    code: int
    shape: Sequence[int]
    data: bytes
    offset: int | None = None
    size: int | None = None

    @property
    def raw(self) -> bytes:
        """The name as it is written."""
        return self.name if isinstance(self.name, bytes) else self.name.encode()


def entry(
    name: str | bytes,
    shape: Sequence[int] = (8,),
    code: int = F32,
    *,
    data: bytes | None = None,
    offset: int | None = None,
    size: int | None = None,
) -> Entry:
    """A tensor; its data are zeros of the length that a plain type takes, unless given."""
    return Entry(name, code, shape, bytes(prod(shape) * _WIDTHS[code]) if data is None else data, offset, size)


def array_entry(name: str, array: np.ndarray) -> Entry:
    """A float32 tensor from a row-major array."""
    return entry(name, array.shape, F32, data=np.ascontiguousarray(array, np.float32).tobytes())


def padded(data: bytes) -> bytes:
    """Bytes with zeros up to the next multiple of 64."""
    return data + bytes(-len(data) % ALIGNMENT)


def index_bytes(entries: Sequence[Entry], *, sort: bool = True) -> bytes:
    """The packed index, sorted by the bytes of the names unless told otherwise; data lie in the order given."""
    offsets, at = [], 0
    for each in entries:
        offsets.append(at)
        at += len(padded(each.data))
    placed = list(zip(entries, offsets, strict=True))
    if sort:
        placed.sort(key=lambda item: item[0].raw)
    out = b""
    for each, at in placed:
        out += struct.pack("<H", len(each.raw)) + each.raw + bytes([each.code, len(each.shape)])
        out += struct.pack(f"<{len(each.shape)}Q", *each.shape)
        offset, size = at if each.offset is None else each.offset, len(each.data) if each.size is None else each.size
        out += struct.pack("<QQ", offset, size)
    return out


def header_bytes(**fields: Any) -> bytes:
    """The 64 bytes of header with the checksum they take; `checksum` replaces it."""
    before = struct.pack(
        "<4sBBHIQIQQ",
        fields.get("magic", b"APR\0"),
        *fields.get("version", (2, 0)),
        fields.get("flags", 0x0400),
        fields["count"],
        fields["metadata_offset"],
        fields["metadata_size"],
        fields["index_offset"],
        fields["data_offset"],
    )
    reserved = bytes(20)
    checksum = fields.get("checksum")
    return before + struct.pack("<I", zlib.crc32(before + reserved) if checksum is None else checksum) + reserved


def file_bytes(
    metadata: Mapping[str, Any] | bytes | str | None = None,
    entries: Sequence[Entry] = (),
    *,
    sort: bool = True,
    footer: bytes | None = None,
    index: bytes | None = None,
    **fields: Any,
) -> bytes:
    """A file; `footer` replaces the checksum of everything before it (b"" for none), `fields` those of the header."""
    if isinstance(metadata, bytes | str):
        text = metadata if isinstance(metadata, bytes) else metadata.encode()
    else:
        text = json.dumps(metadata or {}, ensure_ascii=False, separators=(",", ":")).encode()
    packed = index_bytes(entries, sort=sort) if index is None else index
    index_offset = 64 + len(padded(text))
    places = {
        "count": len(entries),
        "metadata_offset": 64,
        "metadata_size": len(text),
        "index_offset": index_offset,
        "data_offset": index_offset + len(padded(packed)),
        **fields,
    }
    body = header_bytes(**places) + padded(text) + padded(packed) + b"".join(padded(each.data) for each in entries)
    return body + (zlib.crc32(body).to_bytes(4, "little") if footer is None else footer)


def golden_bytes() -> bytes:
    """The model of aprender's golden fixture, as its current writer lays it out (516 bytes)."""
    metadata = {
        "model_type": "linear_regression",
        "name": "golden-v2",
        "license": None,
        "data_source": None,
        "data_license": None,
        "version": "0.0.0-golden",
        "created_at": "1700000000",
        "total_size": 0,
        "param_count": 8,
    }
    weights = np.array([1, 2, 0.5, -0.5, 4, -2, 0.25, 8])
    return file_bytes(metadata, [array_entry("bias", np.array([0.125])), array_entry("weights", weights)])
