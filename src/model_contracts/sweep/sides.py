"""Owns one side of a comparison: a tensor's bytes read for a range of values, and decoded."""

from __future__ import annotations

from typing import Any, Literal, Protocol

import numpy as np

from model_contracts.artifact import Tensor
from model_contracts.sweep.blocks import LARGEST_BLOCK, BlockLayout
from model_contracts.sweep.kernels.decode_numpy import Decoder, value_type
from model_contracts.sweep.kernels.totals import Bytes, Values
from model_contracts.sweep.reads import File, Files, ReadFailed


class Decoders(Protocol):
    """Where decoders come from: an engine."""

    name: Literal["numba", "numpy"]
    sub_values: int

    def decoder(self, name: str, scale: np.float32 | None = None) -> Decoder | None:
        """The decoder of a type, None where there is none."""
        ...


class Readable(Protocol):
    """A tensor whose values are read a range at a time: stored bytes first, then values of parts of them."""

    tensor: Tensor
    layout: BlockLayout
    #: float32, or float64 where values need it.
    kind: Any
    #: The type of the bytes that `read` gives, where they hold the values themselves (None: `decode` changes them).
    stored: str | None

    def span(self, start: int, stop: int) -> tuple[int, int]:
        """The bytes of a range of values, from wherever this side counts them."""
        ...

    def read(self, buffer: Bytes, start: int, stop: int) -> Bytes:
        """The blocks that hold values start..stop-1, in `buffer`. Raises ReadFailed."""
        ...

    def decode(self, raw: Bytes, origin: int, start: int, stop: int, room: Values) -> Values:
        """Values start..stop-1, contiguous, in `room` or `raw`; `raw` begins with the block of value `origin`."""
        ...


class Decoded:
    """What is known of values from their blocks of bytes, wherever those come from."""

    layout: BlockLayout
    kind: Any
    _decode: Decoder

    def decode(self, raw: Bytes, origin: int, start: int, stop: int, room: Values) -> Values:
        """Values start..stop-1, contiguous, in `room` or `raw`; `raw` begins with the block of value `origin`."""
        layout = self.layout
        base = layout.span(origin, origin + 1)[0]
        first, last = layout.span(start, stop)
        blocks = raw[first - base : last - base]
        if layout.tensor.dtype == "F32":
            whole: Values = blocks.view("<f4")
            return whole
        if layout.row_bytes and stop - start > layout.columns - start % layout.columns:
            return self._compact(blocks, room)
        blocks = blocks.reshape(-1, layout.block_bytes)
        out: Values = room.view(self.kind)[: len(blocks) * layout.block]
        self._decode(blocks, out.reshape(-1, layout.block))
        skip = start % layout.columns % layout.block if layout.row_bytes else start % layout.block
        return out[skip : skip + stop - start]

    def _compact(self, raw: Bytes, room: Values) -> Values:
        """Whole padded rows: decoded, then without their padding."""
        layout = self.layout
        rows = raw.reshape(-1, layout.row_bytes)[:, : layout.row_blocks * layout.block_bytes]
        out = np.empty((len(rows) * layout.row_blocks, layout.block), self.kind)
        self._decode(np.ascontiguousarray(rows).reshape(-1, layout.block_bytes), out)
        kept: Values = room.view(self.kind)[: len(rows) * layout.columns]
        kept.reshape(len(rows), -1)[...] = out.reshape(len(rows), -1)[:, : layout.columns]
        return kept


class Side(Decoded):
    """A stored tensor ready to be read. Raises ReadFailed where it cannot be, as `read` does later."""

    def __init__(self, tensor: Tensor, files: Files, engine: Decoders) -> None:
        self.tensor, self.layout = tensor, BlockLayout.of(tensor)
        self.kind = value_type(tensor.dtype)
        self.stored: str | None = tensor.dtype
        self.file = files.get(tensor.file)
        self._check_size()
        decode = engine.decoder(tensor.dtype, self._scale(self.file))
        if decode is None:
            raise ReadFailed(
                tensor.file, tensor.offset, tensor.nbytes, 0, f"holds {tensor.dtype}, which nothing decodes"
            )
        self._decode = decode

    def span(self, start: int, stop: int) -> tuple[int, int]:
        """The bytes, from the file's start, of a range of values."""
        first, last = self.layout.span(start, stop)
        return self.tensor.offset + first, self.tensor.offset + last

    def read(self, buffer: Bytes, start: int, stop: int) -> Bytes:
        """The stored bytes of a range of values."""
        first, last = self.span(start, stop)
        raw = buffer[: last - first]
        self.file.read(raw, first)
        return raw

    def _check_size(self) -> None:
        tensor, wanted = self.tensor, self.layout.nbytes
        if wanted > tensor.nbytes:
            reason = "holds fewer bytes than its shape takes"
            raise ReadFailed(tensor.file, tensor.offset, wanted, tensor.nbytes, reason)
        if tensor.offset + wanted > self.file.size:
            there = max(self.file.size - tensor.offset, 0)
            raise ReadFailed(tensor.file, tensor.offset, wanted, there, "the file ends before its bytes do")

    def _scale(self, file: File) -> np.float32 | None:
        if not self.layout.lead:
            return None
        scale = np.zeros(1, "<f4")
        file.read(scale, self.tensor.offset)
        return np.float32(scale[0])


def read_all(side: Readable, start: int, stop: int, step: int = 64 * 1024) -> Values:
    """Values start..stop-1 as one array, read and decoded a piece at a time. Raises ReadFailed."""
    layout = side.layout
    out = np.empty(stop - start, side.kind)
    room = np.empty(step + 2 * LARGEST_BLOCK, np.float64)
    for first in range(start, stop, step):
        position, last = first, min(first + step, stop)
        while position < last:
            # Padded rows are read one at a time.
            end = min(last, (position // layout.columns + 1) * layout.columns) if layout.row_bytes else last
            low, high = layout.span(position, end)
            raw = side.read(np.empty(high - low, np.uint8), position, end)
            out[position - start : end - start] = side.decode(raw, position, position, end, room)
            position = end
    return out


def values_of(side: Readable, start: int, stop: int) -> Values:
    """Values start..stop-1, decoded, as an array of its own or a part of one. Raises ReadFailed."""
    layout = side.layout
    if layout.row_bytes:
        return read_all(side, start, stop)
    first, last = side.span(start, stop)
    raw = side.read(np.empty(last - first, np.uint8), start, stop)
    return side.decode(raw, start, start, stop, np.empty(stop - start + 2 * layout.block, np.float64))
