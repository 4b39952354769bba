"""Owns weights whose zeros are left out: a bit for each value that is there, and those values row by row."""

from __future__ import annotations

from typing import Any

import numpy as np

from model_contracts.sweep.kernels.totals import Values
from model_contracts.sweep.reads import Undecodable
from model_contracts.sweep.schemes.grid import Grid
from model_contracts.sweep.schemes.interface import ROW, Grain, Parts, PartsRefused, known

_FLOATS = ("BF16", "F16", "F32")


class Sparse:
    """The values whose bits are set, the lowest bit of a byte first; an own scale multiplies them.

    With `offsets` each row begins where they say (compressed-tensors' bitmask); without, each has half of its columns
    (2 of 4).
    """

    turned = False

    def __init__(self, parts: Parts) -> None:
        self._columns, self._bytes = parts.columns, -(-parts.columns // 8)
        if parts.lead != 1:
            raise PartsRefused(f"{len(parts.shape)} axes")
        self._mask = parts.bytes("mask", parts.rows, self._bytes)
        self._offsets = parts.matrix("offsets", 1, parts.rows) if "offsets" in parts.held else None
        held = parts.held["values"]
        if self._offsets is not None:
            known(self._offsets.held, "I64", "I32")
            if held.values > parts.rows * parts.columns:
                raise PartsRefused(f"it holds {held.values:,} values of {parts.rows * parts.columns:,}")
            self._values = parts.matrix("values", 1, held.values)
        else:
            if parts.columns % 4:
                raise PartsRefused(f"rows of {parts.columns} columns are not in fours")
            self._values = parts.matrix("values", 1, parts.rows * parts.columns // 2)
        known(held, *_FLOATS, "F8_E4M3", "I8")
        self._scale = Grid.found(parts, "scale") if "scale" in parts.held else None
        kind = held.dtype.removeprefix("F8_") if held.dtype != "I8" else "INT8"
        self.grain: Grain = (kind, self._scale.share if self._scale is not None else ROW)

    def rectangle(self, rows: range, columns: range) -> Values:
        """Values as float32 [rows, columns]."""
        bits = np.unpackbits(self._mask.raw(rows, range(self._bytes)), axis=1, bitorder="little")
        there = bits[:, : self._columns].view(bool)
        values = np.zeros(there.shape, np.float32)
        values[there] = self._stored(rows, there)
        some: Values = np.ascontiguousarray(values[:, columns.start : columns.stop])
        if self._scale is not None:
            self._scale.apply(np.multiply, some, rows, columns)
        return some

    def _stored(self, rows: range, there: Any) -> Values:
        """What is stored of rows, as their bits say and no further than there are values."""
        counts = there.sum(axis=1, dtype=np.int64)
        if self._offsets is not None:
            starts = self._offsets.raw(range(1), rows)[0].astype(np.int64)
            ends = np.append(starts[1:], starts[-1] + counts[-1])
        else:
            half = self._columns // 2
            starts, ends = np.arange(rows.start, rows.stop) * half, np.arange(rows.start + 1, rows.stop + 1) * half
        if (starts + counts != ends).any() or starts[0] < 0 or ends[-1] > self._values.columns:
            tensor = self._mask.tensor
            assert tensor is not None
            raise Undecodable(tensor.file, tensor.offset, 0, 0, f"{tensor.name} sets other bits than there are values")
        found: Values = self._values.floats(range(1), range(int(starts[0]), int(ends[-1])))[0]
        return found
