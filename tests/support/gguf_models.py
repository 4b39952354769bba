"""Edits a GGUF model: its key-values and its tensors by name, written back as a well-formed file."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from model_contracts.dtypes import DTYPES, GGML_CODES
from support.gguf_files import ARRAY, BOOL, CODES, F32, I32, STRING, U32, Info, array, file_bytes, info
from support.mutations import Stored

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q", 12: "d"}


@dataclass
class Key:
    """One value with the type number it is written under; `of` is the type of an array's elements."""

    code: int
    value: Any
    of: int | None = None


@dataclass
class GgufModel:
    """The key-values and tensors of one file, in order."""

    keys: dict[str, Key] = field(default_factory=dict)
    tensors: dict[str, Stored] = field(default_factory=dict)

    def __getitem__(self, key: str) -> Any:
        """The value of a key (lists are the ones that are written back)."""
        return self.keys[key].value

    def __setitem__(self, key: str, value: Any) -> None:
        """Replace a value under its own type; a new key takes the type that llama.cpp's converter would give it."""
        if key in self.keys:
            self.keys[key].value = value
        else:
            self.keys[key] = _typed(value)

    def __delitem__(self, key: str) -> None:
        """Take a key away."""
        del self.keys[key]

    def rename(self, old: str, new: str) -> None:
        """Give a tensor another name and leave it where it stands."""
        self.tensors = {new if name == old else name: tensor for name, tensor in self.tensors.items()}

    def pairs(self) -> list[tuple[str, int, Any]]:
        """The key-values as `gguf_files` takes them."""
        return [
            (name, key.code, key.value if key.of is None else array(key.of, key.value))
            for name, key in self.keys.items()
        ]

    def infos(self) -> list[Info]:
        """The tensors as `gguf_files` takes them."""
        return [
            info(name, tensor.shape[::-1], CODES[tensor.dtype], data=tensor.data)
            for name, tensor in self.tensors.items()
        ]

    def write(self, path: Path, **changes: Any) -> Path:
        """Write the model; `changes` as of `gguf_files.file_bytes`."""
        path.write_bytes(file_bytes(self.pairs(), self.infos(), **changes))
        return path


@contextmanager
def gguf_of(path: Path, **changes: Any) -> Iterator[GgufModel]:
    """A model, written back as it is left."""
    model = read_gguf_model(path)
    yield model
    model.write(path, **changes)


def read_gguf_model(path: Path) -> GgufModel:
    """The model of a well-formed little-endian file."""
    reader = _Reader(path.read_bytes())
    _, _, n_tensors, n_pairs = reader.take("4sIQQ")
    model = GgufModel()
    for _ in range(n_pairs):
        key = reader.text()
        model.keys[key] = reader.key()
    entries = []
    for _ in range(n_tensors):
        name, (axes,) = reader.text(), reader.take("I")
        shape, (code, offset) = reader.take(f"{axes}Q")[::-1], reader.take("IQ")
        entries.append((name, GGML_CODES[code], shape, offset))
    start = -(-reader.at // 32) * 32
    for name, dtype, shape, offset in entries:
        size = DTYPES[dtype].nbytes(prod(shape))
        model.tensors[name] = Stored(dtype, shape, reader.data[start + offset : start + offset + size])
    return model


@dataclass
class _Reader:
    data: bytes
    at: int = 0

    def take(self, letters: str) -> tuple[Any, ...]:
        found = struct.unpack_from("<" + letters, self.data, self.at)
        self.at += struct.calcsize("<" + letters)
        return found

    def text(self) -> str:
        (length,) = self.take("Q")
        self.at += length
        return self.data[self.at - length : self.at].decode()

    def key(self) -> Key:
        (code,) = self.take("I")
        if code != ARRAY:
            return Key(code, self._value(code))
        of, count = self.take("IQ")
        return Key(code, [self._value(of) for _ in range(count)], of)

    def _value(self, code: int) -> Any:
        if code == STRING:
            return self.text()
        (value,) = self.take(_SCALARS[code])
        return bool(value) if code == BOOL else value


def _typed(value: Any) -> Key:
    if isinstance(value, list):
        kinds = ((str, STRING), (float, F32), (int, I32))
        return Key(ARRAY, value, next((code for kind, code in kinds if value and isinstance(value[0], kind)), I32))
    for kind, code in ((bool, BOOL), (int, U32), (float, F32), (str, STRING)):
        if isinstance(value, kind):
            return Key(code, value)
    raise TypeError(f"no GGUF type is chosen for {type(value).__name__}")
