"""Owns rows of 4-bit fields outside AWQ's turned matrix: plain, in AWQ's order, two rows a byte, shuffled by blocks."""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np

from model_contracts.sweep.kernels.totals import Values
from model_contracts.sweep.schemes.codes import REORDERED, stream
from model_contracts.sweep.schemes.grid import by_group
from model_contracts.sweep.schemes.interface import ROW, Grain, PartMatrix, Parts, PartsRefused, known

#: Where each of 32 neighbouring columns lies among them in AutoAWQ's gemv_fast.
_COLUMN = np.arange(32)
SHUFFLED = _COLUMN // 2 % 4 * 8 + _COLUMN % 2 * 4 + _COLUMN // 8
#: Columns of four rows that lie behind each other there.
_CHUNK = 64


def words_of(columns: int, group: int) -> int:
    """Words a row of AWQ's gemv zero points: groups by eight, in steps that a kernel reads (AutoAWQ 0.2.9)."""
    groups = 1 if group < 1 else -(-columns // group)
    step = 1 if group < 1 or group >= 128 else 2 if group == 64 else 4
    return ceil(ceil(groups / 8) / step) * step


class Nibbles:
    """`(field - zero) * scale + offset`, groups along each row; `signed` fields are two's complement.

    `fields` says where they lie: `stream`, `reordered` (AWQ's order of eight), `pairs` (rows 2k and 2k + 1 in the low
    and the high half of a byte), `shuffled` (gemv_fast). `upright` scales and offsets are [groups, rows]; there and
    beside packed zero points they may be padded.
    """

    turned = False

    def __init__(self, parts: Parts) -> None:
        height, columns, group = parts.shape[-2], parts.columns, parts.whole("group", -1)
        self._fields = str(parts.settings.get("fields", "stream"))
        if parts.lead != 1 or columns % 8 or parts.whole("bits", 4) != 4:
            raise PartsRefused(f"{parts.settings.get('bits')} bits in {list(parts.shape)}")
        self._columns, self._group = columns, group if group > 0 else columns
        if columns % self._group:
            raise PartsRefused(f"rows of {columns} columns in groups of {self._group}")
        self._groups = columns // self._group
        self._signed = parts.signed
        self._values = self._stored(parts, height, columns)
        self._upright = parts.settings.get("upright") is True
        self._scale, self._offset = self._numbers(parts, "scale"), None
        if "offset" in parts.held:
            self._offset = self._numbers(parts, "offset")
        self._zero = self._zeros(parts, height) if "zero" in parts.held else None
        free = self._zero is not None or self._offset is not None
        self._shift = np.float32(parts.shift + (0 if self._signed or free else 8))
        self.grain: Grain = (f"{'UINT' if free else 'INT'}4", self._group if self._groups > 1 else ROW)
        self._inputs = parts.matrix("inputs", 1, columns) if "inputs" in parts.held else None

    def _stored(self, parts: Parts, height: int, columns: int) -> PartMatrix:
        if self._fields == "pairs":
            if height % 2:
                raise PartsRefused(f"{height} rows are no pairs")
            return parts.bytes("values", height // 2, columns)
        if self._fields == "shuffled":
            if height % 4 or columns % _CHUNK:
                raise PartsRefused(f"{height} x {columns} values are no whole blocks")
            return parts.bytes("values", height // 4, 2 * columns)
        if self._fields not in ("stream", "reordered"):
            raise PartsRefused(f"nothing decodes fields that are {self._fields}")
        return parts.bytes("values", height, columns // 2)

    def _numbers(self, parts: Parts, role: str) -> PartMatrix:
        """Scales or offsets; padded ones lie beyond those of the groups there are."""
        height, padded = parts.shape[-2], parts.settings.get("padded") is True
        wide = 8 * words_of(self._columns, self._group) if padded else self._groups
        matrix = parts.matrix(role, *((wide, height) if self._upright else (height, wide)))
        known(matrix.held, "F16", "BF16", "F32")
        return matrix

    def _zeros(self, parts: Parts, height: int) -> PartMatrix:
        """Packed zero points: along the groups of each row, or (one a row) along the rows."""
        held = parts.held["zero"]
        known(held, "I32")
        if self._fields == "reordered":
            if self._groups > 1 or height % 8:
                raise PartsRefused("its zero points are packed in a way that is not known")
            return parts.matrix("zero", 1, height // 8)
        return parts.matrix("zero", height, words_of(self._columns, self._group))

    def rectangle(self, rows: range, columns: range) -> Values:
        """Values as float32 [rows, columns]."""
        fields = self._field_of(rows, columns)
        if self._signed:
            fields = (fields ^ np.uint8(8)).view(np.int8) - np.int8(8)
        values: Values = fields.astype(np.float32)
        if self._shift:
            values -= self._shift
        if self._zero is not None:
            self._apply(np.subtract, values, self._zero_of(rows), columns)
        self._apply(np.multiply, values, self._of(self._scale, rows), columns)
        if self._offset is not None:
            self._apply(np.add, values, self._of(self._offset, rows), columns)
        if self._inputs is not None:
            values *= self._inputs.floats(range(1), columns)
        return values

    def _field_of(self, rows: range, columns: range) -> Any:
        if self._fields == "pairs":
            first = rows.start // 2
            raw = self._values.raw(range(first, -(-rows.stop // 2)), columns)
            both = np.stack([raw & np.uint8(15), raw >> np.uint8(4)], axis=1).reshape(-1, len(columns))
            return both[rows.start - 2 * first : rows.stop - 2 * first]
        wide = _CHUNK if self._fields == "shuffled" else 8
        first = columns.start // wide * wide
        last = min(-(-columns.stop // wide) * wide, self._columns)
        skip = slice(columns.start - first, columns.stop - first)
        if self._fields == "shuffled":
            return self._shuffled(rows, first, last)[:, skip]
        fields = stream(self._values.raw(rows, range(first // 2, last // 2)), 4, 0, last - first)
        if self._fields == "reordered":
            fields = fields.reshape(len(rows), -1, 8)[:, :, REORDERED].reshape(len(rows), -1)
        return fields[:, skip]

    def _shuffled(self, rows: range, first: int, last: int) -> Any:
        top = rows.start // 4
        raw = self._values.raw(range(top, -(-rows.stop // 4)), range(2 * first, 2 * last))
        blocks = stream(raw, 4, 0, 2 * raw.shape[1]).reshape(len(raw), -1, 4, 2, 32)[..., SHUFFLED]
        fields = blocks.transpose(0, 2, 1, 3, 4).reshape(4 * len(raw), last - first)
        return fields[rows.start - 4 * top : rows.stop - 4 * top]

    def _of(self, matrix: PartMatrix, rows: range) -> Values:
        """Scales or offsets as float32 [rows, groups]."""
        groups = range(self._groups)
        return matrix.floats(groups, rows).T if self._upright else matrix.floats(rows, groups)

    def _zero_of(self, rows: range) -> Values:
        """Zero points as float32 [rows, groups]."""
        assert self._zero is not None
        if self._fields == "reordered":
            first = rows.start // 8
            words = np.ascontiguousarray(self._zero.words(range(1), range(first, -(-rows.stop // 8))))
            fields = stream(words.view(np.uint8), 4, 0, 8 * words.shape[1]).reshape(-1, 8)[:, REORDERED].reshape(-1)
            if self._signed:
                fields = (fields ^ np.uint8(8)).view(np.int8) - np.int8(8)
            found: Values = fields[rows.start - 8 * first : rows.stop - 8 * first, None].astype(np.float32)
            return found
        words = np.ascontiguousarray(self._zero.words(rows, range(-(-self._groups // 8))))
        zeros: Values = stream(words.view(np.uint8), 4, 0, self._groups).astype(np.float32)
        return zeros

    def _apply(self, change: np.ufunc, values: Values, numbers: Values, columns: range) -> None:
        first, last = columns.start // self._group, -(-columns.stop // self._group)
        if columns.start % self._group == 0 and len(columns) % self._group == 0:
            by_group(change, values, numbers[:, first:last], self._group)
        else:
            change(values, np.take(numbers, np.arange(columns.start, columns.stop) // self._group, axis=1), out=values)
