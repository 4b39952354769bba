"""Owns pieces written as an expression again, in one form for all ways in which the same layout can be written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from math import prod

from model_contracts.layout.compiled import Compiled, strides
from model_contracts.layout.expressions import (
    MOST_AXES,
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
from model_contracts.layout.pieces import Digit, LayoutPiece, cut, restrided
from model_contracts.layout.runs import joined_runs, runs_of

#: Runs that are written out one by one where pieces interleave as no concatenation does.
_MOST_RUNS = 4096
#: Pieces that are cut at borders, over all borders, to find parts that stand side by side.
_MOST_CUTS = 1 << 18


def written(layout: Compiled, leaves: Mapping[str, Shape]) -> Expr:
    """A layout as an expression over stored tensors of the shapes given.

    Raises LayoutError where it is too scattered to be written in _MOST_RUNS parts.
    """
    if len(layout.pieces) > _MOST_RUNS:
        raise LayoutError(f"expected a layout of at most {_MOST_RUNS} pieces to write, found {len(layout.pieces)}")
    steps = {piece.steps for piece in layout.pieces}
    pieces = list(layout.pieces)
    alike = steps.pop() if len(steps) == 1 else ()
    if alike:
        pieces = [replace(piece, steps=()) for piece in pieces]
    found = reshaped(_flat(pieces, layout.count, leaves), layout.shape)
    for step in alike:
        found = Apply(found, step.name, step.value, step.exact)
    return found


def reshaped(expr: Expr, shape: Shape) -> Expr:
    """An expression under a shape; reshapes of reshapes are one, and none where the shape is that already."""
    while isinstance(expr, Reshape):
        expr = expr.of
    return expr if expr.shape == shape else Reshape(expr, shape)


def permuted(expr: Expr, axes: tuple[int, ...]) -> Expr:
    """Axes in another order; nothing where it is the order that they have."""
    return expr if axes == tuple(range(len(axes))) else Permute(expr, axes)


def _flat(pieces: list[LayoutPiece], count: int, leaves: Mapping[str, Shape]) -> Expr:
    """Pieces that fill 0..count-1 as an expression of so many values, of any shape."""
    if len(pieces) == 1:
        return _one(pieces[0], leaves)
    behind = _groups([(piece, piece.at, piece.last_at) for piece in pieces])
    if len(behind) > 1:
        parts = []
        for group, first, last in behind:
            moved = [replace(piece, at=piece.at - first) for piece in group]
            parts.append(reshaped(_flat(moved, last + 1 - first, leaves), (last + 1 - first,)))
        return Concat(tuple(parts))
    borders = {digit.logical for piece in pieces for digit in piece.digits} | {
        digit.logical * digit.size for piece in pieces for digit in piece.digits
    }
    few = len(borders) * len(pieces) <= _MOST_CUTS
    for border in sorted(borders, reverse=True) if few else ():
        if 1 < border < count and count % border == 0 and (found := _beside(pieces, count, border, leaves)):
            return found
    return _runs(pieces, count, leaves)


def _groups(spans: list[tuple[LayoutPiece, int, int]]) -> list[tuple[list[LayoutPiece], int, int]]:
    """Pieces whose spans meet as one group each, in order, with the first and the last place of the group."""
    found: list[tuple[list[LayoutPiece], int, int]] = []
    for piece, first, last in sorted(spans, key=lambda span: span[1:]):
        if found and first <= found[-1][2]:
            found[-1][0].append(piece)
            found[-1] = (found[-1][0], found[-1][1], max(found[-1][2], last))
        else:
            found.append(([piece], first, last))
    return found


def _beside(pieces: list[LayoutPiece], count: int, border: int, leaves: Mapping[str, Shape]) -> Expr | None:
    """The whole as rows of `border` values in which parts stand side by side; None where none stand so."""
    spans = []
    for piece in cut(pieces, border):
        inner = sum((digit.size - 1) * digit.logical for digit in piece.digits if digit.logical < border)
        spans.append((piece, piece.at % border, piece.at % border + inner))
    groups, rows = _groups(spans), count // border
    if len(groups) < 2 or any(sum(p.count for p in g) != rows * (last + 1 - first) for g, first, last in groups):
        return None
    parts = []
    for group, first, last in groups:
        width = last + 1 - first
        dense = merged(restrided(replace(piece, at=piece.at - first), border, width) for piece in group)
        parts.append(reshaped(_flat(list(dense), rows * width, leaves), (rows, width)))
    return Concat(tuple(parts), 1)


def _one(piece: LayoutPiece, leaves: Mapping[str, Shape]) -> Expr:
    """A piece that fills the places from 0 on, as a permutation of a part of its stored tensor."""
    leaf = Stored(piece.name, leaves[piece.name])
    size = prod(leaf.shape)
    bare = replace(piece, steps=())
    found = _boxed(bare, leaf) if piece.count < size or len(piece.digits) > 1 else leaf
    for step in piece.steps:
        found = Apply(found, step.name, step.value, step.exact)
    return found


def _boxed(piece: LayoutPiece, leaf: Stored) -> Expr:
    digits = sorted(piece.digits, key=lambda digit: -digit.stored) or [Digit(1, 1, 1)]
    shape = _shape(digits, prod(leaf.shape))
    if shape is None:  # one step through what does not divide: as runs of it
        return _runs([piece], piece.count, {leaf.name: leaf.shape})
    found, at = reshaped(leaf, shape), piece.first
    for axis, (size, stride) in enumerate(zip(shape, strides(shape), strict=True)):
        wanted = digits[axis].size if axis < len(digits) else 1
        start = at // stride % size
        if start + wanted > size:
            return _runs([piece], piece.count, {leaf.name: leaf.shape})
        if wanted < size:
            found = Take(found, axis, start, start + wanted)
    order = sorted(range(len(digits)), key=lambda axis: -digits[axis].logical)
    return permuted(found, (*order, *range(len(digits), len(shape))))


def _shape(digits: list[Digit], size: int) -> Shape | None:
    """The axes of a stored tensor on which each digit steps by one; None where strides do not divide one another."""
    borders = [size, *(digit.stored for digit in digits)]
    if any(one % other for one, other in pairwise(borders)) or len(borders) > MOST_AXES:
        return None
    shape = [one // other for one, other in pairwise(borders)]
    return tuple(shape if borders[-1] == 1 else [*shape, borders[-1]])


def _runs(pieces: list[LayoutPiece], count: int, leaves: Mapping[str, Shape]) -> Expr:
    """Every run as a part: what interleaves as no concatenation of boxes does."""
    parts: list[Expr] = []
    for run in joined_runs(runs_of(pieces, 0, count)):
        if len(parts) == _MOST_RUNS:
            raise LayoutError(f"expected a layout of at most {_MOST_RUNS} runs or of boxes, found more runs")
        leaf = reshaped(Stored(run.name, leaves[run.name]), (prod(leaves[run.name]),))
        whole = run.size == leaf.shape[0]
        found = leaf if whole else Take(leaf, 0, run.first, run.first + (run.size - 1) * run.step + 1, run.step)
        for step in run.steps:
            found = Apply(found, step.name, step.value, step.exact)
        parts.append(found)
    return parts[0] if len(parts) == 1 else Concat(tuple(parts))
