"""Owns how the codes of a packed weight use the range of their scales, unit by unit: values that share a scale.

Codes are what the decoder makes of a weight whose scales are all one. Some bands of rows are looked at, spread over the
weight: codes that never reach their ends do so nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from math import gcd
from typing import Any

import numpy as np

from model_contracts.artifact import Packed, Tensor
from model_contracts.sweep.figures import PackedFigures, UnitFigures
from model_contracts.sweep.part_figures import parts_of
from model_contracts.sweep.reads import Files, ReadFailed
from model_contracts.sweep.schemes import Decoder, PartsRefused, opened
from model_contracts.sweep.schemes.interface import ROW, TENSOR

#: Values of a weight whose units are looked at, and the largest band of rows that is decoded for it.
_LOOKED, _BAND = 1 << 19, 1 << 21
#: The largest magnitude of each kind of number; whole numbers of b bits reach 2^(b-1) - 1 and span 2^b - 1.
TOPS = {
    "E4M3": 448.0, "E5M2": 57344.0, "E4M3FNUZ": 240.0, "E5M2FNUZ": 57344.0, "MXFP8": 448.0, "MXFP6": 7.5,
    "MXFP4": 6.0, "NVFP4": 6.0, "NF4": 1.0, "FP4": 1.0,
}  # fmt: skip
#: Magnitudes below this are none: an exponent of zero (E8M0), or leftover memory, makes such of every code.
_NOTHING = 2.0**-60
#: Kinds of whole numbers, of 1 to 8 bits.
_WHOLE = re.compile("U?INT[1-8]")
#: A code this near to its end has reached it: one step of an 8-bit float (448 and 416), and of a rounded scale.
REACHED = 0.92
#: Some writers of FP4 bring the largest magnitude to 4 and not to 6, block by block, where that errs less.
_FOUR_OR_SIX = 6.0


@dataclass(frozen=True, slots=True)
class _Units:
    """So many rows and columns share a scale; `flat` runs of values do, whatever row they are in."""

    tall: int
    wide: int
    flat: bool = False


def packed_figures(tensor: Tensor, files: Files) -> PackedFigures | None:
    """What the parts of a packed weight show, and its units where its parts can be read."""
    assert tensor.packed is not None
    found = parts_of(tensor.packed, files)
    with suppress(ReadFailed, PartsRefused):  # the pass over its values tells of it
        found.units = units_of(tensor, files)
    return found


def units_of(tensor: Tensor, files: Files) -> UnitFigures | None:
    """The figures of a packed weight's units; None where it is not known which values share a scale.

    Raises ReadFailed.
    """
    packed = tensor.packed
    units = _units(packed, tensor.shape) if packed is not None else None
    if packed is None or units is None:
        return None
    plain = tuple((name, value) for name, value in packed.settings if name not in ("divisor", "global_per"))
    bare = replace(packed, settings=(*plain, ("misread", "codes")))
    codes, values = opened(bare, tensor.shape, files), opened(packed, tensor.shape, files)
    reach = _Reach.of(str((packed.grain or ("", 0))[0]), any(role == "offset" for role, _ in packed.roles))
    found = UnitFigures(units=_count(tensor, units))
    order = _order(codes)
    columns = _across(tensor, units) if order is None else range(tensor.columns)
    for rows in _bands(tensor, units, len(columns)):
        with np.errstate(all="ignore"):
            _look(found, codes, values, rows, columns, units, order, reach)
    return found


def _units(packed: Packed, shape: tuple[int, ...]) -> _Units | None:
    kind, share = packed.grain or ("", 0)
    if kind not in TOPS and _WHOLE.fullmatch(kind) is None:
        return None
    if packed.decoder == "hqq":
        return None
    if packed.decoder == "bitsandbytes":
        return _Units(1, share, flat=True)
    if share != TENSOR:
        return _Units(1, share if share != ROW else shape[-1])
    settings, scale = dict(packed.settings), dict(packed.roles).get("scale")
    if scale is None:
        return None
    sizes = (
        [settings.get(name) for name in ("rows", "block_rows")],
        [settings.get(name) for name in ("columns", "block_columns", "group")],
    )
    tall, wide = (next((size for size in some if isinstance(size, int) and size > 0), 0) for some in sizes)
    if scale.elements == 1 or not tall or not wide:
        return _Units(shape[-2], shape[-1]) if scale.elements in (1, np.prod(shape[:-2])) else None
    return _Units(min(tall, shape[-2]), min(wide, shape[-1]))


@dataclass(frozen=True, slots=True)
class _Reach:
    """The largest magnitude of codes, and how far apart they may lie (None: they are symmetric).

    Codes of an `offset` are counted from it: only how far apart they lie is known.
    """

    top: float
    span: float | None
    offset: bool

    @classmethod
    def of(cls, kind: str, offset: bool) -> _Reach:
        if kind in TOPS:
            return cls(TOPS[kind], None, False)
        bits = int(kind.partition("INT")[2])
        return cls(float(max((1 << (bits - 1)) - 1, 1)), float((1 << bits) - 1), offset)

    @property
    def reached(self) -> float:
        """The share of the range from which a unit has reached its end."""
        if self.top == _FOUR_OR_SIX:
            return 4 / 6
        return REACHED if self.span is None else min(REACHED, 1 - 1 / (self.span + 1))

    def __call__(self, low: Any, high: Any) -> Any:
        """The share of the range that units use."""
        if self.offset and self.span is not None:
            return (high - low) / self.span
        share = np.maximum(np.abs(low), np.abs(high)) / self.top
        if self.span is not None:
            share = np.maximum(share, (np.maximum(high, 0) - np.minimum(low, 0)) / self.span)
        return np.nan_to_num(share, nan=1.0)


def _count(tensor: Tensor, units: _Units) -> int:
    if units.flat:
        return -(-tensor.elements // units.wide)
    height = max(tensor.shape[-2], 1)
    return tensor.rows // height * -(-height // units.tall) * -(-tensor.columns // units.wide)


def _across(tensor: Tensor, units: _Units) -> range:
    """The columns that are looked at: all, or the first where a band of all of them would be large."""
    if units.flat or units.tall * tensor.columns <= _BAND:
        return range(tensor.columns)
    return range(_BAND // (units.tall * units.wide) * units.wide)


def _bands(tensor: Tensor, units: _Units, columns: int) -> Iterator[range]:
    """Bands of rows, spread over the weight, whose units are whole; those of one matrix each."""
    height = tensor.shape[-2]
    tall = units.tall
    if units.flat:  # a band begins and ends where a run does
        tall = units.wide // gcd(units.wide, columns)
    if not columns or tall * columns > _BAND:
        return
    tall = min(height, max(_LOOKED // 16 // columns // tall, 1) * tall)
    per = -(-height // tall)
    total = tensor.rows // height * per
    wanted = min(total, max(1, _LOOKED // (tall * columns)))
    for place in range(wanted):
        matrix, band = divmod(place * total // wanted, per)
        start = matrix * height + band * tall
        yield range(start, min(start + tall, (matrix + 1) * height))


def _order(codes: Decoder) -> Any:
    read = getattr(codes, "order", None)
    return read() if read is not None else None


def _look(
    found: UnitFigures, codes: Decoder, values: Decoder, rows: range, columns: range, units: _Units, order: Any,
    share: _Reach,
) -> None:  # fmt: skip
    """Add the units of a band."""
    field, value = codes.rectangle(rows, columns), values.rectangle(rows, columns)
    if order is not None:  # columns of one group side by side
        sorted_by = np.argsort(order, kind="stable")
        field, value = field[:, sorted_by], value[:, sorted_by]
    low, high = _extremes(field, units)
    peak = np.maximum(np.abs(low), np.abs(high))
    if not peak.size:
        return
    lost = (peak > 0) & (np.maximum(*map(np.abs, _extremes(value, units))) < _NOTHING)
    reach = share(low, high)
    flat = (low == high) & (peak > 0) if units.tall * units.wide > 8 else np.zeros(peak.shape, bool)
    used = peak > 0
    half = used & (reach < 0.5)
    if not share.offset:
        found.total += float(field.sum(dtype=np.float64))
        found.codes += int(np.count_nonzero(used)) * (field.size // max(peak.size, 1))
    found.looked += peak.size
    found.blank += int(np.count_nonzero(~used))
    found.short += int(np.count_nonzero(used & (reach < share.reached)))
    found.reach = max(found.reach, float(reach.max()))
    for name, where in (("half", half), ("lost", lost), ("flat", flat)):
        if many := int(np.count_nonzero(where)):
            setattr(found, name, getattr(found, name) + many)
            if getattr(found, f"first_{name}") is None:
                setattr(found, f"first_{name}", _place(where, rows, len(columns), units))


def _extremes(block: Any, units: _Units) -> tuple[Any, Any]:
    """The least and the largest of each unit of a band [rows, columns]; a run that the band cuts is left out."""
    if units.flat:
        runs = block.reshape(-1)[: block.size // units.wide * units.wide].reshape(-1, units.wide)
        return runs.min(1), runs.max(1)
    starts = np.arange(0, block.shape[1], units.wide)
    low, high = (change.reduceat(block, starts, axis=1) for change in (np.minimum, np.maximum))
    if units.tall > 1:
        down = np.arange(0, len(block), units.tall)
        low, high = np.minimum.reduceat(low, down, axis=0), np.maximum.reduceat(high, down, axis=0)
    return low, high


def _place(where: Any, rows: range, columns: int, units: _Units) -> tuple[int, int]:
    """Row and first column of the first unit that is marked."""
    at = int(np.argmax(where))
    if units.flat:
        row, column = divmod(at * units.wide, columns)
        return rows.start + row, column
    down, across = np.unravel_index(at, where.shape)
    return rows.start + int(down) * units.tall, int(across) * units.wide
