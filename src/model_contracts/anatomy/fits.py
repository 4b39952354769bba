"""Owns how well one reading of a tensor's source fits the target: a sample of rows, and three measures of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model_contracts.anatomy.budgets import Budget
from model_contracts.artifact import Tensor
from model_contracts.sweep.interface import Pairing, RowPermutation
from model_contracts.sweep.rows import permute_rows, read_rows

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float32]]

#: Values looked at of one tensor, where a head has no more: enough to tell a permutation from noise.
_SAMPLE = 1_000_000
#: A head with more values than this is not looked at (one key-value head may be the whole matrix).
_LARGEST = 4_000_000


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows start…stop of a tensor, whole heads of them; a vector is a column of rows of one value."""

    start: int
    stop: int
    rows: int
    vector: bool

    @property
    def whole(self) -> bool:
        """Whether every row is in it."""
        return self.stop - self.start == self.rows

    def of(self, tensor: Tensor) -> Matrix:
        """The sample's rows of a tensor of that shape."""
        if self.vector:
            return read_rows(tensor, 0, 1).reshape(-1, 1)
        return read_rows(tensor, self.start, self.stop)

    def permuted(self, rows: Matrix, order: RowPermutation) -> Matrix | None:
        """The sample's rows in another order within each head (None: heads do not divide them)."""
        if order.heads <= 0 or self.rows % (2 * order.heads):
            return None
        head = self.rows // order.heads
        if self.start % head or rows.shape[0] % head:
            return None
        moved: Matrix = permute_rows(rows, rows.shape[0] // head, order.direction)
        return moved


def sample(pairing: Pairing, heads: list[int], worst_row: int) -> Sample:
    """The rows to look at: all that fit, else whole heads around the worst row."""
    vector = len(pairing.target.shape) < 2
    rows = pairing.target.columns if vector else pairing.target.rows
    columns = 1 if vector else pairing.target.columns
    blocks = [rows // count for count in heads if count > 0 and rows % count == 0]
    head = max((block for block in blocks if block * columns <= _LARGEST), default=1)
    fit = max(1, _SAMPLE // max(columns, 1) // head) * head
    if vector or fit >= rows:
        return Sample(0, rows, rows, vector)
    start = min(max(worst_row, 0) // head * head, (rows - fit) // head * head)
    return Sample(start, start + fit, rows, vector)


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
