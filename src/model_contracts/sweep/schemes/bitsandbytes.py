"""Owns bitsandbytes' 4-bit weights: a table of sixteen values, one largest magnitude a block, itself packed or not."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from model_contracts.sweep.kernels.decode_tables import Bytewise
from model_contracts.sweep.kernels.totals import Values
from model_contracts.sweep.schemes.interface import Grain, Parts, PartsRefused, known, of_runs


class FourBit:
    """`codebook[nibble] * largest` over the values in order, the high nibble of a byte first."""

    turned = False

    def __init__(self, parts: Parts) -> None:
        self._columns, count = parts.columns, parts.rows * parts.columns
        self._block = parts.whole("blocksize")
        if self._block < 1 or count % 2:
            raise PartsRefused(f"{count} values in blocks of {self._block}")
        self.grain: Grain = (str(parts.settings.get("type", "4-bit")).upper(), self._block)
        blocks = -(-count // self._block)
        self._values = parts.bytes("values", 1, count // 2)
        self._codebook = parts.matrix("codebook", 1, 16)
        self._largest = parts.matrix("scale", 1, blocks)
        self._bare = parts.misread == "codes"
        self._nested = parts.settings.get("nested") is True
        if self._nested:
            known(self._largest.held, "U8")
            self._outer = parts.whole("nested_blocksize", 256)
            if self._outer < 1:
                raise PartsRefused(f"its largest magnitudes are in blocks of {self._outer}")
            offset = parts.settings.get("nested_offset")
            if not isinstance(offset, int | float):
                raise PartsRefused("its state does not say what is added to its largest magnitudes")
            self._offset = np.float32(offset)
            self._outer_largest = parts.matrix("nested", 1, -(-blocks // self._outer))
            self._outer_codebook = parts.matrix("nested_codebook", 1, 256)
        else:
            known(self._largest.held, "F32", "F16", "BF16")

    def rectangle(self, rows: range, columns: range) -> Values:
        """Values as float32 [rows, columns]."""
        return of_runs(self._run, rows, columns, self._columns)

    def _run(self, start: int, stop: int) -> Values:
        raw = self._values.raw(range(1), range(start // 2, -(-stop // 2)))[0]
        values: Values = self._pairs.of(raw)[start % 2 : start % 2 + stop - start]
        first, last = start // self._block, -(-stop // self._block)
        if start % self._block == 0 and stop % self._block == 0:
            blocks = values.reshape(-1, self._block)
            blocks *= self._magnitudes(first, last)[:, None]
        else:
            values *= self._magnitudes(first, last)[np.arange(start, stop) // self._block - first]
        return values

    @cached_property
    def _pairs(self) -> Bytewise:
        """Both values of a byte, the high nibble's first."""
        table = self._codebook.everything()[0]
        return Bytewise(np.stack([np.repeat(table, 16), np.tile(table, 16)], axis=1))

    def _magnitudes(self, first: int, last: int) -> Values:
        if self._bare:
            return np.ones(last - first, np.float32)
        if not self._nested:
            plain: Values = self._largest.floats(range(1), range(first, last))[0]
            return plain
        codes = self._largest.raw(range(1), range(first, last))[0]
        left, right = first // self._outer, -(-last // self._outer)
        outer = self._outer_largest.floats(range(1), range(left, right))[0]
        found = np.take(self._outer_codebook.everything()[0], codes)
        found = found * outer[np.arange(first, last) // self._outer - left]
        summed: Values = found + self._offset
        return summed
