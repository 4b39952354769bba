"""Owns a layout worked out once: pieces, from which runs, rows and rectangles of values come without a search.

A block costs what its pieces cost, whatever the size of the tensor. Identity is one piece of one digit; an order of
rows or a transposed matrix is one piece of two to four.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, islice, pairwise
from math import gcd, prod

from model_contracts.layout.expressions import (
    Apply,
    Concat,
    Expr,
    LayoutError,
    Permute,
    Reshape,
    Shape,
    Stored,
    Take,
)
from model_contracts.layout.merging import merged
from model_contracts.layout.pieces import Digit, LayoutPiece, cut, limited, restrided, taken
from model_contracts.layout.runs import ValueRun, joined_runs, runs_of
from model_contracts.layout.steps import ValueStep, joined

#: Runs up to which pieces are merged anew from them, so that one layout has one form; a few milliseconds.
_MOST_RUNS = 1024
#: Pieces of one step that are kept with it: rivals of a layout share most of its steps.
_FEW = 64


@dataclass(frozen=True)
class Compiled:
    """A tensor of `shape`, every value of it in one piece; two are equal where `normal` gave both."""

    shape: Shape
    pieces: tuple[LayoutPiece, ...]

    @property
    def count(self) -> int:
        """How many values the tensor has."""
        return prod(self.shape)

    @property
    def plain(self) -> str | None:
        """The name of the one stored tensor whose values these are from the first on, in order; None otherwise."""
        if len(self.pieces) == 1 and not self.pieces[0].steps and self.pieces[0].first == 0:
            piece = self.pieces[0]
            return piece.name if all(digit[1:] == (1, 1) for digit in piece.digits) else None
        return None

    @property
    def columns(self) -> int:
        """Values in a row: the size of the last axis."""
        return self.shape[-1] if self.shape else 1

    @property
    def height(self) -> int:
        """Rows: all axes but the last as one."""
        return self.count // self.columns

    @cached_property
    def _bounds(self) -> tuple[list[int], list[int]]:
        """Of each piece the first place, and the last place of it or of any before it."""
        return [piece.at for piece in self.pieces], list(accumulate((p.last_at for p in self.pieces), max))

    def _near(self, first: int, stop: int) -> list[LayoutPiece]:
        starts, ends = self._bounds
        near = self.pieces[bisect_left(ends, first) : bisect_right(starts, stop - 1)]
        return [piece for piece in near if piece.last_at >= first]

    def runs(self, first: int, count: int) -> Iterator[ValueRun]:
        """Values first, first + 1, .. as runs of stored values, in order; the steps of each are `steps` of the run."""
        if not (first >= 0 and count >= 0 and first + count <= self.count):
            raise LayoutError(f"runs: expected a part of 0..{self.count}, found {first}..{first + count}")
        return joined_runs(runs_of(self._near(first, first + count), first, first + count))

    def rows(self, start: int, stop: int) -> Compiled:
        """Rows start..stop-1 as a layout of its own."""
        return self.rectangle(range(start, stop), range(self.columns))

    def rectangle(self, rows: range, columns: range) -> Compiled:
        """The rows and columns asked for (all axes but the last are the rows), as a layout of its own.

        The stored rectangle that a piece of it needs is `piece.box(columns of the stored tensor)`. Raises LayoutError
        for what is empty or beyond the tensor.
        """
        for name, part, size in (("rows", rows, self.height), ("columns", columns, self.columns)):
            if not part or part.step < 1 or part[0] < 0 or part[-1] >= size:
                raise LayoutError(f"rectangle: expected {name} of 0..{size}, found {part}")
        near: Iterator[LayoutPiece] = iter(self._near(rows[0] * self.columns, (rows[-1] + 1) * self.columns))
        if len(rows) != self.height:
            near = taken(near, self.columns, self.height, range(rows[0], rows[-1] + 1, rows.step))
        if len(columns) != self.columns:
            near = taken(near, 1, self.columns, range(columns[0], columns[-1] + 1, columns.step))
        found = sorted(limited(near), key=lambda piece: piece.at)
        return Compiled((len(rows), len(columns)), tuple(found) if len(found) < 2 else merged(found))

    def steps(self, first: int, count: int) -> list[tuple[ValueStep, ...]]:
        """Each list of elementwise steps that a range of values goes through, once."""
        found = (piece.steps for piece in self._near(first, first + count))
        return list(dict.fromkeys(found))


def compiled(expr: Expr) -> Compiled:
    """A layout worked out; raises LayoutError where axes do not divide one another into at most MOST_PIECES pieces."""
    return Compiled(expr.shape, merged(_pieces(expr)))


def normal(expr: Expr) -> Compiled:
    """A layout worked out, in one form for all ways in which it can be written (of at most _MOST_RUNS runs).

    It takes a few milliseconds more where several pieces are of one stored tensor. Raises LayoutError as `compiled`.
    """
    found = compiled(expr)
    if len({piece.name for piece in found.pieces}) < len(found.pieces):
        return Compiled(found.shape, _from_runs(found.pieces, found.count) or found.pieces)
    return found


def _from_runs(pieces: tuple[LayoutPiece, ...], count: int) -> tuple[LayoutPiece, ...] | None:
    """The same values merged from their runs, which are the same however a layout was written; None for too many."""
    found: list[LayoutPiece] = []
    at = 0
    single = islice(runs_of(list(pieces), 0, count), 4 * _MOST_RUNS + 1)
    for run in joined_runs(single):
        found.append(LayoutPiece(run.name, at, run.first, (Digit(run.size, 1, run.step),), run.steps))
        at += run.size
        if len(found) > _MOST_RUNS:
            return None
    if at < count:
        return None
    return min(merged(found), merged(_evened(found)), key=len)


def _evened(runs: list[LayoutPiece]) -> Iterator[LayoutPiece]:
    """Runs of each stored tensor cut to one length, where they are few: two of an order may have met by chance."""
    sizes: dict[str, int] = {}
    for run in runs:
        sizes[run.name] = gcd(sizes.get(run.name, 0), run.count)
    if sum(run.count // sizes[run.name] for run in runs) > 4 * _MOST_RUNS:
        sizes = {}
    for run in runs:
        size = sizes.get(run.name, run.count)
        (digit,) = run.digits
        for start in range(0, run.count, size):
            yield run.part(digit, start, digit._replace(size=size))


def same(one: Expr, other: Expr) -> bool:
    """Whether two expressions give the same values in the same order, and the same shape."""
    return normal(one) == normal(other)


def _pieces(expr: Expr) -> list[LayoutPiece]:
    """Pieces of an expression; those of a step are kept with it where they are few."""
    match expr:
        case Stored():
            return [LayoutPiece(expr.name, 0, 0, (Digit(prod(expr.shape), 1, 1),))]
        case Reshape():
            return _pieces(expr.of)
    if expr.known is None:
        found = _of_step(expr)
        if len(found) > _FEW:
            return found
        object.__setattr__(expr, "known", tuple(found))
    return list(expr.known)


def _of_step(expr: Permute | Take | Concat | Apply) -> list[LayoutPiece]:
    match expr:
        case Permute():
            return _permuted(_pieces(expr.of), expr.of.shape, expr.axes)
        case Take():
            inner, size = prod(expr.shape[expr.axis + 1 :]), expr.of.shape[expr.axis]
            return limited(taken(_pieces(expr.of), inner, size, range(expr.start, expr.stop, expr.step)))
        case Concat():
            return _behind(expr)
        case Apply():
            step = (expr.step,)
            return [replace(piece, steps=joined(piece.steps, step)) for piece in _pieces(expr.of)]


def strides(shape: Shape) -> list[int]:
    """Values from one place of each axis to the next."""
    return list(accumulate(reversed(shape[1:]), int.__mul__, initial=1))[::-1] if shape else []


def _permuted(pieces: list[LayoutPiece], shape: Shape, axes: tuple[int, ...]) -> list[LayoutPiece]:
    """Pieces with the strides of the new order; axes that stay side by side are one, and are not cut apart."""
    order = [axis for axis in axes if shape[axis] > 1]
    follows = dict(pairwise(sorted(order)))
    groups: list[list[int]] = []
    for axis in order:
        if groups and follows.get(groups[-1][-1]) == axis:
            groups[-1].append(axis)
        else:
            groups.append([axis])
    sizes = [prod(shape[axis] for axis in group) for group in groups]
    known, old = strides(shape), [group[-1] for group in groups]
    moves = [(known[last], size, to) for last, size, to in zip(old, sizes, strides(tuple(sizes)), strict=True)]
    for border, _, _ in moves:
        if border > 1:
            pieces = limited(cut(pieces, border))

    def moved(place: int) -> int:
        return sum(place // stride % size * to for stride, size, to in moves)

    return [
        piece.moved(moved(piece.at), tuple(Digit(size, moved(to), of) for size, to, of in piece.digits))
        for piece in pieces
    ]


def _behind(expr: Concat) -> list[LayoutPiece]:
    inner, size = prod(expr.shape[expr.axis + 1 :]), expr.shape[expr.axis]
    found: list[LayoutPiece] = []
    shift = 0
    for part in expr.parts:
        border = inner * part.shape[expr.axis]
        pieces = _pieces(part)
        around = cut(pieces, border) if prod(part.shape) > border else iter(pieces)
        found.extend(restrided(piece, border, inner * size, shift) for piece in around)
        shift += border
    return limited(found)
