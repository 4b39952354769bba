"""Writes safetensors files for tests: well-formed ones from arrays, and any other from raw entries."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from model_contracts.dtypes import DTYPES

_WORDS = {
    "float64": "F64", "float32": "F32", "float16": "F16", "int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8",
    "uint64": "U64", "uint32": "U32", "uint16": "U16", "uint8": "U8", "bool": "BOOL", "complex64": "C64",
}  # fmt: skip


class Members(list[tuple[str, Any]]):
    """A JSON object as a list of pairs, so that a key can stand in it twice."""


def bf16(values: np.ndarray) -> np.ndarray:
    """Float32 values as the bits of BF16, rounded to nearest even; write them with dtype "BF16"."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def entry(dtype: str, shape: Sequence[int], begin: int, end: int | None = None) -> dict[str, Any]:
    """One header entry; `end` is computed from the shape where it is not given."""
    if end is None:
        end = begin + DTYPES[dtype].nbytes(int(np.prod(shape, dtype=object)))
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


def dumps(value: Any) -> str:
    """JSON text in which a Members keeps its equal keys."""
    if isinstance(value, Members):
        return "{" + ",".join(f"{json.dumps(key)}:{dumps(item)}" for key, item in value) + "}"
    if isinstance(value, dict):
        return dumps(Members(value.items()))
    return json.dumps(value, ensure_ascii=False)


def raw_file(header: Any, data: bytes = b"", *, length: int | None = None, pad: bool = True) -> bytes:
    """The bytes of a file from its header (bytes, text, or a value that becomes JSON) and its data.

    `length` replaces the true header length; `pad` fills the header with spaces to a multiple of 8.
    """
    text = header if isinstance(header, bytes) else (header if isinstance(header, str) else dumps(header)).encode()
    if pad and not isinstance(header, bytes):
        text += b" " * (-len(text) % 8)
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def file_of(
    arrays: Mapping[str, np.ndarray],
    *,
    dtypes: Mapping[str, str] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """The bytes of a well-formed file. `dtypes` names the type where numpy has no word for it (BF16 as uint16 bits)."""
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": dict(metadata)}
    pieces: list[bytes] = []
    at = 0
    for name, array in arrays.items():
        data = np.ascontiguousarray(array).tobytes()
        dtype = (dtypes or {}).get(name) or _WORDS[array.dtype.name]
        header[name] = entry(dtype, array.shape, at, at + len(data))
        pieces.append(data)
        at += len(data)
    return raw_file(header, b"".join(pieces))


def write_file(path: Path, arrays: Mapping[str, np.ndarray], **options: Any) -> Path:
    """Write a well-formed file and say where it is; options as of `file_of`."""
    path.write_bytes(file_of(arrays, **options))
    return path


def write_set(folder: Path, shards: Mapping[str, Mapping[str, np.ndarray]], **changes: Any) -> Path:
    """Write a sharded set with its index, and say where the index is. `changes` replace members of the index."""
    weight_map = {tensor: name for name, arrays in shards.items() for tensor in arrays}
    total = sum(array.nbytes for arrays in shards.values() for array in arrays.values())
    for name, arrays in shards.items():
        write_file(folder / name, arrays)
    index = {"metadata": {"total_size": total}, "weight_map": weight_map, **changes}
    path = folder / "model.safetensors.index.json"
    path.write_text(dumps(index), "utf-8")
    return path
