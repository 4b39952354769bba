"""Owns one side of a comparison that no container holds: values of stored tensors, gathered as a layout says."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from threading import Condition, Lock
from typing import Any

import numpy as np

from model_contracts.artifact import Tensor
from model_contracts.layout import Compiled, LayoutError, LayoutPiece, ValueStep, compiled
from model_contracts.sweep.blocks import BlockLayout
from model_contracts.sweep.computed import ComputedSide
from model_contracts.sweep.gather import Batch, Read, batches
from model_contracts.sweep.kernels.decode_numpy import value_type
from model_contracts.sweep.kernels.totals import CHUNK_VALUES, Bytes, Values
from model_contracts.sweep.packed import PackedSide
from model_contracts.sweep.reads import Files, ReadFailed
from model_contracts.sweep.sides import Decoded, Decoders, Readable, Side, values_of
from model_contracts.sweep.whole import settled, ternary

#: Bytes gathered at once where a chunk of its own would be made of many short reads, as of a transposed matrix; two
#: such bands are kept for the threads of a pass.
_BAND, _BANDS = 32 * 1024 * 1024, 2
#: Bytes that could be copied in the time of one read, and how much dearer than a copy reads may be without a band.
_READ, _DEARER = 10 * 1024, 4


def side_of(tensor: Tensor, files: Files, engine: Decoders) -> Readable:
    """What the values of a tensor are read through: stored, packed in several parts, made or computed.

    Raises ReadFailed.
    """
    if tensor.computed is not None:
        return ComputedSide(tensor, lambda part: side_of(part, files, engine))
    if tensor.made is not None:
        return MadeSide(tensor, files, engine)
    if tensor.packed is not None and tensor.packed.unread is not None:
        raise ReadFailed(tensor.file, tensor.offset, tensor.nbytes, 0, tensor.packed.unread)
    return Side(tensor, files, engine) if tensor.packed is None else PackedSide(tensor, files)


class MadeSide(Decoded):
    """A made tensor ready to be read, as `Side` is. Raises ReadFailed.

    Where every part is of one type, and no block of it is cut, stored bytes are gathered and decoded when they are
    needed, as those of a stored tensor; else values are decoded first and gathered as float32.
    """

    def __init__(self, tensor: Tensor, files: Files, engine: Decoders) -> None:
        assert tensor.made is not None
        self.tensor = tensor
        self._parts = {name: side_of(part, files, engine) for name, part in tensor.made.parts.items()}
        try:
            layout = compiled(tensor.made.layout)
        except LayoutError as error:
            raise self._refused(f"cannot be put together: {error}") from None
        layout = settled(layout, self._parts, tensor)
        plain = replace(tensor, made=None, packed=None, row_bytes=None)
        stored = self._stored(layout)
        if stored is None:
            plain = replace(plain, dtype="F32")
        self._bytes, self._made = stored is not None, stored or layout
        self._steps = layout.pieces[0].steps if self._bytes else ()
        self.layout, self.kind = BlockLayout.of(plain), value_type(plain.dtype)
        self.stored = None if self._steps else plain.dtype
        decode = engine.decoder(plain.dtype)
        assert decode is not None
        self._decode = decode
        self._item = _item(self.layout.block_bytes) if self._bytes else np.dtype("<f4")
        self._columns = self._made.columns
        self._bands: OrderedDict[int, _Band] = OrderedDict()
        self._lock = Lock()

    def span(self, start: int, stop: int) -> tuple[int, int]:
        """The bytes of a range of values, counted from the first of them."""
        return self.layout.span(start, stop)

    def read(self, buffer: Bytes, start: int, stop: int) -> Bytes:
        """The blocks that hold values start..stop-1, gathered."""
        first, last = self.layout.span(start, stop)
        first, last = first // self._item.itemsize, last // self._item.itemsize
        out = buffer[: (last - first) * self._item.itemsize].view(self._item)
        found: Bytes = self._items(out, first, last).view(np.uint8)
        return found

    def decode(self, raw: Bytes, origin: int, start: int, stop: int, room: Values) -> Values:
        """Values start..stop-1 of what `read` gave from `origin` on, changed as the layout says."""
        found = super().decode(raw, origin, start, stop, room)
        return changed(found, self._steps) if self._steps else found

    def rectangle(self, rows: range, columns: range) -> Any:
        """The values at some rows and columns as float32 or float64 [rows, columns], read for them alone."""
        block = self.layout.block if self._bytes else 1
        part = self._made.rectangle(
            rows, range(columns[0] // block, columns[-1] // block + 1) if block > 1 else columns
        )
        items = np.empty(part.count, self._item)
        for one in self._batches(part):
            one.fill(items, self._read, changed)
        values: Any = np.empty((part.count, block), self.kind)
        self._decode(items.view(np.uint8).reshape(part.count, -1), values)
        values = changed(values.reshape(len(rows), -1), self._steps)
        return values[:, columns[0] % block :][:, :: columns.step] if block > 1 else values

    def _stored(self, layout: Compiled) -> Compiled | None:
        """The layout in whole blocks of stored bytes; None where values have to be gathered."""
        parts = self._parts.values()
        types = {side.layout.tensor.dtype for side in parts}
        for side in parts:
            if len(types) > 1 and side.kind is not np.float32:
                raise self._refused(f"is made of {side.layout.tensor.dtype}, which float32 does not hold")
        alike = len(types) == 1 and len({piece.steps for piece in layout.pieces}) == 1
        if alike and all(type(side) is Side and not (side.layout.row_bytes or side.layout.lead) for side in parts):
            bare = Compiled(layout.shape, tuple(replace(piece, steps=()) for piece in layout.pieces))
            found = _in_blocks(bare, self.tensor.type.block)
            if found is not None:
                return found
        if any(side.kind is not np.float32 for side in parts):
            raise self._refused(f"is made of {types.pop()}, which float32 does not hold")
        return None

    @cached_property
    def _banded(self) -> bool:
        """Whether a chunk of its own would be made of many short reads, so that more is to be gathered at once."""
        most = CHUNK_VALUES
        rows = range(min(max(most // self._columns, 1), self._made.height))
        few = self._made.rectangle(rows, range(min(self._columns, most)))
        if few.count == self._made.count:
            return False
        cost = sum(len(one.firsts) * (_READ + one.reach * self._item.itemsize) for one in self._batches(few))
        return cost > _DEARER * max(few.count * self._item.itemsize, _READ)

    def _batches(self, layout: Compiled) -> Iterator[Batch]:
        return batches(layout, self._item.itemsize)

    def _items(self, out: Any, start: int, stop: int) -> Any:
        """Items start..stop-1: a part of the band that holds them all, else in `out`."""
        if not self._banded:
            run = next(self._made.runs(start, stop - start))
            if self._bytes and (run.size, run.step) == (len(out), 1):
                self._read(run.name, run.first, out)
                return out
            for one, room in self._work(out, start, stop):
                one.fill(room, self._read, changed)
            return out
        width = max(_BAND // self._item.itemsize // self._columns, 1) * self._columns
        width = min(width, _BAND // self._item.itemsize)
        at = start
        while at < stop:
            number = at // width
            end = min(stop, (number + 1) * width)
            found = self._band(number, width).items(self._read)[at - number * width : end - number * width]
            if len(found) == stop - start:
                return found
            out[at - start : end - start] = found
            at = end
        return out

    def _band(self, number: int, width: int) -> _Band:
        with self._lock:
            if number not in self._bands:
                first, last = number * width, min((number + 1) * width, self._made.count)
                room = np.empty(last - first, self._item)
                self._bands[number] = _Band(room, self._work(room, first, last))
                while len(self._bands) > _BANDS:
                    self._bands.popitem(last=False)
            return self._bands[number]

    def _work(self, out: Any, start: int, stop: int) -> Iterator[tuple[Batch, Any]]:
        """What is read for items start..stop-1, whole rows at once and the rest of a row by itself, and its room."""
        columns, at = self._columns, start
        while at < stop:
            row, inside = divmod(at, columns)
            rows = (stop - at) // columns if not inside else 0
            end = at + rows * columns if rows else min(stop, (row + 1) * columns)
            places = range(inside, inside + end - at) if not rows else range(columns)
            room = out[at - start : end - start]
            for one in self._batches(self._made.rectangle(range(row, row + max(rows, 1)), places)):
                yield one, room
            at = end

    def _read(self, name: str, first: int, out: Any) -> None:
        side = self._parts[name]
        if self._bytes:
            assert isinstance(side, Side)
            side.file.read(out.view(np.uint8), side.tensor.offset + first * self._item.itemsize)
        else:
            out[...] = values_of(side, first, first + len(out))

    def _refused(self, reason: str) -> ReadFailed:
        return ReadFailed(self.tensor.file, self.tensor.offset, 0, 0, reason)


@dataclass(slots=True)
class _Band:
    """Items that several chunks are cut from; every thread that waits for them takes a part of the work."""

    room: Any
    work: Iterator[tuple[Batch, Any]]
    turn: Condition = field(default_factory=Condition)
    open: int = 0
    done: bool = False
    failed: ReadFailed | None = None

    def items(self, read: Read) -> Any:
        """All of them. Raises ReadFailed, to each thread that asks."""
        while (one := self._next()) is not None:
            try:
                one[0].fill(one[1], read, changed)
            except ReadFailed as error:
                self.failed = error
            with self.turn:
                self.open -= 1
                self.turn.notify_all()
        with self.turn:
            self.turn.wait_for(lambda: not self.open)
        if self.failed is not None:
            raise self.failed
        return self.room

    def _next(self) -> tuple[Batch, Any] | None:
        with self.turn:
            one = None if self.failed is not None else next(self.work, None)
            self.open += one is not None
            return one


def changed(values: Any, steps: tuple[ValueStep, ...]) -> Any:
    """Values after elementwise steps, in their own precision; raises LayoutError for what needs the whole tensor."""
    for step in steps:
        if step.name not in _CHANGES:
            raise LayoutError(f"{step.name}: expected a step on single values, found one on the whole tensor")
        with np.errstate(all="ignore"):
            values = _CHANGES[step.name](values, values.dtype.type(step.value or 0))
    return values


#: Exponentials are rounded once, from 64 bits: so the files of llama.cpp's converter hold them, bit for bit.
_CHANGES: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda values, value: values + value,
    "scale": lambda values, value: values * value,
    "unscale": lambda values, value: values / value,
    "neg_exp": lambda values, _: (-np.exp(values.astype(np.float64))).astype(values.dtype),
    "log_neg": lambda values, _: np.log(-values.astype(np.float64)).astype(values.dtype),
    "ternary": ternary,
}


def _in_blocks(layout: Compiled, block: int) -> Compiled | None:
    """The layout with whole blocks as items; None where a block is cut."""
    if block == 1:
        return layout
    pieces = [_piece_in_blocks(piece, block) for piece in layout.pieces]
    if not layout.shape or layout.shape[-1] % block or None in pieces:
        return None
    return Compiled((*layout.shape[:-1], layout.shape[-1] // block), tuple(piece for piece in pieces if piece))


def _piece_in_blocks(piece: LayoutPiece, block: int) -> LayoutPiece | None:
    if not piece.digits or piece.digits[-1][1:] != (1, 1):
        return None
    *outer, run = piece.digits
    numbers = [piece.at, piece.first, run.size, *(number for digit in outer for number in digit[1:])]
    if any(number % block for number in numbers):
        return None
    digits = [digit._replace(logical=digit.logical // block, stored=digit.stored // block) for digit in outer]
    if run.size > block:
        digits.append(run._replace(size=run.size // block))
    return replace(piece, at=piece.at // block, first=piece.first // block, digits=tuple(digits))


def _item(size: int) -> np.dtype[Any]:
    return np.dtype(f"<u{size}" if size in (1, 2, 4, 8) else f"V{size}")
