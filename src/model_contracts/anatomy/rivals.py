"""Owns rival explanations of a failed comparison: the transforms a converter gets wrong, fitted one by one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import numpy as np

from model_contracts.anatomy.budgets import Budget
from model_contracts.anatomy.fits import Fit, Matrix, Sample, cosines, fit, sample
from model_contracts.anatomy.names import template
from model_contracts.anatomy.packed_rivals import packed_fits
from model_contracts.anatomy.storage_rivals import storage_rivals
from model_contracts.anatomy.view import View
from model_contracts.artifact import Tensor
from model_contracts.sweep.interface import Pairing, PairMeasures, RowPermutation
from model_contracts.sweep.rows import read_rows

#: A reading of the source: what it would mean, and the values the target would then hold.
Rival = tuple[str, Matrix]

_HEADS = ("num_attention_heads", "num_key_value_heads")
#: Layers on either side that are tried, and rows that are sorted out against each other.
_NEIGHBOURS, _MIXED_UP = 4, 2048
#: Values read at once for a transposition, of which every row gives a few columns.
_AT_ONCE = 1_000_000


def explain(pairing: Pairing, pair: PairMeasures, budget: Budget | None, source: View) -> str | None:
    """The rival under which the comparison would have held, else the one that leaves little of the error.

    In words with both errors; None where no rival does.
    """
    if pairing.target.shape != pairing.source.shape:
        return None
    heads = {name: value for name in _HEADS if isinstance(value := source.numbers.get(name), int) and value > 0}
    seen = sample(pairing, list(heads.values()), pair.min_row)
    observed, expected = seen.of(pairing.target), seen.of(pairing.source)
    declared = _declared(seen, expected, pairing.transform)
    if declared is None:
        return None
    base = fit(observed, declared)
    if base.within(budget):  # the fault lies outside the sample
        return None
    best: tuple[bool, float, str] | None = None
    rivals = _rivals(pairing, seen, observed, expected, declared, heads, source)
    fits = ((words, fit(observed, values)) for words, values in rivals)
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


def _declared(seen: Sample, expected: Matrix, order: RowPermutation | None) -> Matrix | None:
    return expected if order is None else seen.permuted(expected, order)


def _rivals(
    pairing: Pairing,
    seen: Sample,
    observed: Matrix,
    expected: Matrix,
    declared: Matrix,
    heads: dict[str, int],
    source: View,
) -> Iterator[Rival]:
    yield from _row_orders(pairing, seen, expected, heads)
    if len(pairing.source.shape) == 2 and pairing.source.shape[0] == pairing.source.shape[1]:
        yield "transposed", _columns(pairing.source, seen.start, seen.stop)
    if seen.vector:
        yield "a norm that was given +1", declared + 1
        yield "a norm that lost 1", declared - 1
    if not seen.vector or pairing.target.dtype in ("F32", "F16", "BF16"):
        yield from storage_rivals(pairing.target.dtype, declared)
    yield from _scaled(observed, declared)
    yield from _rows_swapped(seen, observed, declared)
    yield from _other_tensors(pairing, seen, source)


def _row_orders(pairing: Pairing, seen: Sample, expected: Matrix, heads: dict[str, int]) -> Iterator[Rival]:
    if pairing.transform is not None:
        yield "rows not permuted (Q/K left in the source's order)", expected
    for name, count in heads.items():
        interleave, split = RowPermutation(count, "interleave"), RowPermutation(count, "split")
        for order, whose in ((interleave, "llama.cpp's order"), (split, "Hugging Face's order")):
            moved = seen.permuted(expected, order)
            if moved is not None and order != pairing.transform:
                yield f"rows permuted to {whose} with {count} heads ({name})", moved
        for others, other in heads.items():
            there = seen.permuted(expected, RowPermutation(other, "interleave")) if other != count else None
            back = seen.permuted(there, split) if there is not None else None
            if back is not None:
                words = f"rows taken back from llama.cpp's order with {count} heads ({name})"
                yield f"{words}, where they have {other} ({others}),", back


def _columns(tensor: Tensor, start: int, stop: int) -> Matrix:
    """Columns start…stop of a matrix, as rows; the matrix is read a part at a time."""
    step = max(1, _AT_ONCE // max(tensor.columns, 1))
    parts = [read_rows(tensor, at, at + step)[:, start:stop].T for at in range(0, tensor.rows, step)]
    columns: Matrix = np.concatenate(parts, axis=1)
    return columns


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


def _other_tensors(pairing: Pairing, seen: Sample, source: View) -> Iterator[Rival]:
    """The same tensor of a layer near by, and the others of its shape in the same layer."""
    canonical = source.canonical.get(pairing.source.name)
    bare, layer = template(canonical) if canonical is not None else ("", None)
    if canonical is None or layer is None:
        return
    for name, tensor in source.by_canonical.items():
        if name == canonical or tensor.shape != pairing.source.shape or not tensor.readable or tensor.placeholder:
            continue
        other, number = template(name)
        near = other == bare and number is not None and abs(number - layer) <= _NEIGHBOURS
        if not near and number != layer:
            continue
        values = _declared(seen, seen.of(tensor), pairing.transform)
        if values is not None:
            yield (f"layer {number} in place of layer {layer}" if near else f"{tensor.name} in its place"), values
