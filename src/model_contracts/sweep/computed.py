"""Owns values that an adapter gives: low-rank products, what a base becomes with them, a rectangle at a time.

No product is built as a whole: a rectangle takes the rows of one half and the columns of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from threading import Lock
from typing import Any

import numpy as np

from model_contracts.artifact import Computed, Less, LowRank, Merged, Tensor
from model_contracts.sweep.kernels.totals import Values
from model_contracts.sweep.packed import Rectangles, RectangleSide
from model_contracts.sweep.reads import Undecodable
from model_contracts.sweep.sides import Readable, values_of

Opens = Callable[[Tensor], Readable]
#: Multiplications of one product, at most: OpenBLAS starts threads for more, which a pass has already.
_ALONE = 256 * 1024
#: Values of one half, which is held in memory (512 MB as float32); and of a base that is read at once for its lengths.
MOST_OF_A_HALF, _AT_ONCE = 128 * 1024 * 1024, 1024 * 1024


class ComputedSide(RectangleSide):
    """A computed tensor ready to be read, as float32. Raises ReadFailed."""

    def __init__(self, tensor: Tensor, opens: Opens) -> None:
        assert tensor.computed is not None
        super().__init__(tensor, _rectangles(tensor, tensor.computed, opens))


def _rectangles(tensor: Tensor, computed: Computed, opens: Opens) -> Rectangles:
    match computed:
        case LowRank():
            return _Product(tensor, computed, opens)
        case Merged():
            return _Sum(tensor, computed, opens)
        case Less():
            return _Difference(tensor, computed, opens)
        case _:
            return _Nothing()


class _Nothing:
    turned = False

    def rectangle(self, rows: range, columns: range) -> Values:
        return np.zeros((len(rows), len(columns)), np.float32)


class _Product:
    """`scale` x left x right; a stack of them where there are experts. Halves are read once, when first needed."""

    turned = False

    def __init__(self, tensor: Tensor, rank: LowRank, opens: Opens) -> None:
        self._tensor, self._low = tensor, rank
        self._lock, self._opens = Lock(), opens
        self._halves: tuple[Values, Values] | None = None
        for half in (rank.left, rank.right):
            if half is not None and half.elements > MOST_OF_A_HALF:
                reason = f"{half.name} has {half.elements:,} values, more than {MOST_OF_A_HALF:,}"
                raise Undecodable(half.file, half.offset, half.nbytes, 0, reason)

    def rectangle(self, rows: range, columns: range) -> Values:
        left, right = self._read()
        if not self._low.experts:
            return _product(left[rows.start : rows.stop], right[:, columns.start : columns.stop])
        height = max(self._tensor.shape[-2], 1)
        parts = [
            _product(left[expert, start:stop], right[expert, :, columns.start : columns.stop])
            for expert, start, stop in _by_expert(rows, height)
        ]
        return np.concatenate(parts)

    def _read(self) -> tuple[Values, Values]:
        with self._lock:
            if self._halves is None:
                self._halves = self._ready()
            return self._halves

    def _ready(self) -> tuple[Values, Values]:
        low = self._low
        left = self._half(low.left)
        if low.right is None:  # a bias: one row
            return np.ones((1, 1), np.float32), (left.reshape(1, -1) * np.float32(low.scale))
        right = self._half(low.right)
        if low.experts and left.ndim == 2:
            right = right.reshape(low.experts, -1, right.shape[-1])
            left = left.reshape(left.shape[0], -1, low.experts).transpose(2, 0, 1)
            if low.left_turned:  # the parameter itself is kept turned
                left, right = right.transpose(0, 2, 1), left.transpose(0, 2, 1)
        elif not low.experts:
            left, right = left.T if low.left_turned else left, right.T if low.right_turned else right
        return np.ascontiguousarray(left) * np.float32(low.scale), np.ascontiguousarray(right)

    def _half(self, tensor: Tensor) -> Values:
        values: Values = values_of(self._opens(tensor), 0, tensor.elements).astype(np.float32)
        return values.reshape(tensor.shape)


class _Sum:
    """The base with what is added to it, each row or column brought to its magnitude where there is one."""

    turned = False

    def __init__(self, tensor: Tensor, merged: Merged, opens: Opens) -> None:
        self._columns, self._height = max(tensor.columns, 1), tensor.rows
        self._base = partial(_rectangle, opens(merged.base), self._columns)
        self._added = partial(_rectangle, opens(merged.added), self._columns)
        self._magnitude, self._across, self._opens = merged.magnitude, merged.turned, opens
        self._factors: Values | None = None
        self._lock = Lock()

    def rectangle(self, rows: range, columns: range) -> Values:
        whole = self._plain(rows, columns)
        if self._magnitude is None:
            return whole
        factors = self._read()
        if self._across:
            return whole * factors[columns.start : columns.stop]
        return whole * factors[rows.start : rows.stop, None]

    def _plain(self, rows: range, columns: range) -> Values:
        found: Values = self._base(rows, columns) + self._added(rows, columns)
        return found

    def _read(self) -> Values:
        """Magnitude by length, of each output: the base is read once more for its lengths."""
        with self._lock:
            if self._factors is None:
                self._factors = self._lengths()
            return self._factors

    def _lengths(self) -> Values:
        assert self._magnitude is not None
        squares = np.zeros(self._columns if self._across else self._height)
        step = max(_AT_ONCE // self._columns, 1)
        for start in range(0, self._height, step):
            rows = range(start, min(start + step, self._height))
            part = self._plain(rows, range(self._columns)).astype(np.float64) ** 2
            if self._across:
                squares += part.sum(axis=0)
            else:
                squares[rows.start : rows.stop] = part.sum(axis=1)
        magnitude = values_of(self._opens(self._magnitude), 0, self._magnitude.elements).astype(np.float64)
        with np.errstate(all="ignore"):
            factors: Values = (magnitude.reshape(-1) / np.sqrt(squares)).astype(np.float32)
        return factors


class _Difference:
    turned = False

    def __init__(self, tensor: Tensor, less: Less, opens: Opens) -> None:
        columns = max(tensor.columns, 1)
        self._of, self._less = (partial(_rectangle, opens(one), columns) for one in (less.of, less.less))

    def rectangle(self, rows: range, columns: range) -> Values:
        found: Values = self._of(rows, columns) - self._less(rows, columns)
        return found


def _product(left: Values, right: Values) -> Values:
    """A product in pieces so small that the library of numpy keeps each in its caller's thread."""
    step = max(_ALONE // max(right.size, 1), 1)
    if step >= len(left):
        whole: Values = left @ right
        return whole
    found = np.empty((len(left), right.shape[1]), np.float32)
    for start in range(0, len(left), step):
        np.matmul(left[start : start + step], right, out=found[start : start + step])
    return found


def _rectangle(side: Readable, width: int, rows: range, columns: range) -> Any:
    """Values [rows, columns] of a side whose rows have `width` of them."""
    if len(columns) == width:
        whole = values_of(side, rows.start * width, rows.stop * width)
        return whole.astype(np.float32).reshape(len(rows), width)
    starts = (row * width + columns.start for row in rows)
    return np.stack([values_of(side, start, start + len(columns)).astype(np.float32) for start in starts])


def _by_expert(rows: range, height: int) -> Iterator[tuple[int, int, int]]:
    """Rows of a stack as (expert, first, last + 1)."""
    row = rows.start
    while row < rows.stop:
        expert, inside = divmod(row, height)
        count = min(rows.stop - row, height - inside)
        yield expert, inside, inside + count
        row += count
