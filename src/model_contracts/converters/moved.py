"""Owns stored blocks moved as a layout says, as they are: none is decoded to be moved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from model_contracts.artifact import Made, Tensor
from model_contracts.layout import Compiled, Digit, LayoutError, LayoutPiece, compiled
from model_contracts.sweep.blocks import BlockLayout
from model_contracts.sweep.kernels.decode_numpy import value_type
from model_contracts.sweep.kernels.totals import Bytes, Values
from model_contracts.sweep.reads import Files, ReadFailed
from model_contracts.sweep.sides import Decoders

#: Blocks that lie this much denser than what is taken of them are read whole and picked from.
_DENSE = 4
_ITEMS: dict[int, Any] = {size: np.dtype(f"u{size}") for size in (1, 2, 4, 8)}


class Moved:
    """A made tensor of one type whose blocks are only put in another order; it is read as `Side` is."""

    def __init__(self, tensor: Tensor, layout: Compiled, files: Files, engine: Decoders) -> None:
        assert tensor.made is not None
        self.tensor, self._moves = tensor, layout
        self.layout = BlockLayout.of(replace(tensor, made=None))
        self.kind = value_type(tensor.dtype)
        self._item = _ITEMS.get(self.layout.block_bytes, np.dtype(f"V{self.layout.block_bytes}"))
        self._parts = tensor.made.parts
        self._files = {name: files.get(part.file) for name, part in self._parts.items()}
        for name, part in self._parts.items():
            if part.offset + part.nbytes > self._files[name].size:
                raise ReadFailed(part.file, part.offset, part.nbytes, 0, "the file ends before its bytes do")
        decode = engine.decoder(tensor.dtype)
        assert decode is not None
        self._decode = decode

    def span(self, start: int, stop: int) -> tuple[int, int]:
        """The bytes of a range of values, from the first of them."""
        return self.layout.span(start, stop)

    def read(self, buffer: Bytes, start: int, stop: int) -> Bytes:
        """The blocks of values start..stop-1 in the order of the layout; both are whole blocks, or the last value."""
        first, last = self.span(start, stop)
        raw = buffer[: last - first]
        out, columns, at = raw.view(self._item), self._moves.columns, start // self.layout.block
        begin, end = at, at + len(out)
        while at < end:
            row, inside = divmod(at, columns)
            rows = (end - at) // columns if not inside else 0
            upto = at + rows * columns if rows else min(end, (row + 1) * columns)
            places = range(columns) if rows else range(inside, inside + upto - at)
            for piece in self._moves.rectangle(range(row, row + max(rows, 1)), places).pieces:
                self._gather(piece, out[at - begin : upto - begin])
            at = upto
        return raw

    def decode(self, raw: Bytes, origin: int, start: int, stop: int, room: Values) -> Values:
        """Values start..stop-1 of what `read` gave from `origin` on."""
        if self.tensor.dtype == "F32":
            return raw.view("<f4")[start - origin : stop - origin]
        blocks = raw.reshape(-1, self.layout.block_bytes)
        out = room.view(self.kind)[: len(blocks) * self.layout.block]
        self._decode(blocks, out.reshape(-1, self.layout.block))
        return out[start - origin : stop - origin]

    def _gather(self, piece: LayoutPiece, out: Any) -> None:
        outer, inner, run = piece.stretches()
        digits = (*outer, *inner)
        sizes, size = [digit.size for digit in digits], self._item.itemsize
        there = as_strided(out[piece.at :], sizes, [size * digit.logical for digit in digits])
        spread = piece.last - piece.first + 1
        if not outer or spread <= _DENSE * piece.count:
            found = self._read(piece.name, np.empty(spread, self._item), piece.first)
            there[...] = as_strided(found, sizes, [size * digit.stored for digit in digits])
            return
        found = np.empty((prod(digit.size for digit in outer), run), self._item)
        for place, first in enumerate(_starts(piece.first, outer)):
            self._read(piece.name, found[place], first)
        there[...] = found.reshape(sizes)

    def _read(self, name: str, into: Any, first: int) -> Any:
        self._files[name].read(into.view(np.uint8), self._parts[name].offset + first * self._item.itemsize)
        return into


def moved(tensor: Tensor, files: Files, engine: Decoders) -> Moved | None:
    """The moves that make a tensor; None where a value is changed, types differ, or a block would be cut apart."""
    made = tensor.made
    if made is None or any(not _runs_on(part, tensor.dtype) for part in made.parts.values()):
        return None
    try:
        layout = _in_blocks(made, tensor.type.block)
    except LayoutError:
        return None
    return Moved(tensor, layout, files, engine) if layout is not None else None


def shortest_run(tensor: Tensor) -> int:
    """Stored values that lie together at least, of those that a made tensor is gathered from."""
    assert tensor.made is not None
    try:
        return min(piece.stretches()[2] for piece in compiled(tensor.made.layout).pieces)
    except LayoutError:
        return 1


def _runs_on(part: Tensor, dtype: str) -> bool:
    layout = BlockLayout.of(part)
    return part.dtype == dtype and part.packed is None and not layout.lead and not layout.row_bytes


def _in_blocks(made: Made, block: int) -> Compiled | None:
    """The layout with blocks in place of values; None where it cuts one apart or changes values."""
    whole = compiled(made.layout)
    if any(piece.steps for piece in whole.pieces) or whole.columns % block:
        return None
    if block == 1:
        return whole
    pieces = []
    for piece in whole.pieces:
        inner = next((digit for digit in piece.digits if digit.logical == digit.stored == 1), None)
        others = [digit for digit in piece.digits if digit is not inner]
        places = (piece.at, piece.first, *(place for digit in others for place in (digit.logical, digit.stored)))
        if inner is None or inner.size % block or any(place % block for place in places):
            return None
        digits = [Digit(digit.size, digit.logical // block, digit.stored // block) for digit in others]
        digits += [Digit(inner.size // block, 1, 1)] if inner.size > block else []
        pieces.append(replace(piece, at=piece.at // block, first=piece.first // block, digits=tuple(digits)))
    return Compiled((*whole.shape[:-1], whole.shape[-1] // block), tuple(pieces))


def _starts(first: int, outer: tuple[Digit, ...]) -> Iterator[int]:
    for places in product(*(range(digit.size) for digit in outer)):
        yield first + sum(place * digit.stored for place, digit in zip(places, outer, strict=True))
