"""Owns rival explanations of a failed comparison: the transforms a converter gets wrong, fitted one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from model_contracts.anatomy.names import template
from model_contracts.anatomy.view import View
from model_contracts.artifact import Tensor
from model_contracts.kernels.interface import Pairing
from model_contracts.kernels.rows import permute_rows, read_rows

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float32]]

#: Values looked at a tensor: whole rows from its start. Enough to tell a permutation from noise.
_SAMPLE = 4_000_000


@dataclass(frozen=True, slots=True)
class _Rival:
    words: str
    error: float


def explain(pairing: Pairing, target: View, source: View) -> str | None:
    """The rival that fits best, in words with both errors; None where none fits much better than what was declared."""
    if pairing.target.shape != pairing.source.shape:
        return None
    rows = max(1, min(pairing.target.rows, _SAMPLE // max(pairing.target.columns, 1)))
    observed = read_rows(pairing.target, 0, rows)
    expected = read_rows(pairing.source, 0, pairing.source.rows if rows == pairing.target.rows else rows)
    if pairing.transform is not None and rows == pairing.target.rows:
        declared = permute_rows(expected, pairing.transform.heads, pairing.transform.direction)
    else:
        declared = expected
    base = _error(observed, declared)
    rivals = list(_rivals(pairing, observed, expected, declared, target, source))
    best = min(rivals, key=lambda rival: rival.error, default=None)
    if best is None or not best.error < 0.5 * base:
        return None
    return f"{best.words} explains it: relative RMSE {base:.3g} as declared, {best.error:.3g} so"


def _rivals(
    pairing: Pairing, observed: Matrix, expected: Matrix, declared: Matrix, target: View, source: View
) -> Iterator[_Rival]:
    whole = observed.shape == expected.shape
    if whole:
        yield from _row_orders(pairing, observed, expected, source)
        if expected.shape[0] == expected.shape[1]:
            yield _Rival("transposed", _error(observed, expected.T))
        yield from _shifted_norm(observed, declared)
        yield from _scaled(observed, declared)
        yield from _rows_swapped(observed, declared)
    yield from _neighbours(pairing, observed, source)


def _row_orders(pairing: Pairing, observed: Matrix, expected: Matrix, source: View) -> Iterator[_Rival]:
    if pairing.transform is not None:
        yield _Rival("rows not permuted (Q/K left in the source's order)", _error(observed, expected))
    for name in ("num_attention_heads", "num_key_value_heads"):
        heads = source.numbers.get(name)
        if not isinstance(heads, int) or heads <= 0 or observed.size % (2 * heads):
            continue
        rows = expected.reshape(-1, 1) if pairing.target.rows == 1 else expected
        if rows.shape[0] % (2 * heads):
            continue
        for direction, words in (("interleave", "to llama.cpp's order"), ("split", "to Hugging Face's order")):
            if pairing.transform is not None and (heads, direction) == (
                pairing.transform.heads,
                pairing.transform.direction,
            ):
                continue
            moved = permute_rows(rows, heads, direction).reshape(observed.shape)
            yield _Rival(f"rows permuted {words} with {heads} heads ({name})", _error(observed, moved))


def _shifted_norm(observed: Matrix, declared: Matrix) -> Iterator[_Rival]:
    if observed.shape[0] == 1:
        yield _Rival("a norm that was given +1", _error(observed, declared + 1))
        yield _Rival("a norm that lost 1", _error(observed, declared - 1))


def _scaled(observed: Matrix, declared: Matrix) -> Iterator[_Rival]:
    power = float(np.vdot(declared, declared))
    if power:
        gain = float(np.vdot(declared, observed)) / power
        if abs(gain - 1.0) > 1e-3:
            words = "negated" if abs(gain + 1.0) < 0.05 else f"scaled by {gain:.4g}"
            yield _Rival(words, _error(observed, declared * np.float32(gain)))


def _rows_swapped(observed: Matrix, declared: Matrix) -> Iterator[_Rival]:
    """Rows that fit badly, each against every other of them: a permutation of those rows, if there is one."""
    if observed.shape[0] < 2:
        return
    a, b = _unit(observed), _unit(declared)
    bad = np.flatnonzero(np.einsum("ij,ij->i", a, b) < 0.5)
    if not 2 <= len(bad) <= 2048:
        return
    order = np.arange(observed.shape[0])
    order[bad] = bad[np.argmax(a[bad] @ b[bad].T, axis=1)]
    words = ", ".join(f"{row} holds {order[row]}" for row in bad[:4])
    yield _Rival(f"rows swapped ({words}{' …' if len(bad) > 4 else ''})", _error(observed, declared[order]))


def _neighbours(pairing: Pairing, observed: Matrix, source: View) -> Iterator[_Rival]:
    canonical = source.canonical.get(pairing.source.name)
    if canonical is None:
        return
    bare, layer = template(canonical)
    if layer is None:
        return
    for other in range(max(0, layer - 4), layer + 5):
        tensor: Tensor | None = source.by_canonical.get(bare.replace("{n}", str(other)))
        if tensor is None or other == layer or tensor.shape != pairing.source.shape or not tensor.readable:
            continue
        rows = read_rows(tensor, 0, observed.shape[0])
        if pairing.transform is not None and rows.shape[0] == tensor.rows:
            rows = permute_rows(rows, pairing.transform.heads, pairing.transform.direction)
        yield _Rival(f"layer {other} in place of layer {layer}", _error(observed, rows))


def _error(observed: Matrix, expected: Matrix) -> float:
    """Relative RMSE over finite values (inf where the expected values are all zero)."""
    with np.errstate(all="ignore"):
        difference = observed.astype(np.float64) - expected
        finite = np.isfinite(difference)
        power = float(np.sum(np.square(expected[finite], dtype=np.float64)))
        return float(np.sqrt(np.sum(np.square(difference[finite])) / power)) if power else float("inf")


def _unit(rows: Matrix) -> Matrix:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, np.where(norms == 0, 1, norms), dtype=np.float32)
