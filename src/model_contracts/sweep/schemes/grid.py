"""Owns numbers that go with blocks of a weight: scales, zero points, offsets; each for so many rows and columns."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from model_contracts.sweep.kernels.totals import Values
from model_contracts.sweep.reads import Undecodable
from model_contracts.sweep.schemes.interface import ROW, TENSOR, PartMatrix, Parts, PartsRefused, known


class Grid:
    """One number for every `tall` rows and `wide` columns of a weight, counted anew in each of its matrices."""

    def __init__(self, parts: Parts, role: str, tall: int, wide: int, bytes_as: str | None = None) -> None:
        height, self._columns = parts.shape[-2], parts.columns
        self.tall, self.wide = max(tall, 1), max(wide, 1)
        self._height, self._per = height, -(-height // self.tall)
        self._bytes_as = bytes_as
        self._shifted = role == "scale" and parts.misread == "scale-next"
        self._lowered = role == "scale" and parts.misread == "scale-row" and self._per > 1
        self.stored: PartMatrix = parts.matrix(role, parts.lead * self._per, -(-self._columns // self.wide))

    @classmethod
    def found(cls, parts: Parts, role: str, bytes_as: str | None = None) -> Grid:
        """The grid that the shape of the part shows, or else the settings. Raises PartsRefused."""
        held = parts.held.get(role)
        if held is None:
            raise PartsRefused(f"its {role} is missing")
        if held.values == 1 and parts.lead == 1:
            return cls(parts, role, parts.shape[-2], parts.columns, bytes_as)
        sizes = [size for at, size in enumerate(held.shape) if size != 1 or len(held.shape) == len(parts.shape)]
        if len(sizes) < 2:  # a vector: one a row (of each matrix), or one a matrix
            if held.values == parts.lead:
                return cls(parts, role, parts.shape[-2], parts.columns, bytes_as)
            return cls(parts, role, 1, parts.columns, bytes_as)
        tall = _step(parts, sizes[-2], parts.shape[-2], ("rows", "block_rows"))
        wide = _step(parts, sizes[-1], parts.columns, ("columns", "block_columns", "group"))
        return cls(parts, role, tall, wide, bytes_as)

    @property
    def share(self) -> int:
        """How many neighbours share a number, as a grain says it."""
        if self.tall > 1:
            return TENSOR
        return ROW if self.wide >= self._columns else self.wide

    def over(self, rows: range, columns: range, order: Any = None) -> Values:
        """The numbers of a rectangle as float32 [rows or 1, columns or 1]; `order` gives each column its group."""
        down, across = self._down(rows), self._across(columns, order)
        if not len(down) or not len(across):
            return np.ones((1, 1), np.float32)
        first, left = int(down.min()), int(across.min())
        block = self.stored.floats(
            range(first, int(down.max()) + 1), range(left, int(across.max()) + 1), self._bytes_as
        )
        if block.shape[0] > 1 or len(down) == 1:
            plain = self.tall == 1 and len(down) == block.shape[0] and not self._lowered
            block = block if plain else block[down - first]
        if block.shape[1] > 1:
            block = block[:, across - left]
        return block

    def apply(self, change: np.ufunc, values: Values, rows: range, columns: range, order: Any = None) -> None:
        """Change values [rows, columns] in place by the numbers that go with them (np.multiply, np.add …)."""
        moved = self._shifted or self._lowered
        even = order is None and not moved and columns.start % self.wide == 0 and len(columns) % self.wide == 0
        if not even or self.wide >= self._columns or self.wide == 1:
            change(values, self.over(rows, columns, order), out=values)
            return
        steps = range(columns.start // self.wide, columns.stop // self.wide)
        down = self._down(rows)
        first = int(down[0])
        block = self.stored.floats(range(first, int(down[-1]) + 1), steps, self._bytes_as)
        by_group(change, values, block if self.tall == 1 else block[down - first], self.wide)

    def spread(self, change: np.ufunc, values: Values, numbers: Values, columns: range, order: Any = None) -> None:
        """The same by numbers [rows, all groups]."""
        if numbers.shape[1] == 1:
            change(values, numbers, out=values)
        else:
            change(values, np.take(numbers, self._across(columns, order), axis=1), out=values)

    def _down(self, rows: range) -> Any:
        at = np.arange(rows.start, rows.stop)
        inside = at % self._height // self.tall
        if self._lowered:
            inside = (inside + 1) % self._per
        return at // self._height * self._per + inside

    def _across(self, columns: range, order: Any) -> Any:
        if order is not None:
            return order[columns.start : columns.stop]
        at = np.arange(columns.start, columns.stop) // self.wide
        return (at + 1) % self.stored.columns if self._shifted else at


def _step(parts: Parts, blocks: int, size: int, names: tuple[str, ...]) -> int:
    """How many rows (columns) one number is for, where there are so many of them."""
    if blocks == 1:
        return size
    if blocks == size:
        return 1
    for name in names:
        value = parts.settings.get(name)
        if isinstance(value, int) and value > 0 and -(-size // value) == blocks:
            return value
    raise PartsRefused(f"{blocks} numbers for {size}, and no declared size of blocks makes that")


def by_group(change: np.ufunc, values: Values, numbers: Values, wide: int) -> None:
    """Change values [rows, groups * wide] in place by numbers [rows, groups]."""
    view = values.reshape(len(values), -1, wide) if values.flags.c_contiguous else None
    if view is not None:
        change(view, numbers[:, :, None], out=view)
    else:
        change(values, np.repeat(numbers, wide, axis=1), out=values)


def group_order(parts: Parts, groups: int) -> Callable[[], Any]:
    """Gives each column's group as the part `order` says it, once read; a part of -1 says that they follow each other.

    Raises PartsRefused where it has another size; what it gives raises Undecodable for groups that are not there.
    """
    matrix = parts.matrix("order", 1, parts.columns)
    known(matrix.held, "I32", "I64")
    wide = -(-parts.columns // max(groups, 1))

    @cache
    def read() -> Any:
        order = matrix.raw(range(1), range(parts.columns))[0].astype(np.int64)
        if len(order) and (order == -1).all():
            return np.arange(parts.columns) // wide
        if len(order) and not (order.min() >= 0 and order.max() < groups):
            tensor = parts.tensors["order"]
            reason = f"{tensor.name} names groups {order.min()} to {order.max()}, and there are {groups}"
            raise Undecodable(tensor.file, tensor.offset, 0, 0, reason)
        return order

    return read
