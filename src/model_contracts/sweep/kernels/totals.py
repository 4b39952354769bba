"""Owns the numbers a kernel leaves behind for a piece: which place of an array holds what, and how they add up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]
#: Decoded values: float32, or float64 for types that float32 does not hold.
Values = NDArray[Any]

# Of one side. Dead, constant and non-finite count whole rows.
NAN, INFINITE, ZEROS, TOTAL, SQUARES, MINIMUM, MAXIMUM, DEAD, CONSTANT, BAD = range(10)
SIDE = 10
# Of a pair. UNPAIRED: either is not finite; DISAGREEING of them: not both NaN, and not both the same infinity.
# WORST is the smallest row cosine; ERROR_ROW is counted from the piece's first row.
PAIRED, UNPAIRED, DISAGREEING, DIFFERING, ERROR, SOURCE2, TARGET2, CROSS, SOURCE1, TARGET1 = range(10)
MAX_ERROR, ERROR_ROW, WORST = range(10, 13)
PAIR = 13

# A row's flag.
FLAG_DEAD, FLAG_CONSTANT, FLAG_BAD = 1, 2, 4

# Squares of values outside these magnitudes leave float32: their sums are taken in float64.
LARGE = 2.0**60
SMALL = 2.0**-50
#: A piece of no more values than this is summed in float64 throughout: norms and biases keep their digits.
FEW = 16 * 1024
#: Values that are summed in float32 before float64 takes over.
TILE = 4096
#: Values of a chunk: what one call of a kernel is given at most.
CHUNK_VALUES = 512 * 1024


def side() -> Floats:
    """Totals of no values."""
    totals = np.zeros(SIDE)
    totals[MINIMUM], totals[MAXIMUM] = np.inf, -np.inf
    return totals


def pair() -> Floats:
    """Totals of no pairs."""
    totals = np.zeros(PAIR)
    totals[ERROR_ROW], totals[WORST] = -1, np.inf
    return totals


@dataclass(slots=True)
class SideScratch:
    """What a kernel works with for one side: room for decoded values, totals to add to, a flag a row."""

    values: Values
    totals: Floats
    flags: Any

    @classmethod
    def like(cls, other: SideScratch) -> SideScratch:
        """The same room, with totals of no values."""
        return cls(other.values, side(), other.flags)


def add_side(into: Floats, more: Floats) -> None:
    """Add the totals of further values."""
    minimum, maximum = min(into[MINIMUM], more[MINIMUM]), max(into[MAXIMUM], more[MAXIMUM])
    into += more
    into[MINIMUM], into[MAXIMUM] = minimum, maximum


def add_pair(into: Floats, more: Floats, row: int) -> None:
    """Add the totals of further pairs; `row` is where their first row stands."""
    into[:MAX_ERROR] += more[:MAX_ERROR]
    if more[MAX_ERROR] > into[MAX_ERROR] or (into[ERROR_ROW] < 0 <= more[ERROR_ROW]):
        into[MAX_ERROR] = more[MAX_ERROR]
        into[ERROR_ROW] = more[ERROR_ROW] + row
    into[WORST] = min(into[WORST], more[WORST])
