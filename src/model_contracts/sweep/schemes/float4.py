"""Owns weights of small floats with a scale for every 16 or 32: MXFP4, MXFP6, MXFP8 of MLX, NVFP4 both ways."""

from __future__ import annotations

import numpy as np

from model_contracts.sweep.kernels.decode_tables import Bytewise
from model_contracts.sweep.kernels.totals import Values
from model_contracts.sweep.schemes.codes import stream
from model_contracts.sweep.schemes.grid import Grid
from model_contracts.sweep.schemes.interface import Grain, Parts, PartsRefused, floats, known

_HALF = [0, 0.5, 1, 1.5, 2, 3, 4, 6]
E2M1 = np.array([*_HALF, *(-value for value in _HALF)], np.float32)
_SIXTH = [code / 8 if code < 8 else (1 + code % 8 / 8) * 2.0 ** (code // 8 - 1) for code in range(32)]
E2M3 = np.array([*_SIXTH, *(-value for value in _SIXTH)], np.float32)
_WIDE = [code / 16 if code < 4 else (1 + code % 4 / 4) * 2.0 ** (code // 4 - 3) for code in range(32)]
E3M2 = np.array([*_WIDE, *(-value for value in _WIDE)], np.float32)
#: Both values of a byte, the low nibble's first.
_PAIRS = Bytewise(np.stack([np.tile(E2M1, 16), np.repeat(E2M1, 16)], axis=1))


class Float4:
    """`element * scale`, where a `global` scale multiplies each scale or (`global_divides`) divides it.

    A scale of plain bytes is of the type `scale_type` (an exponent, E8M0, where nothing says it); a global one counts
    `global_per` times (MLX keeps the largest magnitude, which is 448 times 6 scales).
    """

    turned = False

    def __init__(self, parts: Parts) -> None:
        self._bits, group = parts.whole("bits", 4), parts.whole("group", 32)
        if self._bits not in (4, 6, 8) or parts.columns * self._bits % 8 or group < 1:
            raise PartsRefused(f"rows of {parts.columns} elements of {self._bits} bits are no whole bytes")
        known(parts.held["values"], "U8", "I8", "U32", *(("F8_E4M3",) if self._bits == 8 else ()))
        self._six = E3M2 if parts.settings.get("element") == "fp6_e3m2" else E2M3
        self._values = parts.bytes("values", parts.rows, parts.columns * self._bits // 8)
        bytes_as = str(parts.settings.get("scale_type") or "F8_E8M0")
        swizzled = parts.settings.get("swizzled") is True
        self._scale = _Swizzled(parts, group, bytes_as) if swizzled else Grid(parts, "scale", 1, group, bytes_as)
        small = parts.held["scale"].dtype == "F8_E4M3" or parts.settings.get("scale_type") == "F8_E4M3"
        self.grain: Grain = ("NVFP4" if small and self._bits == 4 else f"MXFP{self._bits}", group)
        self._global = Grid.found(parts, "global") if "global" in parts.held else None
        if "residual" in parts.held:
            raise PartsRefused("two low-rank factors are added to it")
        self._inputs = parts.matrix("inputs", 1, parts.columns) if "inputs" in parts.held else None
        self._share = np.float32(1 / parts.whole("global_per", 1))
        self._divides = (parts.settings.get("global_divides") is True) is not (parts.misread == "global-inverted")

    def rectangle(self, rows: range, columns: range) -> Values:
        """Values as float32 [rows, columns]."""
        values = self._elements(rows, columns)
        if self._global is None:
            self._scale.apply(np.multiply, values, rows, columns)
        else:
            whole = self._global.over(rows, columns)
            scale = self._scale.over(rows, columns)
            values *= scale / whole if self._divides else scale * (whole * self._share)
        if self._inputs is not None:
            values *= self._inputs.floats(range(1), columns)
        return values

    def _elements(self, rows: range, columns: range) -> Values:
        first, last = columns.start * self._bits // 8, -(-columns.stop * self._bits // 8)
        if self._bits == 8:
            return floats(self._values.raw(rows, columns), "F8_E4M3")
        if self._bits == 4:
            raw = self._values.raw(rows, range(first, last))
            pairs: Values = _PAIRS.of(raw)
            skip = columns.start - 2 * first
            return pairs[:, skip : skip + len(columns)]
        first, last = first // 3 * 3, min(-(-last // 3) * 3, self._values.columns)
        raw = self._values.raw(rows, range(first, last))
        codes = stream(raw, 6, columns.start - first * 8 // 6, len(columns))
        values: Values = np.take(self._six, codes)
        return values


class _Swizzled:
    """Scales in tiles of 128 rows and 4 groups, each in the order of a GPU's kernel (torchao `to_blocked`)."""

    def __init__(self, parts: Parts, group: int, bytes_as: str) -> None:
        if parts.lead != 1 or parts.columns % group:
            raise PartsRefused(f"scales of {list(parts.shape)} in tiles")
        self._group, self._bytes_as = group, bytes_as
        self._tiles = -(-parts.columns // group // 4)
        self._stored = parts.matrix("scale", -(-parts.rows // 128), self._tiles * 512)

    def over(self, rows: range, columns: range) -> Values:
        """The scales of a rectangle as float32 [rows, columns]."""
        top = rows.start // 128
        raw = self._stored.floats(range(top, -(-rows.stop // 128)), range(self._stored.columns), self._bytes_as)
        tiles = raw.reshape(len(raw), self._tiles, 32, 4, 4).transpose(0, 3, 2, 1, 4)
        plain = tiles.reshape(128 * len(raw), -1)[rows.start - 128 * top : rows.stop - 128 * top]
        scales: Values = np.take(plain, np.arange(columns.start, columns.stop) // self._group, axis=1)
        return scales

    def apply(self, change: np.ufunc, values: Values, rows: range, columns: range) -> None:
        """Change values [rows, columns] in place by their scales."""
        change(values, self.over(rows, columns), out=values)
