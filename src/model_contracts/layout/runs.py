"""Owns runs: a range of values of a layout, in order, as arithmetic series of stored places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import merge
from operator import itemgetter
from typing import NamedTuple

from model_contracts.layout.pieces import LayoutPiece
from model_contracts.layout.steps import ValueStep


class ValueRun(NamedTuple):
    """`size` values of one stored tensor: the first of them, and how far each is from the one before."""

    name: str
    first: int
    size: int
    step: int = 1
    steps: tuple[ValueStep, ...] = ()


def runs_of(pieces: list[LayoutPiece], start: int, stop: int) -> Iterator[ValueRun]:
    """Places start..stop-1 of the whole as runs, in order; every place is in one of the pieces."""
    if len(pieces) == 1:
        return (run for _, run in _of(pieces[0], start, stop))
    return (run for _, run in merge(*(_of(piece, start, stop) for piece in pieces), key=itemgetter(0)))


def _of(piece: LayoutPiece, start: int, stop: int) -> Iterator[tuple[int, ValueRun]]:
    """The runs of one piece with the place of each; digits stand from the outermost to the innermost."""
    digits = piece.digits
    row = digits[-1] if digits and digits[-1].logical == 1 else None
    outer = digits[:-1] if row else digits
    spans = [0] * (len(outer) + 1)
    for depth in range(len(outer), -1, -1):
        inner = digits[depth:]
        spans[depth] = sum((digit.size - 1) * digit.logical for digit in inner)

    def down(depth: int, at: int, first: int) -> Iterator[tuple[int, ValueRun]]:
        if depth == len(outer):
            low, high = max(start - at, 0), min(stop - at, row.size if row else 1)
            step = row.stored if row else 1
            if low < high:
                yield at + low, ValueRun(piece.name, first + low * step, high - low, step, piece.steps)
            return
        size, logical, stored = outer[depth]
        low = max(0, -(-(start - at - spans[depth + 1]) // logical))
        for here in range(low, min(size, -(-(stop - at) // logical))):
            yield from down(depth + 1, at + here * logical, first + here * stored)

    return down(0, piece.at, piece.first)


def joined_runs(runs: Iterable[ValueRun]) -> Iterator[ValueRun]:
    """Runs that go on where the one before ended, as one; steps backwards are not joined."""
    held: ValueRun | None = None
    for run in runs:
        if held is None:
            held = run
            continue
        gap = run.first - held.first - (held.size - 1) * held.step
        alike = gap > 0 and (held.name, held.steps) == (run.name, run.steps)
        if alike and held.size > 1 and run.size > 1:
            alike = gap == held.step == run.step
        elif alike:
            alike = gap == (held.step if held.size > 1 else run.step if run.size > 1 else gap)
        if alike:
            held = ValueRun(held.name, held.first, held.size + run.size, gap, held.steps)
        else:
            yield held if held.size > 1 else held._replace(step=1)
            held = run
    if held is not None:
        yield held if held.size > 1 else held._replace(step=1)
