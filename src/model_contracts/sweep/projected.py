"""Owns the projection of a target's error on what an adapter adds: sums of a piece, for each tensor of the base."""

from __future__ import annotations

from typing import Any

import numpy as np

from model_contracts.sweep.interface import Added, Projection
from model_contracts.sweep.kernels.totals import Floats, Values

#: count, aa, ea, ee, xa, ex, xx, as Projection has them.
SUMS = 7
#: A sum of squares from which float32 has lost none of them that counts.
_LEAST = 1e-20


def sums(added: Added) -> Floats:
    """Sums of no values, [tensors of the base, SUMS]."""
    return np.zeros((max(len(added.of), 1), SUMS))


def rounded(values: Values, dtype: str) -> Values:
    """Values as a type of floats stores them, as float32; others as they are."""
    if dtype == "F16":
        half: Values = values.astype(np.float16).astype(np.float32)
        return half
    if dtype != "BF16":
        return values
    bits = np.array(values, np.float32).view(np.uint32)
    odd = bits >> 16
    odd &= 1
    odd += 0x7FFF
    bits += odd
    bits &= np.uint32(0xFFFF0000)
    brain: Values = bits.view(np.float32)
    return brain


def project(
    target: Values, expected: Values, added: Values, dtype: str, whose: Added, start: int, columns: int, into: Floats
) -> None:
    """Add the sums of values start .. of a target whose rows have `columns` values."""
    if dtype in ("F16", "BF16"):
        whole = rounded(expected, dtype)
        change: Any = whole - rounded(expected - added, dtype)
    else:
        whole, change = expected, added
    error = target - whole
    groups = _whose(whose, start, len(change), columns)
    if groups is None and _plainly(change, error, whole, into):
        return
    finite = np.isfinite(error) & np.isfinite(change)
    a, e, x = (np.where(finite, one, 0).astype(np.float64) for one in (change, error, whole))
    for product, place in ((finite, 0), (a * a, 1), (e * a, 2), (e * e, 3), (x * a, 4), (e * x, 5), (x * x, 6)):
        if groups is None:
            into[0, place] += product.sum()
        else:
            into[:, place] += np.bincount(groups + 1, product, len(into) + 1)[1:]


def _plainly(a: Any, e: Any, x: Any, into: Floats) -> bool:
    """Add sums that float32 holds; False, and nothing, where a value is not finite or too small for its square."""
    if not (a.dtype == e.dtype == x.dtype == np.float32):
        return False
    found = [np.dot(a, a), np.dot(e, a), np.dot(e, e), np.dot(x, a), np.dot(e, x), np.dot(x, x)]
    if not all(map(np.isfinite, found)) or found[5] < _LEAST or any(0 < found[at] < _LEAST for at in (0, 2)):
        return False
    into[0, 0] += len(a)
    into[0, 1:] += found
    return True


def projections(totals: Floats) -> tuple[Projection, ...]:
    """The sums as they are told."""
    return tuple(Projection(int(row[0]), *map(float, row[1:])) for row in totals)


def _whose(whose: Added, start: int, count: int, columns: int) -> Any:
    """For each value the number of the tensor of the base whose it is, -1 for none; None where there is one alone."""
    if not whose.runs:
        return None
    owners = np.array([owner for _, owner in whose.runs], np.int64)
    ends = np.cumsum([rows for rows, _ in whose.runs])
    rows = np.arange(start, start + count) // max(columns, 1)
    return owners[np.minimum(np.searchsorted(ends, rows, "right"), len(owners) - 1)]
