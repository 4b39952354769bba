"""Owns MLX's affine weights: unsigned fields of 2 to 8 bits, a scale and an offset for each group."""

from __future__ import annotations

import numpy as np

from model_contracts.sweep.kernels.totals import Values
from model_contracts.sweep.schemes.codes import stream
from model_contracts.sweep.schemes.grid import Grid
from model_contracts.sweep.schemes.interface import ROW, Grain, Parts, PartsRefused


class Affine:
    """`scale * field + offset`, fields along each row from the lowest bit up."""

    turned = False

    def __init__(self, parts: Parts) -> None:
        self._bits, group = parts.whole("bits"), parts.whole("group")
        if self._bits not in (2, 3, 4, 5, 6, 8) or parts.columns * self._bits % 32 or group < 1:
            raise PartsRefused(f"rows of {parts.columns} values of {self._bits} bits in groups of {group}")
        self._shift = np.float32(parts.shift)
        self._values = parts.bytes("values", parts.rows, parts.columns * self._bits // 8)
        self.grain: Grain = (f"UINT{self._bits}", group if group < parts.columns else ROW)
        self._scale = Grid(parts, "scale", 1, group)
        self._offset = Grid(parts, "offset", 1, group)

    def rectangle(self, rows: range, columns: range) -> Values:
        """Values as float32 [rows, columns]."""
        first = columns.start // 8 * 8
        last = min(-(-columns.stop // 8) * self._bits, self._values.columns)
        raw = self._values.raw(rows, range(first * self._bits // 8, last))
        values: Values = stream(raw, self._bits, columns.start - first, len(columns)).astype(np.float32)
        values -= self._shift
        self._scale.apply(np.multiply, values, rows, columns)
        self._offset.apply(np.add, values, rows, columns)
        return values
