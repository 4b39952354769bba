"""Owns weights of 4- and 6-bit floats with a scale for every 16 or 32: MXFP4, MXFP6, NVFP4 both ways."""

from __future__ import annotations

import numpy as np

from model_contracts.sweep.kernels.totals import Values
from model_contracts.sweep.schemes.codes import stream
from model_contracts.sweep.schemes.grid import Grid
from model_contracts.sweep.schemes.interface import Parts, Refused, known

_HALF = [0, 0.5, 1, 1.5, 2, 3, 4, 6]
E2M1 = np.array([*_HALF, *(-value for value in _HALF)], np.float32)
_SIXTH = [code / 8 if code < 8 else (1 + code % 8 / 8) * 2.0 ** (code // 8 - 1) for code in range(32)]
E2M3 = np.array([*_SIXTH, *(-value for value in _SIXTH)], np.float32)
#: Both values of a byte, the low nibble's first.
_PAIRS = np.stack([np.tile(E2M1, 16), np.repeat(E2M1, 16)], axis=1)


class Float4:
    """`element * scale`, where a `global` scale multiplies each scale or (`global_divides`) divides it.

    A scale of plain bytes is an exponent (E8M0).
    """

    turned = False

    def __init__(self, parts: Parts) -> None:
        self._bits, group = parts.whole("bits", 4), parts.whole("group", 32)
        if self._bits not in (4, 6) or parts.columns * self._bits % 8 or group < 1:
            raise Refused(f"rows of {parts.columns} elements of {self._bits} bits are no whole bytes")
        self._values = parts.matrix("values", parts.rows, parts.columns * self._bits // 8)
        known(self._values.held, "U8", "I8")
        self._scale = Grid(parts, "scale", 1, group, "F8_E8M0")
        self._global = Grid.found(parts, "global") if "global" in parts.held else None
        if "residual" in parts.held:
            raise Refused("two low-rank factors are added to it")
        self._inputs = parts.matrix("inputs", 1, parts.columns) if "inputs" in parts.held else None
        self._divides = parts.settings.get("global_divides") is True

    def rectangle(self, rows: range, columns: range) -> Values:
        """Values as float32 [rows, columns]."""
        values, scale = self._elements(rows, columns), self._scale.over(rows, columns)
        if self._global is not None:
            whole = self._global.over(rows, columns)
            scale = scale / whole if self._divides else scale * whole
        values *= scale
        if self._inputs is not None:
            values *= self._inputs.floats(range(1), columns)
        return values

    def _elements(self, rows: range, columns: range) -> Values:
        first, last = columns.start * self._bits // 8, -(-columns.stop * self._bits // 8)
        if self._bits == 4:
            raw = self._values.raw(rows, range(first, last)).view(np.uint8)
            pairs: Values = np.take(_PAIRS, raw, axis=0).reshape(len(rows), -1)
            skip = columns.start - 2 * first
            return pairs[:, skip : skip + len(columns)]
        first, last = first // 3 * 3, min(-(-last // 3) * 3, self._values.columns)
        raw = self._values.raw(rows, range(first, last)).view(np.uint8)
        codes = stream(raw, 6, columns.start - first * 8 // 6, len(columns))
        values: Values = np.take(E2M3, codes)
        return values
