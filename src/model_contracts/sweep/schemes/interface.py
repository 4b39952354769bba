"""Owns what a decoder is: from rectangles of stored parts to rectangles of values; and the parts that it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from math import prod
from typing import Any, Protocol

import numpy as np

from model_contracts.artifact import Tensor
from model_contracts.dtypes import DTYPES
from model_contracts.sweep.kernels.decode_tables import Bytewise, float8
from model_contracts.sweep.kernels.totals import Values
from model_contracts.sweep.reads import File, Files, ReadFailed

Value = str | int | float | bool | None
_KINDS = {"BF16": "<u2", "F16": "<f2", "F32": "<f4", "F64": "<f8", "I64": "<i8", "I32": "<i4", "U32": "<u4"}
_KINDS |= {"I16": "<i2", "U16": "<u2", "I8": "i1", "U64": "<u8"}
#: Rows of a part whose wanted columns are a share of at least 1 in so many are read whole.
_DENSE = 4
#: Elements of such rows read at once.
_MOST = 4 * 1024 * 1024


#: What stands for a part where only codes are asked for (the hypothesis "codes").
_BARE = {"scale": "ones", "global": "ones", "inputs": "ones", "offset": "nothing"}


def kind_of(dtype: str) -> str:
    """How numpy calls the stored elements of a type (8-bit floats: bytes, BF16: its 16 bits)."""
    return _KINDS.get(dtype, "u1")


#: A kind of number (INT4, UINT4, E4M3, NF4 …) and how many neighbours share a scale.
Grain = tuple[str, int]
ROW, TENSOR = 0, -1


class PartsRefused(Exception):
    """The parts are not those of a weight of that shape, or a setting is one that nothing here decodes."""


class Decoder(Protocol):
    """Values of one packed weight; the constructor raises PartsRefused for parts that are not such a weight's."""

    #: How finely values are told apart: the kind of number, and how many share a scale (ROW: a row, TENSOR: all).
    grain: Grain
    #: Whether a row of the weight lies across the rows of its parts: many rows are then decoded at once.
    turned: bool

    def __init__(self, parts: Parts) -> None: ...

    def rectangle(self, rows: range, columns: range) -> Values:
        """Values as float32 [rows, columns]; leading axes count as rows. Raises ReadFailed."""
        ...


@dataclass(frozen=True, slots=True)
class Held:
    """What a header says of a part."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def values(self) -> int:
        """How many it holds."""
        return prod(self.shape)


@dataclass(frozen=True)
class Parts:
    """The parts of one weight by what they are to its decoder, its shape and its settings."""

    shape: tuple[int, ...]
    held: Mapping[str, Held]
    settings: Mapping[str, Value]
    tensors: Mapping[str, Tensor] = field(default_factory=dict)
    files: Files | None = None

    @property
    def rows(self) -> int:
        """Rows of the weight, those of all leading axes together."""
        return prod(self.shape[:-1])

    @property
    def lead(self) -> int:
        """How many matrices lie behind each other."""
        return prod(self.shape[:-2])

    @property
    def misread(self) -> Value:
        """Which mistake of a writer or a reader is to be made on purpose (a hypothesis); None: none."""
        return self.settings.get("misread")

    @property
    def shift(self) -> float:
        """What a hypothesis adds to zero points."""
        return {"zero+1": 1.0, "zero-1": -1.0}.get(str(self.misread), 0.0)

    @property
    def signed(self) -> bool:
        """Whether fields are two's complement: as a constant of the layout, or by the name of their type (`int4`)."""
        return self.settings.get("signed") is True or str(self.settings.get("element", "")).startswith("int")

    @property
    def columns(self) -> int:
        """Columns of the weight."""
        return self.shape[-1]

    def whole(self, name: str, default: int | None = None) -> int:
        """A setting that is a whole number. Raises PartsRefused."""
        value = self.settings.get(name)
        value = default if value is None else value
        if not isinstance(value, int) or isinstance(value, bool):
            raise PartsRefused(f"nothing declares its {name}")
        return value

    def matrix(self, role: str, rows: int, columns: int) -> PartMatrix:
        """A part that has to hold rows x columns elements, whatever axes it has. Raises PartsRefused."""
        held = self.held.get(role)
        if held is None:
            raise PartsRefused(f"its {role} is missing")
        if held.values != rows * columns:
            raise PartsRefused(
                f"its {role} is {list(held.shape)}, and a weight of {list(self.shape)} has {rows} x {columns}"
            )
        return PartMatrix(held, rows, columns, self.tensors.get(role), self.files, self._change(role))

    def _change(self, role: str) -> str | None:
        if self.misread == "codes":
            return _BARE.get(role)
        wanted = {"values": "nibbles", "scale": "scale-inverted"}.get(role)
        return wanted if wanted is not None and wanted == self.misread else None

    def bytes(self, role: str, rows: int, columns: int) -> PartMatrix:
        """A part that has to hold rows x columns bytes, whatever its type. Raises PartsRefused."""
        held = self.held.get(role)
        if held is None:
            raise PartsRefused(f"its {role} is missing")
        width = DTYPES[held.dtype].block_bytes
        if held.values * width != rows * columns or DTYPES[held.dtype].block > 1:
            raise PartsRefused(
                f"its {role} is {list(held.shape)} of {held.dtype}, and a weight of {list(self.shape)} has "
                f"{rows} x {columns} bytes"
            )
        held = Held("U8", (rows, columns))
        return PartMatrix(held, rows, columns, self.tensors.get(role), self.files, self._change(role))


@dataclass(frozen=True)
class PartMatrix:
    """A stored tensor as a matrix of its elements, read a rectangle at a time."""

    held: Held
    rows: int
    columns: int
    tensor: Tensor | None
    files: Files | None
    #: What a hypothesis does to it: nibbles exchanged in each byte, each number inverted, ones (nothing) in its place.
    change: str | None = None

    def raw(self, rows: range, columns: range) -> Any:
        """Stored elements [rows, columns] in their own type (8-bit floats as bytes, BF16 as its 16 bits)."""
        stored: Any = self._stored(rows, columns)
        if self.change != "nibbles":
            return stored
        swapped: Any = np.ascontiguousarray(stored).view(np.uint8)
        swapped = (swapped >> 4) | (swapped << 4)
        return swapped.view(stored.dtype)

    def _stored(self, rows: range, columns: range) -> Any:
        assert self.tensor is not None and self.files is not None
        kind = np.dtype(kind_of(self.held.dtype))
        file, width = self.files.get(self.tensor.file), kind.itemsize
        self._check(file, width)
        dense = len(columns) * _DENSE >= self.columns and len(rows) > 1 and len(rows) * self.columns <= _MOST
        if dense or len(columns) == self.columns:
            out = np.empty((len(rows), self.columns), kind)
            if out.size:
                file.read(out, self.tensor.offset + rows[0] * self.columns * width)
            return out[:, columns.start : columns.stop]
        out = np.empty((len(rows), len(columns)), kind)
        for place, row in enumerate(rows if columns else ()):
            file.read(out[place], self.tensor.offset + (row * self.columns + columns[0]) * width)
        return out

    def words(self, rows: range, columns: range) -> Any:
        """Stored 32-bit words without sign."""
        return self.raw(rows, columns).view("<u4")

    def floats(self, rows: range, columns: range, bytes_as: str | None = None) -> Values:
        """Elements as float32; plain bytes are those of the 8-bit float `bytes_as`."""
        if self.change in ("ones", "nothing"):
            return np.full((len(rows), len(columns)), self.change == "ones", np.float32)
        raw = self.raw(rows, columns)
        numbers = floats(raw, bytes_as if self.held.dtype == "U8" and bytes_as is not None else self.held.dtype)
        return numbers if self.change != "scale-inverted" else 1 / numbers

    def everything(self) -> Values:
        """All of a small part, as float32 [rows, columns]."""
        return self.floats(range(self.rows), range(self.columns))

    def _check(self, file: File, width: int) -> None:
        assert self.tensor is not None
        size = self.rows * self.columns * width
        there = min(self.tensor.nbytes, file.size - self.tensor.offset)
        if there < size or self.tensor.offset < 0:
            reason = f"{self.tensor.name} is shorter than its shape says"
            raise ReadFailed(self.tensor.file, self.tensor.offset, size, max(there, 0), reason)


@cache
def _bytewise(dtype: str) -> Bytewise:
    return Bytewise(float8(dtype))


def floats(raw: Any, dtype: str) -> Values:
    """Stored elements as float32."""
    if dtype.startswith("F8"):
        taken: Values = _bytewise(dtype).of(raw)
        return taken
    if dtype == "BF16":
        wide = raw.astype(np.uint32)
        wide <<= 16
        shifted: Values = wide.view(np.float32)
        return shifted
    plain: Values = raw.astype(np.float32)
    return plain


def known(held: Held, *types: str) -> None:
    """Raises PartsRefused for a part of another type."""
    if held.dtype not in types or held.dtype not in DTYPES:
        raise PartsRefused(f"nothing decodes such a part of type {held.dtype}")


def of_runs(run: Callable[[int, int], Values], rows: range, columns: range, width: int) -> Values:
    """Values [rows, columns] of a scheme that counts them through rows of `width`: `run` gives start..stop-1."""
    if len(columns) == width:
        whole: Values = run(rows.start * width, rows.stop * width).reshape(len(rows), -1)
        return whole
    starts = [row * width + columns.start for row in rows]
    values: Values = np.stack([run(start, start + len(columns)) for start in starts])
    return values
