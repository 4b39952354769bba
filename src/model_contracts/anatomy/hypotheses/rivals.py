"""Owns rival explanations of a failed comparison: each alternative hypothesis tried on a sample, the best one named."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import numpy as np

from model_contracts.anatomy.hypotheses.budgets import Budget
from model_contracts.anatomy.hypotheses.fits import Fit, Matrix, Sample, cosines, few, fit, sample
from model_contracts.anatomy.hypotheses.layouts import Hypotheses
from model_contracts.anatomy.hypotheses.packed_rivals import packed_fits
from model_contracts.anatomy.hypotheses.storage_rivals import storage_rivals
from model_contracts.anatomy.view import View
from model_contracts.artifact import Tensor
from model_contracts.sweep.interface import Pairing, PairMeasures

#: A reading of the source: what it would mean, and the values the target would then hold.
Rival = tuple[str, Matrix]

#: Hypotheses that are looked at again in a larger sample, and rows that are sorted out against each other.
_LOOKED_AT, _MIXED_UP = 8, 2048


def explain(pairing: Pairing, pair: PairMeasures, budget: Budget | None, target: View, source: View) -> str | None:
    """The rival under which the comparison would have held, else the one that leaves little of the error.

    In words with both errors; None where no rival does.
    """
    if pairing.target.shape != pairing.source.shape:
        return None
    row = pair.min_row if pair.min_row >= 0 else pair.max_error_row
    seen = sample(pairing.target, row)
    observed, declared = seen.of(pairing.target), seen.of(pairing.source)
    base = fit(observed, declared)
    if base.within(budget):  # the fault lies outside the sample
        return None
    best: tuple[bool, float, str] | None = None
    hypotheses = Hypotheses(pairing, target, source, row)
    fits = ((words, fit(observed, values)) for words, values in _rivals(seen, hypotheses, observed, declared, row))
    for words, found in chain(fits, packed_fits(pairing.target, seen, declared)):
        holds = found.within(budget)
        if (holds or _most(found, base)) and (best is None or (not holds, found.error) < best[:2]):
            best = (not holds, found.error, words)
    if best is None:
        return None
    partly, error, words = best
    how = "explains most of it" if partly else "explains it"
    return f"{words} {how}: relative RMSE {base.error:.3g} as declared, {error:.3g} so"


def _most(found: Fit, base: Fit) -> bool:
    return found.error < 0.25 * base.error and found.error < 0.5


def _rivals(seen: Sample, hypotheses: Hypotheses, observed: Matrix, declared: Matrix, row: int) -> Iterator[Rival]:
    dtype = hypotheses.pairing.target.dtype
    for words, tensor in _likely(hypotheses, row):
        yield words, seen.of(tensor)
    if not seen.vector or dtype in ("F32", "F16", "BF16"):
        yield from storage_rivals(dtype, declared)
    yield from _scaled(observed, declared)
    yield from _rows_swapped(seen, observed, declared)


def _likely(hypotheses: Hypotheses, row: int) -> list[tuple[str, Tensor]]:
    """The hypotheses that fit best at a first look, in the order in which they are said."""
    look = few(hypotheses.pairing.target, row)
    observed = look.of(hypotheses.pairing.target)
    tried = [
        (fit(observed, look.of(tensor)).error, place, words, tensor) for place, (words, tensor) in enumerate(hypotheses)
    ]
    best = sorted(tried, key=lambda found: found[:2])[:_LOOKED_AT]
    return [(words, tensor) for _, _, words, tensor in sorted(best, key=lambda found: found[1])]


def _scaled(observed: Matrix, declared: Matrix) -> Iterator[Rival]:
    gain = fit(observed, declared).gain
    if abs(gain - 1.0) > 1e-3:
        yield "negated" if abs(gain + 1.0) < 0.05 else f"scaled by {gain:.4g}", declared * np.float32(gain)


def _rows_swapped(seen: Sample, observed: Matrix, declared: Matrix) -> Iterator[Rival]:
    """Rows that fit badly, each against every other of them: a permutation of those rows, if there is one."""
    if seen.vector or not (np.isfinite(observed).all() and np.isfinite(declared).all()):
        return
    bad = np.flatnonzero(cosines(observed, declared) < 0.5)
    if not 2 <= len(bad) <= _MIXED_UP:
        return
    a, b = observed[bad], declared[bad]
    norms = np.linalg.norm(b, axis=1)
    holds = bad[np.argmax((a @ b.T) / np.where(norms > 0, norms, 1), axis=1)]
    order = np.arange(len(observed))
    order[bad] = holds
    swaps = ", ".join(f"{row + seen.start} holds {order[row] + seen.start}" for row in bad[:4])
    yield f"rows swapped ({swaps}{' …' if len(bad) > 4 else ''})", declared[order]
