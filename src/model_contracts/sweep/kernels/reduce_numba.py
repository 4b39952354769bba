"""Owns moments in numba: whole rows, or a part of one, to totals of one side. Imported with the engine only.

Sums run in one loop and extremes of the integer bits in another, each from 0 over a slice: anything else does not
vectorise. NaN and infinity are found on the bits first, so that sums may be reordered.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from model_contracts.sweep.kernels.bits_numba import compiled, float_of, reordered
from model_contracts.sweep.kernels.totals import (
    BAD,
    CONSTANT,
    DEAD,
    FEW,
    FLAG_BAD,
    FLAG_CONSTANT,
    FLAG_DEAD,
    INFINITE,
    LARGE,
    MAXIMUM,
    MINIMUM,
    NAN,
    SMALL,
    SQUARES,
    TILE,
    TOTAL,
    ZEROS,
)


@compiled
def extremes(unsigned: Any, signed: Any) -> Any:
    """Largest and smallest of the bits read as unsigned and as signed integers."""
    top = bottom = unsigned[0]
    high = low = signed[0]
    for k in range(unsigned.size):
        top = max(top, unsigned[k])
        bottom = min(bottom, unsigned[k])
        high = max(high, signed[k])
        low = min(low, signed[k])
    return top, bottom, high, low


@reordered
def _tile_sums(values: Any) -> Any:
    s = q = np.float32(0)
    for k in range(values.size):
        s += values[k]
        q += values[k] * values[k]
    return s, q


@compiled
def _sums(values: Any) -> Any:
    """Sum and sum of squares, float32 within tiles."""
    total = squares = 0.0
    for first in range(0, values.size, TILE):
        s, q = _tile_sums(values[first : first + TILE])
        total += s
        squares += q
    return total, squares


@compiled
def wide_sums(values: Any) -> Any:
    """The same in float64, over finite values."""
    total = squares = 0.0
    for k in range(values.size):
        value = np.float64(values[k])
        if np.isfinite(value):
            total += value
            squares += value * value
    return total, squares


@compiled
def count_nonfinite(values: Any, totals: Any) -> Any:
    """Count NaN, infinities and zeros value by value; minimum and maximum of the rest."""
    for k in range(values.size):
        value = values[k]
        if np.isnan(value):
            totals[NAN] += 1
        elif np.isinf(value):
            totals[INFINITE] += 1
        else:
            totals[ZEROS] += value == 0
            totals[MINIMUM] = min(totals[MINIMUM], value)
            totals[MAXIMUM] = max(totals[MAXIMUM], value)


@compiled
def add_row(values: Any, unsigned: Any, signed: Any, few: Any, totals: Any) -> Any:
    """Add one row to totals. Returns its flag and whether float32 holds its squares."""
    sign = np.uint32(0x80000000)
    top, bottom, high, low = extremes(unsigned, signed)
    if high >= np.int32(0x7F800000) or top >= sign + np.uint32(0x7F800000):
        count_nonfinite(values, totals)
        total, squares = wide_sums(values)
        totals[TOTAL] += total
        totals[SQUARES] += squares
        totals[BAD] += 1
        return FLAG_BAD, True
    maximum = np.float64(float_of(np.uint32(high) if high >= 0 else bottom))
    minimum = np.float64(float_of(top if top >= sign else bottom))
    totals[MINIMUM] = min(totals[MINIMUM], minimum)
    totals[MAXIMUM] = max(totals[MAXIMUM], maximum)
    largest = max(-minimum, maximum)
    wide = few or not (largest == 0 or SMALL <= largest <= LARGE)
    if wide:
        total, squares = wide_sums(values)
    else:
        total, squares = _sums(values)
    totals[TOTAL] += total
    totals[SQUARES] += squares
    if bottom == 0 or low == np.int32(-0x80000000):
        zeros = 0
        for k in range(values.size):
            zeros += values[k] == 0
        totals[ZEROS] += zeros
    if minimum != maximum:
        return 0, wide
    if minimum == 0:
        totals[DEAD] += 1
        return FLAG_DEAD, wide
    totals[CONSTANT] += 1
    return FLAG_CONSTANT, wide


@compiled
def moments(values: Any, unsigned: Any, signed: Any, rows: Any, columns: Any, totals: Any, flags: Any) -> Any:
    """Add a piece of float32 values, flat, given as values and as both kinds of integers; returns flagged rows."""
    flagged = 0
    for row in range(rows):
        start, stop = row * columns, (row + 1) * columns
        flag, _ = add_row(values[start:stop], unsigned[start:stop], signed[start:stop], values.size <= FEW, totals)
        flags[row] = flag
        flagged += flag != 0
    return flagged
