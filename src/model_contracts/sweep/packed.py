"""Owns one side of a comparison that is several stored tensors: values decoded by their scheme, given as float32."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from threading import Lock
from typing import Protocol

import numpy as np

from model_contracts.artifact import Tensor
from model_contracts.sweep.blocks import BlockLayout
from model_contracts.sweep.kernels.totals import Bytes, Values
from model_contracts.sweep.reads import Files, ReadFailed
from model_contracts.sweep.schemes import PartsRefused, opened

#: Values decoded at once where few are asked for, and where rows lie across those that are stored: a run of each is
#: then long enough to be worth a read. Three such bands are kept for the threads of a pass.
_FEW, _BAND, _TURNED, _BANDS = 64 * 1024, 256 * 1024, 2 * 1024 * 1024, 3


class _DecodedRows:
    """Some rows: whoever comes first decodes them, and others wait for that."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.values: Values | None = None


class Rectangles(Protocol):
    """Where values come from a rectangle at a time; `turned`: many rows are best asked for at once."""

    turned: bool

    def rectangle(self, rows: range, columns: range) -> Values:
        """Values as float32 [rows, columns]; leading axes count as rows. Raises ReadFailed."""
        ...


class RectangleSide:
    """A tensor whose values are given as rectangles of float32, read as `Side` is. Raises ReadFailed."""

    def __init__(self, tensor: Tensor, decoder: Rectangles) -> None:
        self.tensor = replace(tensor, dtype="F32", packed=None, made=None, computed=None, row_bytes=None)
        self.layout = BlockLayout.of(self.tensor)
        self.kind: type[np.float32] | type[np.float64] = np.float32
        self.stored: str | None = "F32"
        self._decoder = decoder
        self._columns = max(tensor.columns, 1)
        self._rows = max(1, (_TURNED if decoder.turned else _BAND) // self._columns)
        self._bands: OrderedDict[int, _DecodedRows] = OrderedDict()
        self._lock = Lock()

    def span(self, start: int, stop: int) -> tuple[int, int]:
        """The bytes of a range of values, as float32 from the first of them."""
        return self.layout.span(start, stop)

    def read(self, buffer: Bytes, start: int, stop: int) -> Bytes:
        """The values start..stop-1, decoded, as bytes of float32."""
        raw = buffer[: 4 * (stop - start)]
        self._run(raw.view("<f4"), start, stop)
        return raw

    def decode(self, raw: Bytes, origin: int, start: int, stop: int, room: Values) -> Values:
        """Values start..stop-1 of what `read` gave from `origin` on."""
        values: Values = raw.view("<f4")[start - origin : stop - origin]
        return values

    def _run(self, out: Values, start: int, stop: int) -> None:
        if not self._decoder.turned and stop - start >= _FEW:
            self._fill(out, start, stop)
            return
        width, at = self._rows * self._columns, start
        if width > max(_TURNED, _BAND):  # rows longer than a band are decoded as they are asked for
            self._fill(out, start, stop)
            return
        while at < stop:
            number = at // width
            end = min(stop, (number + 1) * width)
            out[at - start : end - start] = self._band(number, width)[at - number * width : end - number * width]
            at = end

    def _band(self, number: int, width: int) -> Values:
        with self._lock:
            band = self._bands.get(number)
            if band is None:
                band = self._bands[number] = _DecodedRows()
                while len(self._bands) > _BANDS:
                    self._bands.popitem(last=False)
        with band.lock:
            if band.values is None:
                first, last = number * width, min((number + 1) * width, self.tensor.elements)
                values: Values = np.empty(last - first, np.float32)
                self._fill(values, first, last)
                band.values = values
            return band.values

    def _fill(self, out: Values, start: int, stop: int) -> None:
        """Decode values start..stop-1: whole rows at once, the rest of a row by itself."""
        columns, at = self._columns, start
        with np.errstate(all="ignore"):
            while at < stop:
                row, inside = divmod(at, columns)
                rows = (stop - at) // columns if not inside else 0
                end = at + rows * columns if rows else min(stop, (row + 1) * columns)
                places = range(inside, inside + end - at) if not rows else range(columns)
                block = self._decoder.rectangle(range(row, row + max(rows, 1)), places)
                out[at - start : end - start].reshape(block.shape)[...] = block
                at = end


class PackedSide(RectangleSide):
    """A packed weight ready to be read, as float32; as `Side` is. Raises ReadFailed."""

    def __init__(self, tensor: Tensor, files: Files) -> None:
        assert tensor.packed is not None
        try:
            decoder = opened(tensor.packed, tensor.shape, files)
        except PartsRefused as error:
            raise ReadFailed(tensor.file, tensor.offset, 0, 0, f"cannot be decoded: {error}") from None
        super().__init__(tensor, decoder)
