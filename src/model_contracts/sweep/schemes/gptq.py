"""Owns GPTQ's packed integers: words down the rows of a turned matrix, zero points along its columns, groups named."""

from __future__ import annotations

from typing import Any

import numpy as np

from model_contracts.sweep.kernels.totals import Values
from model_contracts.sweep.schemes.codes import stream
from model_contracts.sweep.schemes.grid import by_group, group_order
from model_contracts.sweep.schemes.interface import ROW, Grain, Parts, PartsRefused, known

#: What is added to a stored zero point, by format: the first one stores it less one.
_ADDED = {"gptq": 1, "gptq_v2": 0, "auto_round:auto_gptq": 1, "auto_round:gptq_v2": 0}


class Gptq:
    """`(field - zero) * scale`, group of a column as `g_idx` names it; the zero point is taken within its bits."""

    turned = True

    def __init__(self, parts: Parts) -> None:
        self._bits, group = parts.whole("bits"), parts.whole("group")
        height, columns = parts.shape[-2:]
        if self._bits not in (2, 3, 4, 8) or parts.lead != 1:
            raise PartsRefused(f"{self._bits} bits in {len(parts.shape)} axes")
        if columns % 32 or height * self._bits % 32:
            raise PartsRefused(f"{height} x {columns} values of {self._bits} bits are no whole words")
        method, form = parts.settings.get("method"), parts.settings.get("format")
        if form not in _ADDED or (form == "gptq" and method in ("auto-round", "intel/auto-round")):
            raise PartsRefused(f"which zero points the format {form} stores is not known")
        self._added, self._shift = _ADDED[str(form)], np.float32(parts.shift)
        self._columns = columns
        self._group = group if group > 0 else columns
        self.grain: Grain = (f"INT{self._bits}", self._group if self._group < columns else ROW)
        self._groups = -(-columns // self._group)
        self._values = parts.matrix("values", columns * self._bits // 32, height)
        self._zeros = parts.matrix("zero", self._groups, height * self._bits // 32)
        self._scales = parts.matrix("scale", self._groups, height)
        known(self._values.held, "I32")
        known(self._zeros.held, "I32")
        self.order = group_order(parts, self._groups) if "order" in parts.held and parts.misread != "order" else None

    def rectangle(self, rows: range, columns: range) -> Values:
        """Values as float32 [rows, columns]."""
        low = columns.start // 32 * self._bits
        high = min(-(-columns.stop // 32) * self._bits, self._values.rows)
        words = np.ascontiguousarray(self._values.words(range(low, high), rows).T)
        skip = columns.start - columns.start // 32 * 32
        values: Values = stream(words.view(np.uint8), self._bits, skip, len(columns)).astype(np.float32)
        zeros, scales = self._zero_of(rows) + self._shift, self._scales.floats(range(self._groups), rows).T
        for change, numbers in ((np.subtract, zeros), (np.multiply, scales)):
            if self.order is None and len(columns) == self._columns and self._columns % self._group == 0:
                by_group(change, values, numbers, self._group)
            else:
                change(values, np.take(numbers, self._group_of(columns), axis=1), out=values)
        return values

    def _group_of(self, columns: range) -> Any:
        if self.order is not None:
            return self.order()[columns.start : columns.stop]
        return np.arange(columns.start, columns.stop) // self._group

    def _zero_of(self, rows: range) -> Values:
        """Zero points as float32 [rows, groups]."""
        low = rows.start // 32 * self._bits
        high = min(-(-rows.stop // 32) * self._bits, self._zeros.columns)
        words = np.ascontiguousarray(self._zeros.words(range(self._groups), range(low, high)))
        fields = stream(words.view(np.uint8), self._bits, rows.start - rows.start // 32 * 32, len(rows))
        zeros: Values = ((fields + np.uint8(self._added)) & np.uint8((1 << self._bits) - 1)).astype(np.float32).T
        return zeros
