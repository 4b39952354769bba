"""Owns HQQ's weights: the matrix regrouped before it is packed, in slices of its rows, the first in the top bits."""

from __future__ import annotations

import numpy as np

from model_contracts.sweep.kernels.totals import Values
from model_contracts.sweep.schemes.interface import Grain, Parts, PartsRefused, known, of_runs


class Hqq:
    """`(field - zero) * scale` of a matrix with a group in each row (axis 1) or in each column (axis 0)."""

    turned = False

    def __init__(self, parts: Parts) -> None:
        self._bits, group, self._axis = parts.whole("bits"), parts.whole("group"), parts.whole("axis")
        count, self._columns = parts.rows * parts.columns, parts.columns
        if self._bits not in (1, 2, 3, 4, 8) or group < 1 or count % group or self._axis not in (0, 1):
            raise PartsRefused(f"{count} values of {self._bits} bits in groups of {group} along axis {self._axis}")
        if parts.settings.get("float") is True:
            raise PartsRefused("its fields are kept as floats")
        height, self._width = (count // group, group) if self._axis else (group, count // group)
        # Three bits: ten fields a word of 32, whose two highest bits are not used.
        fields, self._top = (10, 30) if self._bits == 3 else (8 // self._bits, 8)
        self._slice = -(-height // fields)
        if self._bits != 3 and height % fields:
            raise PartsRefused(f"{height} rows are no whole number of {fields} slices")
        self.grain: Grain = (f"UINT{self._bits}", group)
        self._values = parts.matrix("values", self._slice, self._width)
        known(self._values.held, "I32" if self._bits == 3 else "U8")
        sizes = (height, 1) if self._axis else (1, self._width)
        self._scale, self._zero = (parts.matrix(role, *sizes) for role in ("scale", "zero"))
        for part in (self._scale, self._zero):
            known(part.held, "F16", "BF16", "F32")
        self._shift = np.float32(parts.shift)

    def rectangle(self, rows: range, columns: range) -> Values:
        """Values as float32 [rows, columns]."""
        return of_runs(self._run, rows, columns, self._columns)

    def _run(self, start: int, stop: int) -> Values:
        """Values start..stop-1: whole rows of the regrouped matrix, or a part of one."""
        first, last = start // self._width, (stop - 1) // self._width
        one = first == last
        across = range(start - first * self._width, stop - first * self._width) if one else range(self._width)
        found, row = [], first
        while row <= last:
            place, inside = divmod(row, self._slice)
            count = min(last - row + 1, self._slice - inside)
            found.append(self._fields(place, range(inside, inside + count), range(row, row + count), across))
            row += count
        values: Values = np.concatenate(found).reshape(-1)
        return values if one else values[start - first * self._width : stop - first * self._width]

    def _fields(self, place: int, stored: range, rows: range, across: range) -> Values:
        raw = self._values.raw(stored, across)
        shift = self._top - self._bits * (place + 1)
        values: Values = ((raw >> shift) & ((1 << self._bits) - 1)).astype(np.float32)
        down, along = (rows, range(1)) if self._axis else (range(1), across)
        values -= self._zero.floats(down, along) + self._shift
        values *= self._scale.floats(down, along)
        return values
