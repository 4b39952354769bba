"""Owns moments of BF16 and F16 taken from their stored bits in numba, without decoded values in between."""

from __future__ import annotations

from typing import Any

import numpy as np

from model_contracts.sweep.kernels.bits_numba import compiled, float_of, half_value, reordered
from model_contracts.sweep.kernels.reduce_numba import count_nonfinite, extremes, wide_sums
from model_contracts.sweep.kernels.totals import (
    BAD,
    CONSTANT,
    DEAD,
    FEW,
    FLAG_BAD,
    FLAG_CONSTANT,
    FLAG_DEAD,
    LARGE,
    MAXIMUM,
    MINIMUM,
    SMALL,
    SQUARES,
    TILE,
    TOTAL,
    ZEROS,
)


@compiled
def _value(bits: Any, bf16: Any) -> Any:
    return float_of(np.uint32(bits) << np.uint32(16)) if bf16 else half_value(bits)


@reordered
def _tile_bf16(bits: Any) -> Any:
    s = q = np.float32(0)
    for k in range(bits.size):
        value = float_of(np.uint32(bits[k]) << np.uint32(16))
        s += value
        q += value * value
    return s, q


@reordered
def _tile_f16(bits: Any) -> Any:
    s = q = np.float32(0)
    for k in range(bits.size):
        value = half_value(bits[k])
        s += value
        q += value * value
    return s, q


@compiled
def _careful(bits: Any, bf16: Any, nonfinite: Any, room: Any, totals: Any) -> Any:
    """A row that float32 does not hold, or that holds a NaN or an infinity: decoded tile by tile."""
    for first in range(0, bits.size, TILE):
        tile = bits[first : first + TILE]
        values = room[: tile.size]
        for k in range(tile.size):
            values[k] = _value(tile[k], bf16)
        if nonfinite:
            count_nonfinite(values, totals)
        total, squares = wide_sums(values)
        totals[TOTAL] += total
        totals[SQUARES] += squares


@compiled
def _row(bits: Any, signed: Any, bf16: Any, few: Any, room: Any, totals: Any) -> Any:
    infinity = np.int16(0x7F80) if bf16 else np.int16(0x7C00)
    top, bottom, high, low = extremes(bits, signed)
    if high >= infinity or top >= np.uint16(infinity) + np.uint16(0x8000):
        _careful(bits, bf16, True, room, totals)
        totals[BAD] += 1
        return FLAG_BAD
    maximum = np.float64(_value(np.uint16(high) if high >= 0 else bottom, bf16))
    minimum = np.float64(_value(top if top >= np.uint16(0x8000) else bottom, bf16))
    totals[MINIMUM] = min(totals[MINIMUM], minimum)
    totals[MAXIMUM] = max(totals[MAXIMUM], maximum)
    largest = max(-minimum, maximum)
    if largest == 0 or (not few and SMALL <= largest <= LARGE):
        for first in range(0, bits.size, TILE):
            tile = bits[first : first + TILE]
            s, q = _tile_bf16(tile) if bf16 else _tile_f16(tile)
            totals[TOTAL] += s
            totals[SQUARES] += q
    else:
        _careful(bits, bf16, False, room, totals)
    if bottom == 0 or low == np.int16(-0x8000):
        zeros = np.int32(0)
        for k in range(bits.size):
            zeros = np.int32(zeros + ((bits[k] & np.uint16(0x7FFF)) == 0))
        totals[ZEROS] += zeros
    if minimum != maximum:
        return 0
    if minimum == 0:
        totals[DEAD] += 1
        return FLAG_DEAD
    totals[CONSTANT] += 1
    return FLAG_CONSTANT


@compiled
def moments_half(bits: Any, signed: Any, rows: Any, columns: Any, bf16: Any, totals: Any, flags: Any, room: Any) -> Any:
    """Add a piece, flat uint16 and the same as int16; `room` holds TILE float32 values. Returns flagged rows."""
    flagged = 0
    for row in range(rows):
        start, stop = row * columns, (row + 1) * columns
        flag = _row(bits[start:stop], signed[start:stop], bf16, bits.size <= FEW, room, totals)
        flags[row] = flag
        flagged += flag != 0
    return flagged
