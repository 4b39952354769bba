"""Owns reducing in numba: whole rows, or a part of one, to totals. Only `engine_numba` imports it.

Sums run in one loop and extremes of the integer bits in another, each from 0 over a slice: anything else does not
vectorise. NaN and infinity are found on the bits first, so that sums may be reordered.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from model_contracts.kernels.bits_numba import compiled, float_of, pattern, reordered
from model_contracts.kernels.totals import (
    BAD,
    CONSTANT,
    CROSS,
    DEAD,
    DIFFERING,
    ERROR,
    ERROR_ROW,
    FEW,
    FLAG_BAD,
    FLAG_CONSTANT,
    FLAG_DEAD,
    INFINITE,
    LARGE,
    MAX_ERROR,
    MAXIMUM,
    MINIMUM,
    NAN,
    PAIRED,
    SMALL,
    SOURCE1,
    SOURCE2,
    SQUARES,
    TARGET1,
    TARGET2,
    TILE,
    TOTAL,
    UNPAIRED,
    WORST,
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
def _row(values: Any, unsigned: Any, signed: Any, few: Any, totals: Any) -> Any:
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
        flag, _ = _row(values[start:stop], unsigned[start:stop], signed[start:stop], values.size <= FEW, totals)
        flags[row] = flag
        flagged += flag != 0
    return flagged


@reordered
def _tile_products(target: Any, source: Any) -> Any:
    e = t2 = s2 = c = np.float32(0)
    for k in range(target.size):
        t, s = target[k], source[k]
        d = t - s
        e += d * d
        t2 += t * t
        s2 += s * s
        c += t * s
    return e, t2, s2, c


@compiled
def _products(target: Any, source: Any) -> Any:
    """Sums of error squared, target squared, source squared and cross products: float32 within tiles."""
    error = target2 = source2 = cross = 0.0
    for first in range(0, target.size, TILE):
        e, t2, s2, c = _tile_products(target[first : first + TILE], source[first : first + TILE])
        error += e
        target2 += t2
        source2 += s2
        cross += c
    return error, target2, source2, cross


@compiled
def _wide_products(target: Any, source: Any) -> Any:
    """The same in float64 over finite pairs, with both sums and the number of pairs left out."""
    error = target2 = source2 = cross = target1 = source1 = 0.0
    unpaired = 0
    for k in range(target.size):
        t, s = np.float64(target[k]), np.float64(source[k])
        if np.isfinite(t) and np.isfinite(s):
            d = t - s
            error += d * d
            target2 += t * t
            source2 += s * s
            cross += t * s
            target1 += t
            source1 += s
        else:
            unpaired += 1
    return error, target2, source2, cross, target1, source1, unpaired


@compiled
def _largest_error(target: Any, source: Any) -> Any:
    """Largest error and how many values differ; finite pairs only."""
    largest = np.int32(0)
    differing = np.int32(0)
    for k in range(target.size):
        bits = np.int32(pattern(target[k] - source[k]) & np.int32(0x7FFFFFFF))
        largest = max(largest, bits)
        differing = np.int32(differing + (bits != 0))
    return float_of(np.uint32(largest)), differing


@compiled
def _wide_error(target: Any, source: Any) -> Any:
    """The same in float64, leaving out pairs that are not finite."""
    largest, differing = 0.0, 0
    for k in range(target.size):
        t, s = np.float64(target[k]), np.float64(source[k])
        if np.isfinite(t) and np.isfinite(s) and t != s:
            differing += 1
            largest = max(largest, abs(t - s))
    return largest, differing


@compiled
def _cosine(differing: Any, cross: Any, target2: Any, source2: Any) -> Any:
    if target2 == 0 and source2 == 0:
        return np.inf
    if target2 == 0 or source2 == 0:
        return 0.0
    if differing == 0:
        return 1.0
    return min(cross / (np.sqrt(target2) * np.sqrt(source2)), 1.0)


@compiled
def _add(
    into: Any, paired: Any, unpaired: Any, differing: Any, error: Any, target2: Any, source2: Any, cross: Any
) -> Any:
    into[PAIRED] += paired
    into[UNPAIRED] += unpaired
    into[DIFFERING] += differing
    into[ERROR] += error
    into[TARGET2] += target2
    into[SOURCE2] += source2
    into[CROSS] += cross


@compiled
def pair(
    target: Any, source: Any, ints: Any, rows: Any, columns: Any, totals: Any, flags: Any, into: Any, cosines: Any
) -> Any:
    """Add a piece of float32 pairs, flat; `ints` holds both sides as unsigned and signed integers.

    `totals` and `flags` are the target's and the source's.

    Returns flagged rows of the target and of the source.
    """
    flagged = flagged2 = 0
    target_totals, source_totals = totals
    target_flags, source_flags = flags
    few = target.size <= FEW
    for row in range(rows):
        start, stop = row * columns, (row + 1) * columns
        before, before2 = target_totals[TOTAL], source_totals[TOTAL]
        ours, theirs = target[start:stop], source[start:stop]
        flag, wide = _row(ours, ints[0][start:stop], ints[1][start:stop], few, target_totals)
        flag2, wide2 = _row(theirs, ints[2][start:stop], ints[3][start:stop], few, source_totals)
        target_flags[row], source_flags[row] = flag, flag2
        flagged += flag != 0
        flagged2 += flag2 != 0
        if wide or wide2:
            error, target2, source2, cross, t1, s1, unpaired = _wide_products(ours, theirs)
            largest, differing = _wide_error(ours, theirs)
            into[TARGET1] += t1
            into[SOURCE1] += s1
        else:
            error, target2, source2, cross = _products(ours, theirs)
            most, unequal = _largest_error(ours, theirs)
            largest, differing, unpaired = np.float64(most), np.int64(unequal), 0
            into[TARGET1] += target_totals[TOTAL] - before
            into[SOURCE1] += source_totals[TOTAL] - before2
        _add(into, columns - unpaired, unpaired, differing, error, target2, source2, cross)
        if largest > into[MAX_ERROR]:
            into[MAX_ERROR], into[ERROR_ROW] = largest, row
        cosines[row] = _cosine(differing, cross, target2, source2)
        into[WORST] = min(into[WORST], cosines[row])
    return flagged, flagged2
