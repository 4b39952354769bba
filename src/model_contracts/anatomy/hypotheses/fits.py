"""Owns how well one reading of a tensor's source fits the target: samples of places, and three measures of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model_contracts.anatomy.hypotheses.budgets import Budget
from model_contracts.artifact import Tensor
from model_contracts.sweep.rows import read_part

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float32]]

#: Values looked at of one tensor: rows side by side, enough to tell a permutation from noise.
_SAMPLE = 1_000_000
#: Rows that may share a scale, or be one head: a sample begins and ends with them where it can.
_TOGETHER = 128
#: Rows and columns of a first look, which many readings are given.
_FEW_ROWS, _FEW_COLUMNS = 32, 512


@dataclass(frozen=True, slots=True)
class Sample:
    """Places of a tensor: rows in turn, and columns; a vector is given as a column."""

    rows: tuple[range, ...]
    columns: range
    vector: bool

    @property
    def start(self) -> int:
        """The first row (of a vector, the first value)."""
        return 0 if self.vector else self.rows[0].start

    def of(self, tensor: Tensor) -> Matrix:
        """Its values of a tensor of that shape; NaN where they cannot be read."""
        found = [read_part(tensor, rows, self.columns) for rows in self.rows]
        values: Matrix = found[0] if len(found) == 1 else np.concatenate(found)
        return values.reshape(-1, 1) if self.vector else values


def sample(tensor: Tensor, worst_row: int) -> Sample:
    """All that fits, else rows side by side around the worst one."""
    rows, columns = max(tensor.rows, 1), max(tensor.columns, 1)
    width = range(columns) if columns <= _SAMPLE else _spread(columns, _SAMPLE)
    seen = _around(worst_row, min(rows, max(1, _SAMPLE // len(width))), rows)
    if _TOGETHER < len(seen) < rows:
        seen = range(seen.start // _TOGETHER * _TOGETHER, seen.stop // _TOGETHER * _TOGETHER)
    return Sample((seen,), width, len(tensor.shape) < 2)


def few(tensor: Tensor, worst_row: int) -> Sample:
    """A first look: rows around the worst one, rows from everywhere, and columns from everywhere in them."""
    rows, columns = max(tensor.rows, 1), max(tensor.columns, 1)
    width = _spread(columns, _FEW_COLUMNS * (1 if rows > 1 else _FEW_ROWS))
    parts = (_around(worst_row, min(rows, _FEW_ROWS), rows),)
    return Sample(parts if rows <= _FEW_ROWS else (*parts, _spread(rows, _FEW_ROWS)), width, len(tensor.shape) < 2)


def _around(row: int, many: int, rows: int) -> range:
    start = min(max(row - many // 2, 0), rows - many)
    return range(start, start + many)


def _spread(size: int, many: int) -> range:
    """Places from everywhere, an odd step apart: an order within powers of two is then seen."""
    return range(0, size, (size // many) | 1) if size > many else range(size)


@dataclass(frozen=True, slots=True)
class Fit:
    """Relative RMSE, smallest cosine of a row and slope of the target on one reading of its source."""

    error: float
    row_cosine: float
    gain: float

    def within(self, budget: Budget | None) -> bool:
        """Whether a comparison under this reading would have held."""
        if budget is None:
            return self.error <= 1e-6
        return (
            self.error <= budget.relative_rmse
            and 1 - self.row_cosine <= budget.row_cosine
            and abs(self.gain - 1) <= budget.gain
        )


def fit(observed: Matrix, expected: Matrix) -> Fit:
    """The measures over finite pairs (an infinite error where the expected values are all zero)."""
    with np.errstate(all="ignore"):
        finite = np.isfinite(observed) & np.isfinite(expected)
        a, b = np.where(finite, observed, 0).astype(np.float64), np.where(finite, expected, 0).astype(np.float64)
        power = float(np.sum(b * b))
        if not power:
            return Fit(float("inf"), 0.0, 0.0)
        error = float(np.sqrt(np.sum((a - b) ** 2) / power))
        gain = float(np.sum(a * b)) / power
    return Fit(error, float(cosines(a, b).min()) if a.shape[1] > 1 else 1.0, gain)


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The cosine of each pair of rows: 1 where both are zero, 0 where one is."""
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    both = ~a.any(axis=1) & ~b.any(axis=1)
    products = np.einsum("ij,ij->i", a, b)
    return np.where(both, 1.0, np.divide(products, norms, out=np.zeros_like(products), where=norms > 0))
