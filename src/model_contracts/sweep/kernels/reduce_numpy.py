"""Owns reducing in numpy: decoded values of whole rows, or of a part of one row, to totals.

Minimum, maximum, zeros and non-finite values are found on the integer bits, where the extremes of the signed and of
the unsigned reading order both signs; only rows that hold a NaN or an infinity are looked at value by value.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import inf
from threading import Lock
from typing import Any, Literal

import numpy as np

from model_contracts.sweep.kernels import decode_numpy
from model_contracts.sweep.kernels import totals as at
from model_contracts.sweep.kernels.decode_numpy import Decoder
from model_contracts.sweep.kernels.totals import Floats, SideScratch, Values


@dataclass(frozen=True, slots=True)
class Form:
    """How the bits of a stored or decoded value are read: infinity and sign, the two integers, the float."""

    infinity: int
    sign: int
    unsigned: Any
    signed: Any
    floating: Any

    def value(self, bits: int) -> float:
        """The value of a pattern."""
        if self.floating is None:
            return float(np.uint32(bits << 16).view(np.float32))
        return float(self.unsigned(bits).view(self.floating))


FORMS: dict[str, Form] = {
    "BF16": Form(0x7F80, 1 << 15, np.uint16, np.int16, None),
    "F16": Form(0x7C00, 1 << 15, np.uint16, np.int16, np.float16),
    "F32": Form(0x7F800000, 1 << 31, np.uint32, np.int32, np.float32),
    "F64": Form(0x7FF0000000000000, 1 << 63, np.uint64, np.int64, np.float64),
}
#: Row sums of squares below this may have lost values in float32.
_FAINT = 2.0**-90
_ONES = {np.dtype(kind): np.ones((1, at.TILE), kind) for kind in (np.float32, np.float64)}


def dots(a: Values, b: Values) -> Any:
    """Products of two [n, k] arrays summed along each row in the arrays' own type; k is at most TILE."""
    if hasattr(np, "vecdot"):
        return np.vecdot(a, b)
    return np.einsum("ij,ij->i", a, np.broadcast_to(b, a.shape))


def product(a: Values, b: Values | None = None, wide: bool = False) -> float:
    """Sum of products of two flat arrays (of the values, without a second): in float32 only within tiles."""
    if wide:
        a, b = a.astype(np.float64), None if b is None else b.astype(np.float64)
    whole = a.size // at.TILE * at.TILE
    ones = _ONES[a.dtype]
    result = 0.0
    if whole:
        body = a[:whole].reshape(-1, at.TILE)
        result = float(dots(body, ones if b is None else b[:whole].reshape(-1, at.TILE)).sum(dtype=np.float64))
    if whole < a.size:
        rest = a[None, whole:]
        result += float(dots(rest, ones[:, : a.size - whole] if b is None else b[None, whole:])[0])
    return result


def row_products(a: Values, b: Values, wide: bool = False) -> Floats:
    """Sums of products of each row, float64 [rows], of two [rows, columns] arrays."""
    if wide:
        a, b = a.astype(np.float64), b.astype(np.float64)
    sums = np.zeros(a.shape[0])
    for first in range(0, a.shape[1], at.TILE):
        sums += dots(a[:, first : first + at.TILE], b[:, first : first + at.TILE])
    return sums


def out_of_range(totals: Floats) -> bool:
    """Whether squares of these values may leave float32."""
    largest = max(-float(totals[at.MINIMUM]), float(totals[at.MAXIMUM]))
    return not (at.SMALL <= largest <= at.LARGE or largest in (0.0, -inf))


def moments(values: Values, bits: Values, form: str, into: Floats, flags: Any) -> int:
    """Add a piece, values [rows, columns], to totals and flag its rows; `bits` are the values as stored in `form`.

    Returns how many rows were flagged (flags are written only where that is not 0).
    """
    kind = FORMS[form]
    unsigned = bits.reshape(-1).view(kind.unsigned)
    signed = unsigned.view(kind.signed)
    largest, highest = int(np.maximum.reduce(unsigned)), int(np.maximum.reduce(signed))
    smallest, lowest = int(np.minimum.reduce(unsigned)), int(np.minimum.reduce(signed))
    totals, summed = at.side(), values.reshape(-1)
    nonfinite = highest >= kind.infinity or largest >= kind.sign + kind.infinity
    if nonfinite:
        summed = _nonfinite(summed, totals)
    else:
        totals[at.MAXIMUM] = kind.value(highest if highest >= 0 else smallest)
        totals[at.MINIMUM] = kind.value(largest if largest >= kind.sign else smallest)
    wide = values.size <= at.FEW or out_of_range(totals)
    totals[at.TOTAL], totals[at.SQUARES] = product(summed, None, wide), product(summed, summed, wide)
    if smallest == 0 or lowest == -kind.sign:
        totals[at.ZEROS] = np.count_nonzero(values == 0)
    flagged = 0
    if nonfinite or _constant_in_places(values):
        flagged = _flag(values, totals, flags)
    at.add_side(into, totals)
    return flagged


def _constant_in_places(values: Values) -> bool:
    """Whether some row holds one value in three places: only then can a row be dead or constant."""
    first = values[:, 0]
    same = (first == values[:, -1]) & (first == values[:, values.shape[1] // 2])
    return bool(same.any())


def _flag(values: Values, totals: Floats, flags: Any) -> int:
    constant = np.logical_and.reduce(values == values[:, :1], axis=1)
    dead = constant & (values[:, 0] == 0)
    bad = ~np.logical_and.reduce(np.isfinite(values), axis=1)
    constant &= ~(dead | bad)
    flags[:] = dead * at.FLAG_DEAD + constant * at.FLAG_CONSTANT + bad * at.FLAG_BAD
    totals[at.DEAD :] = [np.count_nonzero(rows) for rows in (dead, constant, bad)]
    return int(np.count_nonzero(flags))


def _nonfinite(values: Values, totals: Floats) -> Values:
    """Count NaN and infinities, take minimum and maximum of the rest, and return a copy with zeros in their place."""
    finite: Any = np.isfinite(values)
    totals[at.NAN] = np.count_nonzero(np.isnan(values))
    totals[at.INFINITE] = values.size - np.count_nonzero(finite) - totals[at.NAN]
    good = values[finite]
    if good.size:
        totals[at.MINIMUM], totals[at.MAXIMUM] = good.min(), good.max()
    return np.asarray(np.where(finite, values, values.dtype.type(0)))


def pair(target: Values, source: Values, target_totals: Floats, source_totals: Floats, cosines: Floats) -> Floats:
    """Totals of a piece of pairs, [rows, columns] each, and the cosine of every row (inf: both rows are zero)."""
    totals = at.pair()
    if target_totals[at.NAN : at.ZEROS].any() or source_totals[at.NAN : at.ZEROS].any():
        finite = np.isfinite(target) & np.isfinite(source)
        same = (target == source) | (np.isnan(target) & np.isnan(source))
        totals[at.DISAGREEING] = np.count_nonzero(~(finite | same))
        target, source = (np.where(finite, side, side.dtype.type(0)) for side in (target, source))
        totals[at.UNPAIRED] = finite.size - np.count_nonzero(finite)
        totals[at.TARGET1], totals[at.SOURCE1] = (product(side.reshape(-1), None, True) for side in (target, source))
    else:
        totals[at.TARGET1], totals[at.SOURCE1] = target_totals[at.TOTAL], source_totals[at.TOTAL]
    totals[at.PAIRED] = target.size - totals[at.UNPAIRED]
    wide = target.size <= at.FEW or out_of_range(target_totals) or out_of_range(source_totals)
    flat, flat2 = target.reshape(-1), source.reshape(-1)
    totals[at.DIFFERING] = np.count_nonzero(flat != flat2)
    if totals[at.DIFFERING]:
        error = np.subtract(flat, flat2, dtype=np.float64) if wide else flat - flat2
        totals[at.ERROR] = product(error, error)
        np.abs(error, out=error)
        place = int(error.argmax())
        totals[at.MAX_ERROR], totals[at.ERROR_ROW] = error[place], place // target.shape[1]
    _cosines(target, source, wide, totals, cosines)
    return totals


def _cosines(target: Values, source: Values, wide: bool, totals: Floats, cosines: Floats) -> None:
    target2, source2, cross = (
        row_products(a, b, wide) for a, b in ((target, target), (source, source), (target, source))
    )
    totals[at.TARGET2], totals[at.SOURCE2], totals[at.CROSS] = target2.sum(), source2.sum(), cross.sum()
    if not wide and min(target2.min(), source2.min()) < _FAINT:
        faint = (target2 < _FAINT) | (source2 < _FAINT)
        a, b = target[faint], source[faint]
        target2[faint], source2[faint], cross[faint] = (row_products(*c, True) for c in ((a, a), (b, b), (a, b)))
    norms = np.sqrt(target2) * np.sqrt(source2)
    if norms.min() > 0:
        np.divide(cross, norms, out=cosines)
    else:
        cosines[:] = np.where((target2 == 0) & (source2 == 0), np.inf, 0.0)
        np.divide(cross, norms, out=cosines, where=norms > 0)
    if not totals[at.DIFFERING]:
        cosines[np.isfinite(cosines)] = 1.0
    np.minimum(cosines, 1.0, out=cosines, where=np.isfinite(cosines))
    totals[at.WORST] = cosines.min()


class NumpyEngine:
    """Decodes and reduces in numpy, in pieces that stay in the second-level cache."""

    name: Literal["numba", "numpy"] = "numpy"
    #: Values of a stored type that are reduced at once.
    stored_values = 256 * 1024
    #: Values that are decoded and reduced at once.
    sub_values = 128 * 1024

    def __init__(self) -> None:
        #: One thread reduces while others read and digest: two in numpy hand the interpreter lock over too often.
        self.turn: AbstractContextManager[Any] = Lock()

    def decoder(self, name: str, scale: np.float32 | None = None) -> Decoder | None:
        """The decoder of a type."""
        return decode_numpy.decoder(name, scale)

    def stored(self, name: str) -> bool:
        """Whether moments of a type are taken from its stored bits."""
        return name in ("BF16", "F16")

    def moments_stored(self, name: str, raw: Values, shape: tuple[int, int], side: SideScratch) -> int:
        """Add a piece in its stored form."""
        values = side.values[: shape[0] * shape[1]].reshape(shape)
        decode_numpy.DECODERS[name](raw, values)
        return moments(values, raw.view(np.uint16).reshape(shape), name, side.totals, side.flags[: shape[0]])

    def moments(self, values: Values, side: SideScratch) -> int:
        """Add a piece of decoded values, [rows, columns]."""
        form = "F32" if values.dtype == np.float32 else "F64"
        return moments(values, values, form, side.totals, side.flags[: len(values)])

    def pair(
        self, target: Values, source: Values, sides: tuple[SideScratch, SideScratch], into: Floats, cosines: Floats
    ) -> tuple[int, int]:
        """Add a piece of pairs, [rows, columns] each; rows of `into` count from this piece."""
        if target.dtype != source.dtype:
            target, source = target.astype(np.float64), source.astype(np.float64)
        ours, theirs = SideScratch.like(sides[0]), SideScratch.like(sides[1])
        flagged = self.moments(target, ours), self.moments(source, theirs)
        at.add_pair(into, pair(target, source, ours.totals, theirs.totals, cosines), 0)
        at.add_side(sides[0].totals, ours.totals)
        at.add_side(sides[1].totals, theirs.totals)
        return flagged
