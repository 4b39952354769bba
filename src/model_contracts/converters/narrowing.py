"""Owns BF16 to F16 on the patterns themselves, in whole arrays: half the time of looking each value up in a table."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

Patterns = Any  # uint16, flat

#: Magnitudes of BF16 whose value F16 holds as a normal number: 2**-14 and up, 65280 the last.
_FIRST, _LAST = 0x3880, 0x477F
#: The distance of the two exponents, in BF16's place for them.
_REBIASED = 0x3800


def narrow(bits: Patterns, out: Patterns, scratch: Patterns) -> int:
    """Write the F16 pattern of each BF16 pattern to `out`; all three are of one length, and none shares memory.

    Returns the largest magnitude, as a BF16 pattern, of those that are no normal number of F16 (0: there is none).
    """
    np.bitwise_and(bits, np.uint16(0x7FFF), out=out)
    np.subtract(out, np.uint16(_FIRST), out=scratch)  # what is smaller wraps to what is larger
    places = np.flatnonzero(scratch > np.uint16(_LAST - _FIRST))
    if len(places) * 4 > len(bits):
        largest = int(out.max(initial=0))
        np.take(_table(), bits, out=out, mode="clip")
        return largest
    largest = int(out[places].max(initial=0))
    # Seven bits of mantissa become ten, and the exponent loses its bias; the sign stays where it is.
    np.subtract(out, np.uint16(_REBIASED), out=out)
    np.left_shift(out, np.uint16(3), out=out)
    np.bitwise_and(bits, np.uint16(0x8000), out=scratch)
    np.bitwise_or(out, scratch, out=out)
    out[places] = _table()[bits[places]]
    return largest


def overflows(largest: int) -> bool:
    """Whether a magnitude that `narrow` gave is beyond F16 (or infinite already, or no number)."""
    return largest > _LAST


@cache
def _table() -> Patterns:
    """The F16 pattern of every BF16 pattern."""
    with np.errstate(all="ignore"):
        return (np.arange(65536, dtype=np.uint32) << np.uint32(16)).view(np.float32).astype("<f2").view("<u2")
