"""Owns gathering: items of stored tensors, read in stretches and copied as boxes to where a layout has them.

An item is a value, or a block of values in its stored bytes. What is read at once is bounded, so that a transposed
matrix is read in tiles and not in columns; several threads may share the pieces of work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from math import prod
from threading import local
from typing import Any

import numpy as np

from model_contracts.layout import Compiled, Digit, LayoutPiece, ValueStep

#: Fills an array with as many items of a stored tensor, from the first given on.
Read = Callable[[str, int, Any], None]
#: What is done to values before they are put in place.
Change = Callable[[Any, tuple[ValueStep, ...]], Any]
#: Bytes that are read at once where they need not be, and bytes between two stretches that are read too: a read by
#: itself costs as much (2 microseconds).
_MOST, _NEAR = 2 * 1024 * 1024, 8192
#: Places of the axis that lies together in the target, and apart in what was read, that are copied at once: a pass
# over a pair of transposed BF16 matrices took 1.9 times that over the same bytes in order, and 2.1 with 128.
_LINES = 256

_room = local()


@dataclass(frozen=True, slots=True)
class Batch:
    """Stretches of one stored tensor that are read together, and the box of the layout that they fill.

    `firsts` are their first items, `reach` the items of each; a digit steps through what was read by `stored`.
    """

    name: str
    at: int
    firsts: tuple[int, ...]
    reach: int
    digits: tuple[Digit, ...]
    steps: tuple[ValueStep, ...]

    @property
    def count(self) -> int:
        """Items that are put in place."""
        return prod(digit.size for digit in self.digits)

    def fill(self, out: Any, read: Read, change: Change) -> None:
        """Read its stretches and put their items into the flat array of the layout."""
        size, digits = self.reach * len(self.firsts), self.digits
        if not self.steps and self.count == size and all(digit[1] == digit[2] for digit in digits):
            self._read(out[self.at : self.at + size], read)
            return
        with _scratch(size * out.itemsize) as raw:
            found = raw.view(out.dtype)
            self._read(found, read)
            items = _box(found, 0, digits, 2)
            _copied(_box(out, self.at, digits, 1), change(items, self.steps) if self.steps else items)

    def _read(self, room: Any, read: Read) -> None:
        for number, first in enumerate(self.firsts):
            read(self.name, first, room[number * self.reach : (number + 1) * self.reach])


def batches(layout: Compiled, itemsize: int) -> Iterator[Batch]:
    """What is read for a layout (a rectangle of one), in bounded parts; every item is in one of them."""
    near, most = max(_NEAR // itemsize, 1), max(_MOST // itemsize, 1)
    for piece in layout.pieces:
        yield from _batches(piece, near, most)


def _batches(piece: LayoutPiece, near: int, most: int) -> Iterator[Batch]:
    digits = sorted(piece.digits, key=lambda digit: -digit.stored)
    split, reach = len(digits), 1
    while split:
        size, _, stored = digits[split - 1]
        if stored > reach + near or reach + (size - 1) * stored > most:
            break
        split, reach = split - 1, reach + (size - 1) * stored
    outer, inner = digits[:split], tuple(digits[split:])
    if not outer:
        yield Batch(piece.name, piece.at, (piece.first,), reach, inner, piece.steps)
        return
    together = outer[-1].stored <= reach + near
    last, count = split - 1, 1
    if together:  # steps that lie together, more than are read at once: so many as are, in one stretch
        many = max(1, (most - reach) // outer[-1].stored + 1)
    else:
        while last and count * outer[last].size * reach <= most:
            count *= outer[last].size
            last -= 1
        many = max(1, most // (count * reach))
    for at, first, size in _groups(piece, outer[:last], outer[last], many):
        cut = outer[last]._replace(size=size)
        if together:
            found: tuple[int, ...] = (first,)
            length, read = reach + (size - 1) * cut.stored, [cut]
        else:
            apart = [cut, *outer[last + 1 :]]
            found = tuple(first + sum(map(_product, zip(apart, places, strict=True))) for places in _places(apart))
            length, read, width = reach, [], reach * len(found)
            for digit in apart:
                width //= digit.size
                read.append(digit._replace(stored=width))
        yield Batch(piece.name, at, found, length, (*read, *inner), piece.steps)


def _groups(piece: LayoutPiece, outer: list[Digit], cut: Digit, many: int) -> Iterator[tuple[int, int, int]]:
    """The first place, the first item and the steps of each group of `many` steps of a digit, for each outer place."""
    for places in _places(outer):
        at = piece.at + sum(place * digit.logical for digit, place in zip(outer, places, strict=True))
        first = piece.first + sum(map(_product, zip(outer, places, strict=True)))
        for start in range(0, cut.size, many):
            yield at + start * cut.logical, first + start * cut.stored, min(many, cut.size - start)


def _places(digits: list[Digit]) -> Iterator[tuple[int, ...]]:
    return product(*(range(digit.size) for digit in digits))


def _product(step: tuple[Digit, int]) -> int:
    return step[0].stored * step[1]


@contextmanager
def _scratch(size: int) -> Iterator[Any]:
    """So many bytes, at most a little more than _MOST, which a thread keeps for the next that asks."""
    held, _room.bytes = getattr(_room, "bytes", None), None
    if held is None or len(held) < size:
        held = np.empty(size, np.uint8)
    yield held[:size]
    _room.bytes = held


def _box(items: Any, at: int, digits: tuple[Digit, ...], side: int) -> Any:
    """The items from `at` on that digits step through, an axis for each; ValueError beyond the end of the array."""
    sizes, strides = [digit[0] for digit in digits], [digit[side] * items.itemsize for digit in digits]
    return np.ndarray(sizes, items.dtype, items, at * items.itemsize, strides)


def _copied(out: Any, items: Any) -> None:
    """Copy a box; where lines of the one are columns of the other, a few lines at a time."""
    if out.ndim > 1:
        line = min(range(out.ndim), key=lambda axis: (out.shape[axis] == 1, out.strides[axis]))
        column = min(range(out.ndim), key=lambda axis: (items.shape[axis] == 1, items.strides[axis]))
        if line != column and out.shape[line] > _LINES and out.shape[column] > _LINES:
            out, items = np.moveaxis(out, line, 0), np.moveaxis(items, line, 0)
            for start in range(0, len(out), _LINES):
                out[start : start + _LINES] = items[start : start + _LINES]
            return
    out[...] = items
