"""Owns putting chunks together: totals of the chunks of a tensor, taken in order, become Moments and PairMeasures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf, sqrt
from threading import Lock
from typing import Any

import numpy as np

from model_contracts.sweep.interface import Moments, PairMeasures
from model_contracts.sweep.kernels import totals as at
from model_contracts.sweep.kernels.totals import Floats

#: Rows named in a report.
FIRST = 8
#: Leading indices that are told apart; more of them than this are no experts.
MOST_EXPERTS = 65_536


@dataclass(slots=True)
class Partial:
    """A part of one row: its totals and how many values it holds."""

    row: int
    length: int
    totals: Floats


@dataclass(slots=True)
class SidePart:
    """What a chunk gave for one side."""

    totals: Floats = field(default_factory=at.side)
    flagged: list[tuple[int, Any]] = field(default_factory=list)
    partials: list[Partial] = field(default_factory=list)


@dataclass(slots=True)
class ChunkPart:
    """What a chunk gave: one side, or two and the pair. `worst` holds (row, cosine) of the rows worth keeping."""

    target: SidePart = field(default_factory=SidePart)
    source: SidePart | None = None
    pair: Floats | None = None
    pair_partials: list[Partial] = field(default_factory=list)
    worst: list[tuple[int, float]] = field(default_factory=list)
    projected: Floats | None = None


class SideTally:
    """Moments of one side. Chunks come in order, so that at most one row is open at a time."""

    def __init__(self, elements: int, columns: int, shape: tuple[int, ...]) -> None:
        self._totals = at.side()
        self._columns = columns
        self._open: Partial | None = None
        self._first: dict[int, list[int]] = {at.FLAG_DEAD: [], at.FLAG_CONSTANT: [], at.FLAG_BAD: []}
        experts = len(shape) == 3 and columns and shape[0] <= MOST_EXPERTS
        self._expert_rows = shape[1] if experts else 0
        self._experts: dict[int, list[int]] = {}
        self._elements = elements

    def take(self, part: SidePart) -> None:
        """Add the next chunk."""
        at.add_side(self._totals, part.totals)
        for row, flags in part.flagged:
            self._flag(row, flags)
        for partial in part.partials:
            self._extend(partial)

    def _flag(self, row: int, flags: Any) -> None:
        for flag, first in self._first.items():
            if len(first) < FIRST:
                first.extend((np.flatnonzero(flags & flag)[: FIRST - len(first)] + row).tolist())
        if self._expert_rows:
            for flag, place in ((at.FLAG_DEAD, 0), (at.FLAG_BAD, 1)):
                rows = np.flatnonzero(flags & flag) + row
                for expert, count in zip(*np.unique(rows // self._expert_rows, return_counts=True), strict=True):
                    self._experts.setdefault(int(expert), [0, 0])[place] += int(count)

    def _extend(self, partial: Partial) -> None:
        row = self._open
        if row is None or row.row != partial.row:
            row = self._open = Partial(partial.row, 0, at.side())
        row.length += partial.length
        at.add_side(row.totals, partial.totals)
        if row.length == self._columns:
            self._close(row)
            self._open = None

    def _close(self, row: Partial) -> None:
        totals = row.totals
        if totals[at.NAN] or totals[at.INFINITE]:
            place, flag = at.BAD, at.FLAG_BAD
        elif totals[at.ZEROS] == row.length:
            place, flag = at.DEAD, at.FLAG_DEAD
        elif totals[at.MINIMUM] == totals[at.MAXIMUM]:
            place, flag = at.CONSTANT, at.FLAG_CONSTANT
        else:
            return
        self._totals[place] += 1
        self._flag(row.row, np.array([flag], np.uint8))

    def moments(self) -> Moments:
        """The whole tensor; rows are those of the order read."""
        totals, first = self._totals, self._first
        return Moments(
            count=self._elements,
            nan=int(totals[at.NAN]),
            infinite=int(totals[at.INFINITE]),
            zeros=int(totals[at.ZEROS]),
            total=float(totals[at.TOTAL]),
            squares=float(totals[at.SQUARES]),
            minimum=float(totals[at.MINIMUM]),
            maximum=float(totals[at.MAXIMUM]),
            rows=self._elements // self._columns if self._columns else 0,
            dead_rows=int(totals[at.DEAD]),
            constant_rows=int(totals[at.CONSTANT]),
            first_dead=tuple(first[at.FLAG_DEAD]),
            first_constant=tuple(first[at.FLAG_CONSTANT]),
            nonfinite_rows=int(totals[at.BAD]),
            first_nonfinite=tuple(first[at.FLAG_BAD]),
            experts={index: (dead, bad) for index, (dead, bad) in sorted(self._experts.items())},
        )


class PairTally:
    """Pair measures of a tensor, likewise."""

    def __init__(self, elements: int, columns: int) -> None:
        self._totals = at.pair()
        self._columns = columns
        self._rows = elements // columns if columns else 0
        self._open: Partial | None = None
        self._worst: list[tuple[int, float]] = []
        #: A row at or above this cosine is not among the worst: chunks need not name it.
        self.threshold = inf

    def take(self, part: ChunkPart) -> None:
        """Add the next chunk."""
        assert part.pair is not None
        at.add_pair(self._totals, part.pair, 0)
        for partial in part.pair_partials:
            self._extend(partial)
        self._keep(part.worst)

    def _extend(self, partial: Partial) -> None:
        row = self._open
        if row is None or row.row != partial.row:
            row = self._open = Partial(partial.row, 0, at.pair())
        row.length += partial.length
        at.add_pair(row.totals, partial.totals, 0)
        if row.length == self._columns:
            self._open = None
            if (cosine := _cosine(row.totals)) is not None:
                self._keep([(row.row, cosine)])

    def _keep(self, rows: Iterable[tuple[int, float]]) -> None:
        worse = [row for row in rows if row[1] < self.threshold]
        if worse:
            self._worst = sorted(self._worst + worse, key=lambda row: (row[1], row[0]))[:FIRST]
            if len(self._worst) == FIRST:
                self.threshold = self._worst[-1][1]

    def measures(self) -> PairMeasures:
        """The whole pair."""
        totals = self._totals
        row, cosine = self._worst[0] if self._worst else (-1, 1.0)
        return PairMeasures(
            count=int(totals[at.PAIRED]),
            nonfinite=int(totals[at.UNPAIRED]),
            nonfinite_differing=int(totals[at.DISAGREEING]),
            differing=int(totals[at.DIFFERING]),
            squared_error=float(totals[at.ERROR]),
            source_squares=float(totals[at.SOURCE2]),
            target_squares=float(totals[at.TARGET2]),
            cross=float(totals[at.CROSS]),
            source_total=float(totals[at.SOURCE1]),
            target_total=float(totals[at.TARGET1]),
            max_error=float(totals[at.MAX_ERROR]),
            max_error_row=int(totals[at.ERROR_ROW]) if self._columns else -1,
            min_row_cosine=cosine,
            min_row=row,
            rows=self._rows,
            worst_rows=tuple(self._worst),
        )


def _cosine(totals: Floats) -> float | None:
    if totals[at.TARGET2] == 0 and totals[at.SOURCE2] == 0:
        return None
    if totals[at.TARGET2] == 0 or totals[at.SOURCE2] == 0:
        return 0.0
    if not totals[at.DIFFERING]:
        return 1.0
    return min(float(totals[at.CROSS] / (sqrt(totals[at.TARGET2]) * sqrt(totals[at.SOURCE2]))), 1.0)


class TensorTally:
    """All of one tensor: chunks may end in any order and are added in theirs, so that results do not depend on luck."""

    def __init__(self, elements: int, columns: int, shape: tuple[int, ...], paired: bool) -> None:
        self.target = SideTally(elements, columns, shape)
        self.source = SideTally(elements, columns, shape) if paired else None
        self.pair = PairTally(elements, columns) if paired else None
        #: Of a pair to which an adapter adds something: the sums of its projection.
        self.projected: Floats | None = None
        self._left = elements
        self._next = 0
        self._waiting: dict[int, ChunkPart] = {}
        self._lock = Lock()

    def take(self, place: int, part: ChunkPart, values: int) -> bool:
        """Add chunk number `place` of so many values; whether that was the last of them."""
        with self._lock:
            self._waiting[place] = part
            self._left -= values
            while (ready := self._waiting.pop(self._next, None)) is not None:
                self._next += 1
                self.target.take(ready.target)
                if self.source is not None and self.pair is not None and ready.source is not None:
                    self.source.take(ready.source)
                    self.pair.take(ready)
                if ready.projected is not None:
                    self.projected = ready.projected + (0.0 if self.projected is None else self.projected)
            return self._left <= 0
