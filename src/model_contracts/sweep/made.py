"""Owns one side of a comparison that no container holds: values of stored tensors, gathered as a layout says."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from threading import Lock

import numpy as np
from numpy.lib.stride_tricks import as_strided

from model_contracts.artifact import Tensor
from model_contracts.layout import Compiled, Digit, LayoutError, LayoutPiece, compiled
from model_contracts.sweep.blocks import BlockLayout
from model_contracts.sweep.kernels.decode_numpy import value_type
from model_contracts.sweep.kernels.totals import Bytes, Values
from model_contracts.sweep.laid_out import changed
from model_contracts.sweep.packed import PackedSide
from model_contracts.sweep.reads import Files, ReadFailed
from model_contracts.sweep.sides import Decoders, Side, read_all

#: Values gathered at once where a row is made of many short runs, as in a transposed matrix: each run is then long
#: enough to be worth a read. Two such bands are kept for the threads of a pass.
_BAND, _BANDS = 8 * 1024 * 1024, 2
#: A run of fewer values than this is short; what lies this much denser is read whole and picked from.
_SHORT, _DENSE = 256, 4


class MadeSide:
    """A made tensor ready to be read, as float32; as `Side` is. Raises ReadFailed."""

    whole = False

    def __init__(self, tensor: Tensor, files: Files, engine: Decoders) -> None:
        assert tensor.made is not None
        self.tensor = tensor
        self.layout = BlockLayout.of(replace(tensor, dtype="F32", made=None, packed=None))
        self.kind: type[np.float32] | type[np.float64] = np.float32
        try:
            self._made: Compiled = compiled(tensor.made.layout)
        except LayoutError as error:
            raise self._refused(f"cannot be put together: {error}") from None
        for part in tensor.made.parts.values():
            if part.packed is None and value_type(part.dtype) is not np.float32:
                raise self._refused(f"is made of {part.dtype}, which float32 does not hold")
        self._parts: dict[str, Side | PackedSide] = {
            name: stored_side(part, files, engine) for name, part in tensor.made.parts.items()
        }
        self._columns = max(tensor.columns, 1)
        runs = (_run(piece)[0] for piece in self._made.pieces)
        self._banded = min(runs, default=_SHORT) < min(_SHORT, self._columns)
        self._bands: OrderedDict[int, Values] = OrderedDict()
        self._lock = Lock()

    def source_row(self, row: int) -> int:
        """Rows are those of the made tensor."""
        return row

    def span(self, start: int, stop: int) -> tuple[int, int]:
        """The bytes of a range of values, as float32 from the first of them."""
        return self.layout.span(start, stop)

    def read(self, buffer: Bytes, start: int, stop: int) -> Bytes:
        """The values start..stop-1, gathered and decoded, as bytes of float32."""
        raw = buffer[: 4 * (stop - start)]
        out = raw.view("<f4")
        if not self._banded:
            self._fill(out, start, stop)
            return raw
        rows = max(1, _BAND // self._columns)
        width = rows * self._columns
        at = start
        while at < stop:
            number = at // width
            end = min(stop, (number + 1) * width)
            out[at - start : end - start] = self._band(number, width)[at - number * width : end - number * width]
            at = end
        return raw

    def decode(self, raw: Bytes, origin: int, start: int, stop: int, room: Values) -> Values:
        """Values start..stop-1 of what `read` gave from `origin` on."""
        values: Values = raw.view("<f4")[start - origin : stop - origin]
        return values

    def _band(self, number: int, width: int) -> Values:
        with self._lock:
            if number not in self._bands:
                first, last = number * width, min((number + 1) * width, self.tensor.elements)
                band = np.empty(last - first, np.float32)
                self._fill(band, first, last)
                self._bands[number] = band
                while len(self._bands) > _BANDS:
                    self._bands.popitem(last=False)
            return self._bands[number]

    def _fill(self, out: Values, start: int, stop: int) -> None:
        """Gather values start..stop-1: whole rows at once, the rest of a row by itself."""
        columns, at = self._columns, start
        while at < stop:
            row, inside = divmod(at, columns)
            rows = (stop - at) // columns if not inside else 0
            end = at + rows * columns if rows else min(stop, (row + 1) * columns)
            places = range(inside, inside + end - at) if not rows else range(columns)
            part = self._made.rectangle(range(row, row + max(rows, 1)), places)
            for piece in part.pieces:
                self._gather(piece, out[at - start : end - start])
            at = end

    def _gather(self, piece: LayoutPiece, out: Values) -> None:
        """One piece of a rectangle: its stored runs read, decoded, changed, and put where they belong."""
        side, (run, outer, inner) = self._parts[piece.name], _run(piece)
        digits = (*outer, *inner)
        there = as_strided(out[piece.at :], [digit.size for digit in digits], [4 * digit.logical for digit in digits])
        spread = piece.last - piece.first + 1
        if outer and spread <= _DENSE * piece.count:
            values = _values(side, piece.first, piece.last + 1)
            values = as_strided(values, [digit.size for digit in digits], [4 * digit.stored for digit in digits])
        else:
            values = _runs(side, run, list(_starts(piece.first, outer))).reshape([digit.size for digit in digits])
        there[...] = changed(values, piece.steps)

    def _refused(self, reason: str) -> ReadFailed:
        return ReadFailed(self.tensor.file, self.tensor.offset, 0, 0, reason)


#: What values are read through, however they are stored.
AnySide = Side | PackedSide | MadeSide


def side_of(tensor: Tensor, files: Files, engine: Decoders) -> AnySide:
    """The side of a tensor, stored, packed or made. Raises ReadFailed."""
    return stored_side(tensor, files, engine) if tensor.made is None else MadeSide(tensor, files, engine)


def stored_side(tensor: Tensor, files: Files, engine: Decoders) -> Side | PackedSide:
    """The side of a tensor that is stored, in one part or in several."""
    return Side(tensor, files, engine) if tensor.packed is None else PackedSide(tensor, files)


def _run(piece: LayoutPiece) -> tuple[int, tuple[Digit, ...], tuple[Digit, ...]]:
    """Stored values that lie together, the digits between such runs (widest first), and those inside."""
    digits, run = sorted(piece.digits, key=lambda digit: digit.stored), 1
    inside = 0
    for digit in digits:
        if digit.stored != run:
            break
        run *= digit.size
        inside += 1
    return run, tuple(reversed(digits[inside:])), tuple(reversed(digits[:inside]))


def _starts(first: int, outer: tuple[Digit, ...]) -> Iterator[int]:
    for places in product(*(range(digit.size) for digit in outer)):
        yield first + sum(place * digit.stored for place, digit in zip(places, outer, strict=True))


def _runs(side: Side | PackedSide, run: int, starts: list[int]) -> Values:
    """Runs of stored values, decoded together where blocks allow it."""
    layout = side.layout
    if layout.row_bytes or run % layout.block or any(start % layout.block for start in starts[:2]):
        return np.concatenate([_values(side, start, start + run) for start in starts])
    size = run // layout.block * layout.block_bytes
    raw = np.empty(size * len(starts), np.uint8)
    for place, start in enumerate(starts):
        side.read(raw[place * size : (place + 1) * size], start, start + run)
    total = run * len(starts)
    return side.decode(raw, 0, 0, total, np.empty(total + 2 * layout.block, np.float32))


def _values(side: Side | PackedSide, start: int, stop: int) -> Values:
    """Stored values start..stop-1, decoded."""
    layout = side.layout
    if layout.row_bytes and isinstance(side, Side):
        return read_all(side, start, stop)
    first, last = side.span(start, stop)
    raw = side.read(np.empty(last - first, np.uint8), start, stop)
    return side.decode(raw, start, start, stop, np.empty(stop - start + 2 * layout.block, np.float32))
