"""Owns compressed-tensors' packed integers of 1 to 8 bits: symmetric or not, by groups in an order, rows or tensors."""

from __future__ import annotations

import numpy as np

from model_contracts.sweep.kernels.totals import Values
from model_contracts.sweep.schemes.codes import padded, stream
from model_contracts.sweep.schemes.grid import Grid, group_order
from model_contracts.sweep.schemes.interface import Grain, PartMatrix, Parts, PartsRefused, known


class PackQuantized:
    """`(field - zero) * scale`: fields lie along each row, zero points down each column of groups.

    Until June 2026 fields of 3, 5, 6 and 7 bits were padded to whole ones a word; the width tells which.
    """

    turned = False

    def __init__(self, parts: Parts) -> None:
        self._bits, self._height = parts.whole("bits"), parts.shape[-2]
        if not 1 <= self._bits <= 8:
            raise PartsRefused(f"it has {self._bits} bits a value")
        self._shift = parts.shift
        self._padded = _is_padded(parts.held["values"].shape, parts.columns, self._bits)
        words = self._words(parts.columns)
        self._values = parts.matrix("values", parts.rows, words)
        known(self._values.held, "I32")
        self._scale = Grid.found(parts, "scale")
        self._zero = self._zeros(parts) if parts.settings.get("symmetric") is False else None
        self.grain: Grain = (f"{'INT' if self._zero is None else 'UINT'}{self._bits}", self._scale.share)
        groups = -(-parts.columns // self._scale.wide)
        self.order = group_order(parts, groups) if "order" in parts.held else None

    def rectangle(self, rows: range, columns: range) -> Values:
        """Values as float32 [rows, columns]."""
        order = self.order() if self.order is not None else None
        first = columns.start // 32 * 32
        per = 32 // self._bits
        low, high = (columns.start // per, -(-columns.stop // per)) if self._padded else (
            first * self._bits // 32, min(-(-columns.stop // 32) * self._bits, self._values.columns),
        )  # fmt: skip
        words = self._values.words(rows, range(low, high))
        if self._padded:
            fields = padded(words, self._bits, columns.start - low * per, len(columns))
        else:
            fields = stream(np.ascontiguousarray(words).view(np.uint8), self._bits, columns.start - first, len(columns))
        values: Values = fields.astype(np.float32)
        if self._zero is None:
            values -= np.float32((1 << (self._bits - 1)) + self._shift)
        else:
            self._scale.spread(np.subtract, values, self._zero_of(rows) + np.float32(self._shift), columns, order)
        self._scale.apply(np.multiply, values, rows, columns, order)
        return values

    def _words(self, count: int) -> int:
        return -(-count // (32 // self._bits)) if self._padded else -(-count * self._bits // 32)

    def _zeros(self, parts: Parts) -> PartMatrix:
        if self._scale.tall != 1:
            raise PartsRefused("it is not symmetric, and has no scale for each row")
        groups = -(-parts.columns // self._scale.wide)
        matrix = parts.matrix("zero", parts.lead * self._words(self._height), groups)
        known(matrix.held, "I32")
        return matrix

    def _zero_of(self, rows: range) -> Values:
        """Zero points [rows, groups] as fields."""
        assert self._zero is not None
        deep, found = self._words(self._height), []
        for matrix in range(rows.start // self._height, (rows.stop - 1) // self._height + 1):
            top = matrix * self._height
            inside = range(max(rows.start - top, 0), min(rows.stop - top, self._height))
            words = self._zero.words(range(matrix * deep, (matrix + 1) * deep), range(self._zero.columns)).T
            take = padded if self._padded else stream
            raw = np.ascontiguousarray(words)
            found.append(take(raw if self._padded else raw.view(np.uint8), self._bits, inside.start, len(inside)).T)
        fields = np.concatenate(found) if len(found) > 1 else found[0]
        zeros: Values = fields.astype(np.float32)
        return zeros


def _is_padded(shape: tuple[int, ...], columns: int, bits: int) -> bool:
    dense, wide = -(-columns * bits // 32), -(-columns // (32 // bits))
    if not shape or bits in (1, 2, 4, 8):
        return False
    if dense == wide and dense > 1:
        raise PartsRefused(f"{columns} fields of {bits} bits are packed in as many words in both of its two ways")
    return shape[-1] == wide
