"""Owns the tensor entries of a GGUF header: names, shapes, types, and the place of each in the data section."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from model_contracts.artifact import Tensor
from model_contracts.dtypes import DTYPES, GGML_CODES
from model_contracts.formats.gguf_values import Window
from model_contracts.formats.tally import FormatTally, HeaderRefused

#: The fewest bytes of an entry: name length, number of axes, type, offset.
SMALLEST_ENTRY = 24
_LIMIT = 1 << 63
_AXES_FOLLOWED = 16
_NAME_FOLLOWED = 65_535
_SHAPES = 4096
#: What follows the number of axes: the axes, the type, the offset.
_TAILS = [struct.Struct(f"<{axes}QIQ") for axes in range(_AXES_FOLLOWED + 1)]
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_PLACED = "llama.cpp refuses to load this; gguf-py's reader does not notice"


class Entry(NamedTuple):
    """One tensor as declared; `offset` counts from the start of the data section.

    `nbytes` is None where the type is unknown or the shape out of range: its extent is then not known.
    """

    name: str
    dtype: str | None
    shape: tuple[int, ...]
    offset: int
    nbytes: int | None
    sound: bool


@dataclass(slots=True)
class Entries:
    """The tensor entries of one header, in file order."""

    tally: FormatTally
    entries: list[Entry] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    #: Each shape once, for all tensors that have it.
    shapes: dict[tuple[int, ...], tuple[int, ...]] = field(default_factory=dict)

    def read(self, window: Window, count: int) -> None:
        """Parse `count` entries; raises Refused where one cannot be parsed."""
        for _ in range(count):
            self.entries.append(self._entry(window))

    def _entry(self, window: Window) -> Entry:
        start, broken = window.at, window.not_text
        name, length = window.text("name_length", _NAME_FOLLOWED, "")
        window.charge(512)
        self._name(name, length, start, window.not_text > broken)
        at, axes = window.at, window.u32()
        if axes > 4:
            self.tally.compare("format", "axes", False, "at most 4 axes", axes, tensor=name, offset=at)
            if axes > _AXES_FOLLOWED:
                raise HeaderRefused("axes", "at most 4 axes", axes, at)
        *ne, code, offset = window.fields(_TAILS[axes])
        shape, at = self._shape(tuple(ne[::-1])), window.at - 12
        dtype = GGML_CODES.get(code)
        if dtype is None:
            note = "the tensor is left out: no other type stands in for one that is not known"
            expected = "a type number of ggml"
            self.tally.compare("dtypes", "dtype_known", False, expected, code, tensor=name, offset=at, note=note)
            return Entry(name, None, shape, offset, None, False)
        return self._sized(name, dtype, shape, offset, axes)

    def _shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        if len(self.shapes) < _SHAPES:
            return self.shapes.setdefault(shape, shape)
        return self.shapes.get(shape, shape)

    def _name(self, name: str, length: int, at: int, broken: bool) -> None:
        compare = self.tally.compare
        if name in self.names:
            compare("names", "name_unique", False, "one tensor of this name", "another one", tensor=name, offset=at)
        self.names.add(name)
        if length >= 64:
            note = "ggml keeps 64 bytes for a name, the last of them 0; gguf-py's reader does not notice"
            compare("names", "name_length", False, "fewer than 64 bytes", length, tensor=name, offset=at, note=note)
        if not name:
            note = "ggml and gguf-py accept a tensor without a name; nothing can ask for it"
            compare("portability", "tensor_named", False, "a name", "", offset=at, note=note)
        if broken:
            note = "the specification asks for UTF-8; ggml accepts these bytes, gguf-py fails once it decodes them"
            compare("portability", "text_utf8", False, "UTF-8", name, tensor=name, offset=at, note=note)
        if _CONTROL.search(name):
            note = "ggml reads a name up to its first 0 byte; gguf-py reads it whole"
            compare("portability", "name_legal", False, "no control character", name, offset=at, note=note)

    def _sized(self, name: str, dtype: str, shape: tuple[int, ...], offset: int, axes: int) -> Entry:
        """Compare the shape with what can be counted: no product or padded size reaches 2^63."""
        kind, values, elements = DTYPES[dtype], 1, 1
        for axis in shape:
            values *= axis or 1
            elements *= axis
        columns = shape[-1] if shape else 1
        # One row at a time is counted in whole blocks, so that nothing is too small where a row is not whole.
        nbytes = elements // columns * kind.nbytes(columns) if columns else 0
        if values >= _LIMIT or nbytes + 32 >= _LIMIT:
            expected = "fewer than 2^63 values, and fewer than 2^63 bytes with their padding"
            note = "as a 64-bit number the product or the padded size wraps"
            self.tally.compare("format", "shape_in_range", False, expected, list(shape), tensor=name, note=note)
            return Entry(name, dtype, shape, offset, None, False)
        if columns % kind.block:
            expected = f"rows of whole blocks of {kind.block} values for {dtype}"
            self.tally.compare("format", "row_is_whole_blocks", False, expected, columns, tensor=name)
            return Entry(name, dtype, shape, offset, nbytes, False)
        return Entry(name, dtype, shape, offset, nbytes, axes <= 4)


@dataclass(slots=True)
class Placement:
    """Where the entries lie once the alignment is known: each begins where the one before it ended, padded."""

    tally: FormatTally
    alignment: int
    data_offset: int
    size: int
    #: Where the data of the well-placed tensors ends, as offsets into the data section.
    end: int = 0
    padded_end: int = 0
    #: False where an extent is not known, or lies elsewhere: nothing can then be said about what follows the data.
    complete: bool = True

    def tensors(self, path: Path, entries: list[Entry]) -> tuple[Tensor, ...]:
        """Compare every offset and build the tensors; those of unknown type are left out."""
        expected: int | None = 0
        tensors = []
        cut = 0
        for entry in entries:
            placed = self._placed(entry, expected)
            expected = self._next(entry, placed)
            if entry.dtype is None:
                continue
            begin, nbytes = self.data_offset + entry.offset, entry.nbytes or 0
            inside = begin + nbytes <= self.size
            cut += placed and not inside
            readable = entry.sound and inside
            tensors.append(Tensor(entry.name, entry.dtype, entry.shape, path, begin, nbytes, readable=readable))
        self._file_size(cut)
        return tuple(tensors)

    def _placed(self, entry: Entry, expected: int | None) -> bool:
        if expected is None:
            holds, wanted = entry.offset % self.alignment == 0, f"a multiple of {self.alignment}"
        else:
            holds, wanted = entry.offset == expected, f"byte {expected:,} of the data"
        if not holds:
            observed = f"byte {entry.offset:,}"
            compare = self.tally.compare
            compare("format", "offset_consecutive", False, wanted, observed, tensor=entry.name, note=_PLACED)
        return holds

    def _next(self, entry: Entry, placed: bool) -> int | None:
        """Where the next tensor has to begin; None where that cannot be known."""
        self.complete &= placed and entry.sound
        if entry.nbytes is None or not entry.sound:
            return None
        end = entry.offset + entry.nbytes
        padded = -(-end // self.alignment) * self.alignment
        if padded >= _LIMIT:
            if placed:
                expected = "a data section of fewer than 2^63 bytes"
                self.tally.compare("format", "data_in_range", False, expected, end, tensor=entry.name)
            return None
        if placed or self.data_offset + end <= self.size:
            self.end, self.padded_end = max(self.end, end), max(self.padded_end, padded)
        return padded

    def _file_size(self, cut: int) -> None:
        compare, owed = self.tally.compare, self.data_offset + self.end if self.end else 0
        note = f"{owed - self.size:,} bytes are missing, and {cut:,} tensors are cut or gone"
        if not compare("sizes", "data_size", self.size >= owed, owed, self.size, offset=self.size, note=note):
            return
        padded = self.data_offset + self.padded_end
        if self.padded_end:
            note = "llama.cpp and gguf-py accept the file; ggml refuses it where it reads the data section as a whole"
            holds = self.size >= padded or self.size < owed
            compare("portability", "final_padding", holds, padded, self.size, offset=self.size, note=note)
        if self.complete:
            note = "ggml and gguf-py accept bytes behind the data, and so may hide another file"
            holds = self.size <= padded
            compare("portability", "trailing_bytes", holds, padded, self.size, offset=padded, note=note)
