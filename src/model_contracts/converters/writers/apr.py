"""Owns the head of an .apr file: header with its checksum, JSON metadata, sorted index, places of 64 bytes each."""

from __future__ import annotations

import json
import struct
import zlib

from model_contracts.converters.apr_metadata import metadata
from model_contracts.converters.interface import ConversionRefused, FileLayout, PlannedTensor, TargetModel
from model_contracts.dtypes import APR_CODES

ALIGNMENT = 64
_ROW_MAJOR = 0x0400
_NAME_BOUND = 256
#: The bound that the format declares for its metadata.
_METADATA_BOUND = 16 << 20
CODES = {name: code for code, name in reversed(APR_CODES.items()) if code not in (8, 9)}


def layout(model: TargetModel) -> FileLayout:
    """Lay the tensors out in the order of their names' bytes, each on 64, behind header, metadata and index."""
    text = json.dumps(metadata(model), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    if len(text) > _METADATA_BOUND:
        raise ConversionRefused(f"the metadata take {len(text):,} bytes; .apr has room for {_METADATA_BOUND:,}")
    tensors = sorted(model.tensors, key=lambda tensor: tensor.name.encode())
    places, at = {}, 0
    for tensor in tensors:
        places[tensor.name] = at
        at += _aligned(tensor.nbytes)
    index = b"".join(_entry(tensor, places[tensor.name]) for tensor in tensors)
    index_offset = 64 + _aligned(len(text))
    data_offset = index_offset + _aligned(len(index))
    head = _header(len(tensors), len(text), index_offset, data_offset) + _padded(text) + _padded(index)
    offsets = {name: data_offset + place for name, place in places.items()}
    return FileLayout(head, offsets, data_offset + at + 4, checksum=True)


def _header(count: int, metadata_size: int, index_offset: int, data_offset: int) -> bytes:
    before = struct.pack("<4sBBHIQIQQ", b"APR\0", 2, 0, _ROW_MAJOR, count, 64, metadata_size, index_offset, data_offset)
    reserved = bytes(20)
    return before + struct.pack("<I", zlib.crc32(before + reserved)) + reserved


def _entry(tensor: PlannedTensor, offset: int) -> bytes:
    name = tensor.name.encode()
    if len(name) > _NAME_BOUND:
        raise ConversionRefused(f"{tensor.name}: .apr holds names of at most {_NAME_BOUND} bytes")
    shape = struct.pack(f"<BB{len(tensor.shape)}Q", CODES[tensor.dtype], len(tensor.shape), *tensor.shape)
    return struct.pack("<H", len(name)) + name + shape + struct.pack("<QQ", offset, tensor.nbytes)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % ALIGNMENT)
