"""Owns what a thread does with a chunk: decode a piece that stays in cache, reduce it, keep what its rows show."""

from __future__ import annotations

import numpy as np

from model_contracts.sweep.blocks import LARGEST_BLOCK, pieces
from model_contracts.sweep.engines import Engine
from model_contracts.sweep.kernels import totals as at
from model_contracts.sweep.kernels.totals import Bytes, SideScratch, Values
from model_contracts.sweep.projected import project, sums
from model_contracts.sweep.sides import Readable, values_of
from model_contracts.sweep.tallies import FIRST, ChunkPart, Partial, SidePart
from model_contracts.sweep.work import Work

_ROWS = 64 * 1024


class Bench:
    """Buffers of one thread, used again for every chunk."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._bytes: list[Bytes] = [np.empty(0, np.uint8), np.empty(0, np.uint8)]
        # Room for float64, twice as wide, of what is decoded at once.
        most = max(engine.stored_values if engine.name == "numpy" else 0, 2 * engine.sub_values) + 4 * LARGEST_BLOCK
        self._values = [np.empty(most, np.float32) for _ in range(2)]
        self._flags = [np.empty(_ROWS, np.uint8) for _ in range(2)]
        self._cosines = np.empty(_ROWS)
        self.source_bytes = 0

    def room(self, side: int, size: int) -> Bytes:
        """`size` bytes of the buffer of a side."""
        if len(self._bytes[side]) < size:
            self._bytes[side] = np.empty(size, np.uint8)
        return self._bytes[side][:size]

    def gather(self, side: Readable, start: int, stop: int) -> Bytes:
        """The values start..stop-1 of a target that is read by its side. Raises ReadFailed."""
        first, last = side.span(start, stop)
        with self._engine.turn:
            return side.read(self.room(0, last - first), start, stop)

    def reduce(self, work: Work, raw: Bytes, start: int, stop: int) -> ChunkPart:
        """What values start..stop-1 give; `raw` are the target's bytes. Raises ReadFailed for the source's."""
        self.source_bytes = 0
        if len(work.sides) == 2:
            return self._pair(work, raw, start, stop)
        part = ChunkPart()
        if self._engine.stored(work.sides[0].layout.tensor.dtype):
            self._stored(work, raw, start, stop, part.target)
        else:
            self._decoded(work, raw, start, stop, part.target)
        return part

    def _stored(self, work: Work, raw: Bytes, start: int, stop: int, part: SidePart) -> None:
        cut = work.cut
        assert cut is not None
        width = work.sides[0].layout.block_bytes
        for first, last in cut.subs(start, stop, self._engine.stored_values):
            for at_value, rows, columns, complete in pieces(first, last, work.columns):
                low = (at_value - start) * width
                stored = raw[low : low + rows * columns * width]
                scratch = self._scratch(0, part, complete)
                kind = work.sides[0].layout.tensor.dtype
                flagged = self._engine.moments_stored(kind, stored, (rows, columns), scratch)
                _keep(part, scratch, flagged, work.columns, at_value, rows, columns, complete)

    def _decoded(self, work: Work, raw: Bytes, start: int, stop: int, part: SidePart) -> None:
        side, cut = work.sides[0], work.cut
        assert cut is not None
        for first, last in cut.subs(start, stop):
            values = side.decode(raw, start, first, last, self._values[0])
            for at_value, rows, columns, complete in pieces(first, last, work.columns):
                piece = _shaped(values, at_value - first, rows, columns)
                scratch = self._scratch(0, part, complete)
                flagged = self._engine.moments(piece, scratch)
                _keep(part, scratch, flagged, work.columns, at_value, rows, columns, complete)

    def _pair(self, work: Work, raw: Bytes, start: int, stop: int) -> ChunkPart:
        (target, source), cut = work.sides, work.cut
        raw2 = self._read_source(source, start, stop)
        part = ChunkPart(source=SidePart(), pair=at.pair())
        assert part.source is not None and cut is not None
        for first, last in cut.subs(start, stop):
            ours = target.decode(raw, start, first, last, self._values[0])
            theirs = source.decode(raw2, start, first, last, self._values[1])
            if work.added is not None:
                self._project(work, part, (ours, theirs), first, last)
            for at_value, rows, columns, complete in pieces(first, last, work.columns):
                scratch = (self._scratch(0, part.target, complete), self._scratch(1, part.source, complete))
                cosines = self._cosines[:rows]
                into = at.pair()
                mine, other = (_shaped(values, at_value - first, rows, columns) for values in (ours, theirs))
                flagged = self._engine.pair(mine, other, scratch, into, cosines)
                for side, each, count in zip((part.target, part.source), scratch, flagged, strict=True):
                    _keep(side, each, count, work.columns, at_value, rows, columns, complete)
                self._keep_pair(work, part, into, at_value, rows, columns, complete)
        return part

    def _project(self, work: Work, part: ChunkPart, values: tuple[Values, Values], first: int, last: int) -> None:
        assert work.added is not None and work.pairing is not None and work.pairing.added is not None
        whose, tensor = work.pairing.added, work.tensor
        part.projected = sums(whose) if part.projected is None else part.projected
        added, dtype = values_of(work.added, first, last), tensor.dtype if tensor.packed is None else ""
        project(*values, added, dtype, whose, first, tensor.columns, part.projected)

    def _read_source(self, source: Readable, start: int, stop: int) -> Bytes:
        first, last = source.span(start, stop)
        self.source_bytes = last - first
        return source.read(self.room(1, last - first), start, stop)

    def _scratch(self, side: int, part: SidePart, complete: bool) -> SideScratch:
        return SideScratch(self._values[side], part.totals if complete else at.side(), self._flags[side])

    def _keep_pair(
        self, work: Work, part: ChunkPart, into: Values, at_value: int, rows: int, columns: int, complete: bool
    ) -> None:
        assert part.pair is not None
        row = at_value // work.columns if work.columns else 0
        worst = into[at.WORST]
        if not complete:
            into[at.WORST] = np.inf
        at.add_pair(part.pair, into, row)
        if not complete and work.columns:
            part.pair_partials.append(Partial(row, columns, into))
        elif complete and worst < work.threshold:
            cosines = self._cosines[:rows]
            lowest = np.argsort(cosines, kind="stable")[:FIRST] if rows > FIRST else np.arange(rows)
            part.worst += [(row + int(place), float(cosines[place])) for place in lowest if cosines[place] < np.inf]


def _shaped(values: Values, offset: int, rows: int, columns: int) -> Values:
    return values[offset : offset + rows * columns].reshape(rows, columns)


def _keep(
    part: SidePart,
    scratch: SideScratch,
    flagged: int,
    width: int,
    at_value: int,
    rows: int,
    columns: int,
    complete: bool,
) -> None:
    if complete:
        if flagged:
            part.flagged.append((at_value // width, scratch.flags[:rows].copy()))
        return
    scratch.totals[at.DEAD :] = 0
    at.add_side(part.totals, scratch.totals)
    if width:
        part.partials.append(Partial(at_value // width, columns, scratch.totals))
