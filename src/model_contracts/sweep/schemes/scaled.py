"""Owns weights of 8-bit elements and their scales: FP8 and int8, one scale a tensor, row, group, block or expert."""

from __future__ import annotations

import numpy as np

from model_contracts.sweep.kernels.totals import Values
from model_contracts.sweep.schemes.grid import Grid
from model_contracts.sweep.schemes.interface import Grain, Parts, PartsRefused, known

_TYPES = ("F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "I8", "U8")


class Scaled:
    """`(element - zero) * scale / divisor * inputs`; a scale of plain bytes is an exponent (E8M0).

    `element` says the type of smaller elements that have a byte each (`int4`), `upright` that each column has a scale.
    """

    turned = False

    def __init__(self, parts: Parts) -> None:
        self._values = parts.matrix("values", parts.rows, parts.columns)
        known(self._values.held, *_TYPES)
        if "order" in parts.held:
            raise PartsRefused("its columns are in an order of their own")
        self._inputs = parts.matrix("inputs", 1, parts.columns) if "inputs" in parts.held else None
        if parts.settings.get("upright") is True:
            self._scale = Grid(parts, "scale", parts.shape[-2], 1)
        else:
            self._scale = Grid.found(parts, "scale", "F8_E8M0")
        self._zero = Grid.found(parts, "zero") if "zero" in parts.held else None
        dtype, free = self._values.held.dtype, self._zero is not None and parts.settings.get("symmetric") is False
        bits = str(parts.settings.get("element") or "int8").rpartition("int")[2]
        kind = f"{'UINT' if free else 'INT'}{bits}"
        kind = dtype.removeprefix("F8_") if dtype not in ("I8", "U8") else kind
        exponents = kind == "E4M3" and self._scale.stored.held.dtype in ("U8", "F8_E8M0")
        self.grain: Grain = ("MXFP8" if exponents and self._scale.share > 0 else kind, self._scale.share)
        divisor = parts.whole("divisor", 1)
        self._factor = np.float32(1 / divisor) if divisor > 1 else None

    def rectangle(self, rows: range, columns: range) -> Values:
        """Values as float32 [rows, columns]."""
        values = self._values.floats(rows, columns)
        if self._zero is not None:
            values = values - self._zero.over(rows, columns)
        self._scale.apply(np.multiply, values, rows, columns)
        if self._factor is not None:
            values *= self._factor
        if self._inputs is not None:
            values *= self._inputs.floats(range(1), columns)
        return values
