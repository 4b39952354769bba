"""Owns pair measures in numba: rows of a target against rows of its source, to totals. Imported with the engine only.

Rows of ordinary finite values are summed in float32 within tiles; a row that float32 does not hold, or that holds a NaN
or an infinity on either side, is gone through value by value.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from model_contracts.sweep.kernels.bits_numba import compiled, float_of, pattern, reordered
from model_contracts.sweep.kernels.reduce_numba import add_row
from model_contracts.sweep.kernels.totals import (
    CROSS,
    DIFFERING,
    DISAGREEING,
    ERROR,
    ERROR_ROW,
    FEW,
    FLAG_BAD,
    MAX_ERROR,
    PAIRED,
    SOURCE1,
    SOURCE2,
    TARGET1,
    TARGET2,
    TILE,
    TOTAL,
    UNPAIRED,
    WORST,
)


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
    """The same in float64 over finite pairs, with both sums."""
    error = target2 = source2 = cross = target1 = source1 = 0.0
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
    return error, target2, source2, cross, target1, source1


@compiled
def _unpaired(target: Any, source: Any) -> Any:
    """Pairs with a value that is not finite, and those of them that are not the same: two NaN are, two infinities
    of one sign are.
    """
    unpaired = disagreeing = 0
    for k in range(target.size):
        t, s = target[k], source[k]
        if not (np.isfinite(t) and np.isfinite(s)):
            unpaired += 1
            disagreeing += not (t == s or (np.isnan(t) and np.isnan(s)))
    return unpaired, disagreeing


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
def _add(into: Any, paired: Any, differing: Any, error: Any, target2: Any, source2: Any, cross: Any) -> Any:
    into[PAIRED] += paired
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
        flag, wide = add_row(ours, ints[0][start:stop], ints[1][start:stop], few, target_totals)
        flag2, wide2 = add_row(theirs, ints[2][start:stop], ints[3][start:stop], few, source_totals)
        target_flags[row], source_flags[row] = flag, flag2
        flagged += flag != 0
        flagged2 += flag2 != 0
        unpaired = 0
        if (flag | flag2) & FLAG_BAD:
            unpaired, disagreeing = _unpaired(ours, theirs)
            into[UNPAIRED] += unpaired
            into[DISAGREEING] += disagreeing
        if wide or wide2:
            error, target2, source2, cross, t1, s1 = _wide_products(ours, theirs)
            largest, differing = _wide_error(ours, theirs)
            into[TARGET1] += t1
            into[SOURCE1] += s1
        else:
            error, target2, source2, cross = _products(ours, theirs)
            most, unequal = _largest_error(ours, theirs)
            largest, differing = np.float64(most), np.int64(unequal)
            into[TARGET1] += target_totals[TOTAL] - before
            into[SOURCE1] += source_totals[TOTAL] - before2
        _add(into, columns - unpaired, differing, error, target2, source2, cross)
        if largest > into[MAX_ERROR]:
            into[MAX_ERROR], into[ERROR_ROW] = largest, row
        cosines[row] = _cosine(differing, cross, target2, source2)
        into[WORST] = min(into[WORST], cosines[row])
    return flagged, flagged2
