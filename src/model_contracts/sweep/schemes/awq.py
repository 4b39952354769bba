"""Owns packed integers of AutoAWQ (gemm) and Quark: words of eight 4-bit columns of a turned matrix, in an order."""

from __future__ import annotations

import numpy as np

from model_contracts.sweep.kernels.totals import Values
from model_contracts.sweep.schemes.codes import REORDERED
from model_contracts.sweep.schemes.grid import by_group
from model_contracts.sweep.schemes.interface import ROW, Grain, PartMatrix, Parts, PartsRefused, known


class Awq:
    """`(field - zero) * scale`, fields and zero points in the same order, groups along the turned matrix's rows.

    Quark has `signed` fields and zero points too, symmetric ones without any, and may keep columns in order.
    """

    turned = True

    def __init__(self, parts: Parts) -> None:
        height, columns = parts.shape[-2:]
        if parts.whole("bits", 4) != 4 or parts.lead != 1 or height % 8:
            raise PartsRefused(f"{parts.settings.get('bits')} bits in {list(parts.shape)}")
        group = parts.whole("group")
        self._group = group if group > 0 else columns
        self.grain: Grain = ("INT4", self._group if self._group < columns else ROW)
        self._shift = np.float32(parts.shift)
        plain = list(range(8))
        stored = plain if parts.settings.get("order") == "order" else REORDERED.tolist()
        other = plain if stored != plain else REORDERED.tolist()
        self._nibbles: list[int] = other if parts.misread == "order" else stored
        self._zero_nibbles: list[int] = other if parts.misread in ("order", "zero-order") else stored
        self._signed = parts.signed
        self._groups = -(-columns // self._group)
        self._values = parts.matrix("values", columns, height // 8)
        self._zeros = parts.matrix("zero", self._groups, height // 8) if "zero" in parts.held else None
        self._scales = parts.matrix("scale", self._groups, height)
        known(self._values.held, "I32")
        if self._zeros is not None:
            known(self._zeros.held, "I32")
        elif not self._signed:
            raise PartsRefused("its zero is missing")

    def rectangle(self, rows: range, columns: range) -> Values:
        """Values as float32 [rows, columns]."""
        values = self._fields(self._values, columns, rows, self._nibbles)
        first, last = columns.start // self._group, -(-columns.stop // self._group)
        groups = range(first, last)
        zeros = np.full((len(rows), last - first), self._shift)
        if self._zeros is not None:
            zeros += self._fields(self._zeros, groups, rows, self._zero_nibbles)
        scales = self._scales.floats(groups, rows).T
        even = columns.start % self._group == 0 and len(columns) % self._group == 0
        group = np.arange(columns.start, columns.stop) // self._group - first
        for change, numbers in ((np.subtract, zeros), (np.multiply, scales)):
            if even:
                by_group(change, values, numbers, self._group)
            else:
                change(values, np.take(numbers, group, axis=1), out=values)
        return values

    def _fields(self, matrix: PartMatrix, down: range, across: range, nibbles: list[int]) -> Values:
        """Fields as float32 [columns, rows] of words [rows, columns / 8], each column where its nibble is."""
        first, last = across.start // 8, -(-across.stop // 8)
        words = np.ascontiguousarray(matrix.words(down, range(first, last)).T)
        fields = np.empty((last - first, 8, len(down)), np.float32)
        for column, nibble in enumerate(nibbles):
            fields[:, column] = (words >> np.uint32(4 * nibble)) & np.uint32(15)
        skip = across.start - 8 * first
        values: Values = fields.reshape(-1, len(down))[skip : skip + len(across)]
        if self._signed:
            values -= 16 * (values > 7)
        return values
