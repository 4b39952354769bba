"""Owns one side of a comparison: a tensor's bytes read for a range of values, in the order declared, and decoded."""

from __future__ import annotations

from typing import Any, Literal, Protocol

import numpy as np

from model_contracts.artifact import Tensor
from model_contracts.sweep.blocks import LARGEST_BLOCK, BlockLayout
from model_contracts.sweep.interface import RowPermutation
from model_contracts.sweep.kernels.decode_numpy import Decoder, value_type
from model_contracts.sweep.kernels.totals import Bytes, Values
from model_contracts.sweep.reads import File, Files, ReadFailed

#: A tensor whose rows cannot be addressed in bytes is permuted whole, in memory, up to this many values.
MOST_PERMUTED = 4 * 1024 * 1024


class Decoders(Protocol):
    """Where decoders come from: an engine."""

    name: Literal["numba", "numpy"]
    sub_values: int

    def decoder(self, name: str, scale: np.float32 | None = None) -> Decoder | None:
        """The decoder of a type, None where there is none."""
        ...


class Side:
    """A tensor ready to be read. Raises ReadFailed where it cannot be, as `read` does later."""

    def __init__(
        self, tensor: Tensor, files: Files, engine: Decoders, order: RowPermutation | None = None, cut: int = 0
    ) -> None:
        self.tensor, self.layout = tensor, BlockLayout.of(tensor)
        self.kind = value_type(tensor.dtype)
        self._file = files.get(tensor.file)
        self._check_size()
        decode = engine.decoder(tensor.dtype, self._scale(self._file))
        assert decode is not None
        self._decode = decode
        self._order = order
        self._whole: Values | None = None
        if order is not None and self._rows() % (2 * order.heads):
            raise self._refused(f"has {self._rows()} rows, which are not {order.heads} heads of two halves")
        if order is not None and not self._addressable(cut):
            self._whole = self._permuted_whole()

    def source_row(self, row: int) -> int:
        """Where a row of the declared order lies in the tensor."""
        if self._order is None or len(self.tensor.shape) < 2:
            return row
        return source_row(row, self.tensor, self._order)

    @property
    def whole(self) -> bool:
        """Whether values were decoded beforehand: nothing is left to read."""
        return self._whole is not None

    def span(self, start: int, stop: int) -> tuple[int, int]:
        """The bytes, from the file's start, of a range of values."""
        first, last = self.layout.span(start, stop)
        return self.tensor.offset + first, self.tensor.offset + last

    def read(self, buffer: Bytes, start: int, stop: int) -> Bytes:
        """The stored bytes of a range of values (whole rows where they are permuted), rows in the order declared."""
        if self._whole is not None:
            return buffer[:0]
        first, last = self.span(start, stop)
        raw = buffer[: last - first]
        if self._order is None:
            self._file.read(raw, first)
            return raw
        columns = self.layout.columns
        size = len(raw) // ((stop - start) // columns)
        for place, row in enumerate(range(start // columns, stop // columns)):
            at = source_row(row, self.tensor, self._order) * columns
            self._file.read(raw[place * size : (place + 1) * size], self.span(at, at + columns)[0])
        return raw

    def decode(self, raw: Bytes, origin: int, start: int, stop: int, room: Values) -> Values:
        """Values start..stop-1, contiguous, in `room` or `raw`; `raw` begins with the block of value `origin`."""
        if self._whole is not None:
            return self._whole[start:stop]
        layout = self.layout
        base = layout.span(origin, origin + 1)[0]
        first, last = layout.span(start, stop)
        blocks = raw[first - base : last - base]
        if self.tensor.dtype == "F32":
            return blocks.view("<f4")
        if layout.row_bytes and stop - start > layout.columns - start % layout.columns:
            return self._compact(blocks, room)
        blocks = blocks.reshape(-1, layout.block_bytes)
        out = room.view(self.kind)[: len(blocks) * layout.block]
        self._decode(blocks, out.reshape(-1, layout.block))
        skip = start % layout.columns % layout.block if layout.row_bytes else start % layout.block
        return out[skip : skip + stop - start]

    def _compact(self, raw: Bytes, room: Values) -> Values:
        """Whole padded rows: decoded, then without their padding."""
        layout = self.layout
        rows = raw.reshape(-1, layout.row_bytes)[:, : layout.row_blocks * layout.block_bytes]
        out = np.empty((len(rows) * layout.row_blocks, layout.block), self.kind)
        self._decode(np.ascontiguousarray(rows).reshape(-1, layout.block_bytes), out)
        kept = room.view(self.kind)[: len(rows) * layout.columns]
        kept.reshape(len(rows), -1)[...] = out.reshape(len(rows), -1)[:, : layout.columns]
        return kept

    def _rows(self) -> int:
        return self.tensor.rows if len(self.tensor.shape) > 1 else self.layout.elements

    def _refused(self, reason: str) -> ReadFailed:
        return ReadFailed(self.tensor.file, self.tensor.offset, self.tensor.nbytes, self.tensor.nbytes, reason)

    def _check_size(self) -> None:
        tensor, wanted = self.tensor, self.layout.nbytes
        if wanted > tensor.nbytes:
            reason = "holds fewer bytes than its shape takes"
            raise ReadFailed(tensor.file, tensor.offset, wanted, tensor.nbytes, reason)
        if tensor.offset + wanted > self._file.size:
            there = max(self._file.size - tensor.offset, 0)
            raise ReadFailed(tensor.file, tensor.offset, wanted, there, "the file ends before its bytes do")

    def _scale(self, file: File) -> np.float32 | None:
        if not self.layout.lead:
            return None
        scale = np.zeros(1, "<f4")
        file.read(scale, self.tensor.offset)
        return np.float32(scale[0])

    def _addressable(self, cut: int) -> bool:
        layout = self.layout
        whole_blocks = layout.row_bytes > 0 or layout.columns % layout.block == 0
        return len(self.tensor.shape) > 1 and whole_blocks and (cut == 0 or layout.columns <= cut)

    def _permuted_whole(self) -> Values:
        assert self._order is not None
        if self.layout.elements > MOST_PERMUTED:
            raise ReadFailed(
                self.tensor.file,
                self.tensor.offset,
                0,
                0,
                "has rows that cannot be put in the declared order one by one",
            )
        rows = read_all(self, 0, self.layout.elements)
        shape = (-1, 1) if len(self.tensor.shape) < 2 else (-1, self.layout.columns)
        moved = permute_rows(rows.reshape(shape), self._order.heads, self._order.direction)
        return np.ascontiguousarray(moved).reshape(-1)


def read_all(side: Side, start: int, stop: int, step: int = 64 * 1024) -> Values:
    """Values start..stop-1 as one array, read and decoded a piece at a time. Raises ReadFailed."""
    layout = side.layout
    out = np.empty(stop - start, side.kind)
    room = np.empty(step + 2 * LARGEST_BLOCK, np.float64)
    order, side._order = side._order, None
    try:
        for first in range(start, stop, step):
            position, last = first, min(first + step, stop)
            while position < last:
                # Padded rows are read one at a time.
                end = min(last, (position // layout.columns + 1) * layout.columns) if layout.row_bytes else last
                low, high = layout.span(position, end)
                raw = side.read(np.empty(high - low, np.uint8), position, end)
                out[position - start : end - start] = side.decode(raw, position, position, end, room)
                position = end
    finally:
        side._order = order
    return out


def source_row(row: int, tensor: Tensor, order: RowPermutation) -> int:
    """Where row `row` of the declared order lies in the tensor."""
    per_head = tensor.rows // order.heads
    head, inside = divmod(row, per_head)
    if order.direction == "interleave":
        pair, half = divmod(inside, 2)
        return head * per_head + half * (per_head // 2) + pair
    half, pair = divmod(inside, per_head // 2)
    return head * per_head + 2 * pair + half


def permute_rows(rows: Any, heads: int, direction: str) -> Any:
    """Rows [n, columns] within each of `heads` heads: halves to pairs ("interleave") or pairs to halves ("split").

    Raises ValueError where n does not divide into that many halves.
    """
    half = len(rows) // heads // 2
    shape = (heads, 2, half, -1) if direction == "interleave" else (heads, half, 2, -1)
    if half * 2 * heads != len(rows):
        raise ValueError(f"{len(rows)} rows are not {heads} heads of two halves")
    return rows.reshape(shape).swapaxes(1, 2).reshape(rows.shape)
