"""Owns where the values of a tensor lie in its bytes, and how they are cut into chunks that fit in cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import lcm

from model_contracts.artifact import Tensor
from model_contracts.sweep.kernels.totals import CHUNK_VALUES

#: Bytes read at a time, and values decoded at a time: what is decoded stays in a core's
#: second-level cache; smaller chunks cost more handing over of the interpreter lock and of turns at the digest.
READ_BYTES = 1024 * 1024
SUB_VALUES = 32 * 1024
#: The largest block of any type; scratch arrays have room for one more at each end.
LARGEST_BLOCK = 256

#: Rows are looked at one by one only where they say something and their number stays small.
FEWEST_COLUMNS = 16
MOST_ROWS = 4_000_000


@dataclass(frozen=True, slots=True)
class BlockLayout:
    """The geometry of one tensor: values are numbered row-major, bytes count from the tensor's offset."""

    tensor: Tensor
    elements: int
    columns: int
    block: int
    block_bytes: int
    #: Bytes before the first block (the scale of APR_Q8).
    lead: int
    #: Bytes of one row where rows are padded to whole blocks; 0 where blocks run on.
    row_bytes: int

    @classmethod
    def of(cls, tensor: Tensor) -> BlockLayout:
        """The layout that a tensor declares. A row that is a whole number of blocks needs no padding."""
        dtype, columns = tensor.type, tensor.columns
        lead = 4 if tensor.dtype == "APR_Q8" else 0
        padded = tensor.row_bytes is not None and columns % dtype.block != 0
        row_bytes = (tensor.row_bytes or 0) if padded else 0
        return cls(tensor, tensor.elements, columns, dtype.block, dtype.block_bytes, lead, row_bytes)

    @property
    def nbytes(self) -> int:
        """Bytes that all values take."""
        if self.row_bytes:
            return self.tensor.rows * self.row_bytes
        return self.lead + -(-self.elements // self.block) * self.block_bytes

    @property
    def row_blocks(self) -> int:
        """Blocks of one padded row."""
        return -(-self.columns // self.block)

    @property
    def decoded(self) -> float:
        """Values decoded for each value kept (padding makes it more than 1)."""
        return self.row_blocks * self.block / self.columns if self.row_bytes else 1.0

    @property
    def bytes_per_value(self) -> float:
        """Bytes read for each value kept."""
        return self.row_bytes / self.columns if self.row_bytes else self.block_bytes / self.block

    def span(self, start: int, stop: int) -> tuple[int, int]:
        """The bytes of the blocks that hold values start..stop-1 (padded rows: whole rows, or a part of one)."""
        if self.row_bytes:
            first, last = start // self.columns, (stop - 1) // self.columns
            head, tail = start - first * self.columns, stop - last * self.columns
            return (
                first * self.row_bytes + head // self.block * self.block_bytes,
                last * self.row_bytes + -(-tail // self.block) * self.block_bytes,
            )
        return (
            self.lead + start // self.block * self.block_bytes,
            self.lead + -(-stop // self.block) * self.block_bytes,
        )


def logical_columns(tensor: Tensor) -> int:
    """Values of one row as reductions see rows: 0 where rows are not looked at, all of a vector."""
    if len(tensor.shape) < 2:
        return tensor.elements
    if tensor.columns < FEWEST_COLUMNS or tensor.rows > MOST_ROWS:
        return 0
    return tensor.columns


@dataclass(frozen=True, slots=True)
class Cut:
    """How many values go together. `unit` values are whole rows and whole blocks on every side."""

    elements: int
    unit: int
    #: Physical row length where some side has padded rows, else 0: such rows are cut only inside themselves.
    padded: int
    chunk: int
    sub: int

    @classmethod
    def of(cls, layouts: Sequence[BlockLayout], columns: int, sub: int = SUB_VALUES, read: int = READ_BYTES) -> Cut:
        """The cut that suits a target and, where there is one, its source (first and second layout)."""
        unit, padded = columns or 1, 0
        for layout in layouts:
            if layout.row_bytes:
                padded = layout.columns
                unit = lcm(unit, layout.columns)
            else:
                unit = lcm(unit, layout.block)
        growth = max(layout.decoded for layout in layouts)
        # A source may be twice as wide as its target: its buffer is larger by that.
        widest = max(layout.bytes_per_value / (1 + (place > 0)) for place, layout in enumerate(layouts))
        chunk = int(min(read / widest, CHUNK_VALUES / growth))
        return cls(layouts[0].elements, unit, padded, chunk, min(chunk, int(sub / growth)))

    def chunks(self) -> Iterator[tuple[int, int]]:
        """The whole tensor as ranges of values, in order."""
        return self._ranges(0, self.elements, self.chunk)

    def subs(self, start: int, stop: int, limit: int = 0) -> Iterator[tuple[int, int]]:
        """One chunk as ranges that are decoded and reduced at once."""
        return self._ranges(start, stop, limit or self.sub)

    def _ranges(self, start: int, stop: int, limit: int) -> Iterator[tuple[int, int]]:
        if self.unit <= limit:
            step = limit // self.unit * self.unit
        elif self.padded and self.padded > limit:
            yield from self._inside_rows(start, stop, limit)
            return
        elif self.padded:
            step = limit // self.padded * self.padded
        else:
            step = max(limit // LARGEST_BLOCK, 1) * LARGEST_BLOCK
        for first in range(start, stop, step):
            yield first, min(first + step, stop)

    def _inside_rows(self, start: int, stop: int, limit: int) -> Iterator[tuple[int, int]]:
        step = max(limit // LARGEST_BLOCK, 1) * LARGEST_BLOCK
        while start < stop:
            row_end = (start // self.padded + 1) * self.padded
            end = min(start + step, row_end, stop)
            yield start, end
            start = end


def pieces(start: int, stop: int, columns: int) -> Iterator[tuple[int, int, int, bool]]:
    """A range of values as (first value, rows, columns, complete): a partial row, whole rows, a partial row."""
    if columns == 0:
        yield start, 1, stop - start, False
        return
    if head := start % columns:
        end = min(start - head + columns, stop)
        yield start, 1, end - start, False
        start = end
    if rows := (stop - start) // columns:
        yield start, rows, columns, True
        start += rows * columns
    if start < stop:
        yield start, 1, stop - start, False
