"""Owns the projection of a target's error on what an adapter adds: sums of a piece, for each tensor of the base."""

from __future__ import annotations

from typing import Any

import numpy as np

from model_contracts.sweep.interface import Added, Projection
from model_contracts.sweep.kernels.totals import Floats, Values

#: count, aa, ea, ee, xa, ex, xx, as Projection has them.
SUMS = 7


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
    a, e, x = (one.astype(np.float64) for one in (change, target - whole, whole))
    groups = _whose(whose, start, len(a), columns)
    if groups is None and _plainly(a, e, x, into):
        return
    finite = np.isfinite(e) & np.isfinite(a)
    a, e, x = (np.where(finite, one, 0) for one in (a, e, x))
    for product, place in ((finite, 0), (a * a, 1), (e * a, 2), (e * e, 3), (x * a, 4), (e * x, 5), (x * x, 6)):
        if groups is None:
            into[0, place] += product.sum()
        else:
            into[:, place] += np.bincount(groups + 1, product, len(into) + 1)[1:]


def _plainly(a: Any, e: Any, x: Any, into: Floats) -> bool:
    """Add the sums, in float64: the rest is a small difference of them. False, and nothing, where one is not finite."""
    found = [np.einsum("i,i->", *pair) for pair in ((a, a), (e, a), (e, e), (x, a), (e, x), (x, x))]
    if not all(map(np.isfinite, found)):
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
