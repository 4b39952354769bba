"""Owns AutoAWQ's packed integers (gemm): words of eight 4-bit columns of a turned matrix, in an order of their own."""

from __future__ import annotations

from typing import Any

import numpy as np

from model_contracts.sweep.kernels.totals import Values
from model_contracts.sweep.schemes.codes import stream
from model_contracts.sweep.schemes.interface import ROW, Grain, PartMatrix, Parts, PartsRefused, known

#: In which nibble of a word, from the lowest, each of its eight columns lies.
_NIBBLES = [0, 4, 1, 5, 2, 6, 3, 7]


class Awq:
    """`(field - zero) * scale`, fields and zero points in the same order, groups along the turned matrix's rows."""

    turned = True

    def __init__(self, parts: Parts) -> None:
        height, columns = parts.shape[-2:]
        if parts.whole("bits", 4) != 4 or parts.lead != 1 or height % 8:
            raise PartsRefused(f"{parts.settings.get('bits')} bits in {list(parts.shape)}")
        group = parts.whole("group")
        self._group = group if group > 0 else columns
        self.grain: Grain = ("INT4", self._group if self._group < columns else ROW)
        self._shift = np.float32(parts.shift)
        self._nibbles = list(range(8)) if parts.misread == "order" else _NIBBLES
        self._groups = -(-columns // self._group)
        self._values = parts.matrix("values", columns, height // 8)
        self._zeros = parts.matrix("zero", self._groups, height // 8)
        self._scales = parts.matrix("scale", self._groups, height)
        known(self._values.held, "I32")
        known(self._zeros.held, "I32")

    def rectangle(self, rows: range, columns: range) -> Values:
        """Values as float32 [rows, columns]."""
        values: Values = self._fields(self._values, columns, rows).astype(np.float32)
        first, last = columns.start // self._group, -(-columns.stop // self._group)
        group = np.arange(columns.start, columns.stop) // self._group - first
        values -= self._fields(self._zeros, range(first, last), rows)[group] + self._shift
        values *= self._scales.floats(range(first, last), rows)[group]
        return np.ascontiguousarray(values.T)

    def _fields(self, matrix: PartMatrix, down: range, across: range) -> Any:
        """Fields [rows, columns] of words, the columns of each word in their order."""
        first, last = across.start // 8, -(-across.stop // 8)
        words = np.ascontiguousarray(matrix.words(down, range(first, last)))
        nibbles = stream(words.view(np.uint8), 4, 0, 8 * (last - first)).reshape(len(down), -1, 8)
        skip = across.start - 8 * first
        return nibbles[:, :, self._nibbles].reshape(len(down), -1)[:, skip : skip + len(across)]
