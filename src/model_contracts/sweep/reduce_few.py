"""Owns reducing many tensors of few values at once: rows of one array to the moments and measures of each."""

from __future__ import annotations

from math import inf

import numpy as np

from model_contracts.sweep.interface import Moments, PairMeasures
from model_contracts.sweep.kernels.reduce_numpy import dots
from model_contracts.sweep.kernels.totals import Floats

_SIGN = np.uint64(1 << 63)
#: Shared by the measures of all pairs of one row that does not differ.
_ALIKE = ((0, 1.0),)


def moments_of(values: Floats, rows: bool) -> list[Moments]:
    """Moments of each tensor of [tensors, values]; `rows` says whether a tensor is one row, or none is looked at."""
    finite = np.isfinite(values)
    bad = ~finite.all(axis=1)
    low = high = summed = values
    if bad.any():
        summed, low, high = (np.where(finite, values, other) for other in (0.0, inf, -inf))
    nan = np.count_nonzero(np.isnan(values), axis=1)
    infinite = values.shape[1] - np.count_nonzero(finite, axis=1) - nan
    dead = constant = np.zeros(len(values), bool)
    if rows:
        constant = (values == values[:, :1]).all(axis=1)
        dead = constant & (values[:, 0] == 0)
        constant &= ~(dead | bad)
    told = (
        nan,
        infinite,
        np.count_nonzero(values == 0, axis=1),
        dots(summed, np.ones((1, values.shape[1]))),
        dots(summed, summed),
        _smallest(low),
        _largest(high),
        dead,
        constant,
        bad & rows,
    )
    return [_moments(values.shape[1], int(rows), *each) for each in zip(*(part.tolist() for part in told), strict=True)]


def _moments(
    count: int,
    rows: int,
    nan: int,
    infinite: int,
    zeros: int,
    total: float,
    squares: float,
    minimum: float,
    maximum: float,
    dead: bool,
    constant: bool,
    bad: bool,
) -> Moments:
    if minimum == maximum == total != 0.0:  # one value: it is kept once
        minimum = maximum = total
    moments = Moments(count, nan, infinite, zeros, total, squares, minimum, maximum, rows)
    if dead:
        moments.dead_rows, moments.first_dead = 1, (0,)
    if constant:
        moments.constant_rows, moments.first_constant = 1, (0,)
    if bad:
        moments.nonfinite_rows, moments.first_nonfinite = 1, (0,)
    return moments


def _smallest(values: Floats) -> Floats:
    """The minimum of each row, by its bits: -0.0 is below 0.0."""
    bits = np.ascontiguousarray(values).view(np.uint64)
    largest = bits.max(axis=1)
    return np.asarray(np.where(largest >= _SIGN, largest, bits.min(axis=1)).view(np.float64))


def _largest(values: Floats) -> Floats:
    bits = np.ascontiguousarray(values).view(np.uint64)
    highest = bits.view(np.int64).max(axis=1)
    return np.asarray(np.where(highest >= 0, highest.view(np.uint64), bits.min(axis=1)).view(np.float64))


def pairs_of(target: Floats, source: Floats, rows: bool) -> list[PairMeasures]:
    """Measures of each pair of [tensors, values], as `reduce_numpy.pair` takes them of one row."""
    count = target.shape[1]
    finite = np.isfinite(target) & np.isfinite(source)
    same = finite | (target == source) | (np.isnan(target) & np.isnan(source))
    if not finite.all():
        target, source = (np.where(finite, side, 0.0) for side in (target, source))
    ones = np.ones((1, count))
    differing = np.count_nonzero(target != source, axis=1)
    error = target - source
    target2, source2, cross = dots(target, target), dots(source, source), dots(target, source)
    told = (
        np.count_nonzero(finite, axis=1),
        count - np.count_nonzero(same, axis=1),
        differing,
        dots(error, error),
        source2,
        target2,
        cross,
        dots(source, ones),
        dots(target, ones),
        np.abs(error).max(axis=1),
        _cosines(target2, source2, cross, differing),
    )
    return [_measures(count, rows, *each) for each in zip(*(part.tolist() for part in told), strict=True)]


def _cosines(target2: Floats, source2: Floats, cross: Floats, differing: Floats) -> Floats:
    """Of each row; inf where both are zero."""
    norms = np.sqrt(target2) * np.sqrt(source2)
    cosines = np.where((target2 == 0) & (source2 == 0), np.inf, 0.0)
    np.divide(cross, norms, out=cosines, where=norms > 0)
    known = np.isfinite(cosines)
    cosines[known & (differing == 0)] = 1.0
    np.minimum(cosines, 1.0, out=cosines, where=known)
    return cosines


def _measures(
    count: int,
    rows: bool,
    paired: int,
    disagreeing: int,
    differing: int,
    squared: float,
    source2: float,
    target2: float,
    cross: float,
    source1: float,
    target1: float,
    largest: float,
    cosine: float,
) -> PairMeasures:
    row = 0 if rows and differing else -1
    if not differing:  # equal numbers are kept once
        target2, cross, target1, squared, largest = source2, source2, source1, 0.0, 0.0
    measures = PairMeasures(
        paired, count - paired, disagreeing, differing, squared, source2, target2, cross, source1, target1, largest, row
    )
    measures.rows = int(rows)
    if rows and cosine < inf:
        measures.min_row_cosine, measures.min_row = cosine, 0
        measures.worst_rows = _ALIKE if cosine == 1.0 else ((0, cosine),)
    return measures
