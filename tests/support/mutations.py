"""Edits a file and leaves the rest of it as it was: one tensor, one key, one byte. Each edit is a `with` block."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from support.safetensors_files import Members, bf16, raw_file

Floats = np.ndarray[Any, np.dtype[np.float32]]
_PLAIN = {"F64": np.float64, "F32": np.float32, "F16": np.float16}


@dataclass(frozen=True)
class Stored:
    """One tensor as it is stored: its type, its shape (row-major) and its bytes."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes

    @property
    def values(self) -> Floats:
        """The values in float32, in the tensor's shape."""
        if self.dtype == "BF16":
            return (np.frombuffer(self.data, np.uint16).astype(np.uint32) << 16).view(np.float32).reshape(self.shape)
        if self.dtype in _PLAIN:
            return np.frombuffer(self.data, _PLAIN[self.dtype]).astype(np.float32).reshape(self.shape)
        from gguf.constants import GGMLQuantizationType
        from gguf.quants import dequantize

        return dequantize(np.frombuffer(self.data, np.uint8), GGMLQuantizationType[self.dtype]).reshape(self.shape)

    @property
    def rows(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """The bytes of each row (a copy): axes before the last, multiplied, by the bytes of one row."""
        return np.frombuffer(self.data, np.uint8).reshape(max(1, prod(self.shape[:-1])), -1).copy()

    def of_rows(self, rows: np.ndarray[Any, np.dtype[np.uint8]]) -> Stored:
        """The tensor with other bytes."""
        return replace(self, data=rows.tobytes())

    def map(self, change: Callable[[Floats], Any]) -> Stored:
        """The tensor with its values changed and stored in its own type again (a copy may be changed in place)."""
        values = self.values.copy()
        changed = change(values)
        return stored(values if changed is None else np.asarray(changed, np.float32), self.dtype)

    def cast(self, dtype: str) -> Stored:
        """The values in another type."""
        return stored(self.values, dtype)


def stored(values: Any, dtype: str) -> Stored:
    """Values in a type that gguf-py can write: F64, F32, F16, BF16, Q8_0, Q4_0 and its kin."""
    array = np.ascontiguousarray(values, np.float32)
    if dtype == "BF16":
        return Stored(dtype, array.shape, bf16(array).tobytes())
    if dtype in _PLAIN:
        with np.errstate(over="ignore"):
            return Stored(dtype, array.shape, array.astype(_PLAIN[dtype]).tobytes())
    from gguf.constants import GGMLQuantizationType
    from gguf.quants import quantize

    return Stored(dtype, array.shape, quantize(array, GGMLQuantizationType[dtype]).tobytes())


def copied(source: Path, folder: Path, name: str | None = None) -> Path:
    """A file or a whole folder, copied into `folder` so that it may be broken."""
    target = folder / (name or source.name)
    if source.is_dir():
        shutil.copytree(source, target, copy_function=shutil.copyfile)
    else:
        shutil.copyfile(source, target)
    return target


@contextmanager
def bytes_of(path: Path) -> Iterator[bytearray]:
    """The bytes of a file, written back as they are left."""
    data = bytearray(path.read_bytes())
    yield data
    path.write_bytes(data)


@contextmanager
def json_of(path: Path) -> Iterator[dict[str, Any]]:
    """A JSON object, written back as it is left."""
    value = json.loads(path.read_text("utf-8"))
    yield value
    path.write_text(json.dumps(value, ensure_ascii=False), "utf-8")


@contextmanager
def header_of(path: Path) -> Iterator[Members]:
    """The members of a safetensors header in order; the data behind it stays as it is, whatever the header says."""
    data = path.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    members = Members(json.loads(data[8:end]).items())
    yield members
    path.write_bytes(raw_file(members, data[end:]))


@contextmanager
def safetensors_of(path: Path) -> Iterator[dict[str, Stored]]:
    """The tensors of a safetensors file by name, laid out again without holes as they are left."""
    tensors, metadata = read_safetensors_model(path)
    yield tensors
    write_safetensors(path, tensors, metadata)


def read_safetensors_model(path: Path) -> tuple[dict[str, Stored], dict[str, str] | None]:
    """The tensors of a well-formed file by name, and its `__metadata__`."""
    data = path.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    metadata = header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, stop = entry["data_offsets"]
        tensors[name] = Stored(entry["dtype"], tuple(entry["shape"]), data[end + begin : end + stop])
    return tensors, metadata


def write_safetensors(path: Path, tensors: dict[str, Stored], metadata: dict[str, str] | None = None) -> None:
    """Write tensors one after another."""
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": metadata}
    at = 0
    for name, tensor in tensors.items():
        header[name] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [at, at + len(tensor.data)],
        }
        at += len(tensor.data)
    path.write_bytes(raw_file(header, b"".join(tensor.data for tensor in tensors.values())))
