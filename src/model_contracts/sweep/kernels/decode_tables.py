"""Owns the tables that decoding looks values up in: the 8-bit floats and the sixteen levels of IQ4."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Levels of IQ4_NL and IQ4_XS (ggml-common.h, kvalues_iq4nl).
IQ4 = np.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.int8)

#: Name to (exponent bits, bias, what the top codes are). fn: 0x7F and 0xFF are NaN, no infinity (OCP 8-bit floating
#: point); ieee: as IEEE 754; uz: 0x80 is the one NaN, no infinity, no negative zero.
FLOAT8: dict[str, tuple[int, int, str]] = {
    "F8_E4M3": (4, 7, "fn"),
    "F8_E5M2": (5, 15, "ieee"),
    "F8_E8M0": (8, 127, "scale"),
    "F8_E4M3FNUZ": (4, 8, "uz"),
    "F8_E5M2FNUZ": (5, 16, "uz"),
}


@cache
def float8(name: str) -> NDArray[np.float32]:
    """All 256 values of an 8-bit float, float32 [256]."""
    exponent_bits, bias, kind = FLOAT8[name]
    codes = np.arange(256)
    if kind == "scale":
        table = np.ldexp(1.0, codes - bias)
        table[255] = np.nan
        return table.astype(np.float32)
    mantissa_bits = 7 - exponent_bits
    exponent = (codes >> mantissa_bits) & ((1 << exponent_bits) - 1)
    mantissa = (codes & ((1 << mantissa_bits) - 1)) / (1 << mantissa_bits)
    magnitude = np.where(
        exponent == 0, np.ldexp(mantissa, 1 - bias), np.ldexp(1.0 + mantissa, np.maximum(exponent, 1) - bias)
    )
    if kind == "fn":
        magnitude[(codes & 0x7F) == 0x7F] = np.nan
    elif kind == "ieee":
        top = exponent == (1 << exponent_bits) - 1
        magnitude[top] = np.where(mantissa[top] == 0, np.inf, np.nan)
    table = np.where(codes >= 128, -magnitude, magnitude)
    if kind == "uz":
        table[0x80] = np.nan
    return table.astype(np.float32)


class Bytewise:
    """What each of 256 bytes stands for: one float32 or two, looked up two bytes at a time.

    An index is as dear to numpy as what it fetches, so that half as many cost half.
    """

    def __init__(self, table: Any) -> None:
        self._table = np.ascontiguousarray(table, np.float32).reshape(256, -1)
        self._each = self._table.shape[1]
        pairs = np.concatenate([np.tile(self._table, (256, 1)), np.repeat(self._table, 256, axis=0)], axis=1)
        self._pairs = pairs.view(np.uint64 if self._each == 1 else np.complex128).reshape(-1)

    def of(self, raw: Any) -> Any:
        """The values of bytes [..., n] as float32 [..., n times as many as one stands for]."""
        flat = np.ascontiguousarray(raw).reshape(-1)
        even = len(flat) // 2 * 2
        values = np.empty(len(flat) * self._each, np.float32)
        pairs = flat[:even].view("<u2")
        np.take(self._pairs, pairs, out=values[: even * self._each].view(self._pairs.dtype), mode="clip")
        if even < len(flat):
            values[even * self._each :] = self._table[flat[-1]]
        return values.reshape(*raw.shape[:-1], raw.shape[-1] * self._each)
