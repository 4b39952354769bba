"""Owns the tensor index of an .apr file: sorted entries, their element types told by code and size, their extents."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

from model_contracts.artifact import Tensor
from model_contracts.dtypes import APR_CODES, DTYPES
from model_contracts.formats.tally import FormatTally, HeaderRefused
from model_contracts.ledger import Topic

ALIGNMENT = 64
#: The fewest bytes of an entry: name length, type, number of axes, offset, size.
SMALLEST_ENTRY = 20
OUTPUT_HEADS = ("lm_head.weight", "output.weight")
#: Where one of these does not hold, the end of the data is not known.
EXTENTS: tuple[tuple[Topic, str], ...] = (
    *(("format", measure) for measure in ("extent_in_range", "offset_aligned", "no_overlap")),
    ("sizes", "tensor_size"),
)
_LIMIT = 1 << 63
_AXES = 8
_NAME = 256
#: Types whose rows aprender pads to whole blocks one by one, where it quantised them itself (apr.md 3.2).
_ROW_PADDED = ("Q4_K", "Q6_K")
#: What a type byte means to the reader that serves a model, where the core reader refuses it (apr.md 3.1).
_SERVED = {2: "Q4_0", 10: "Q2_K", 11: "Q3_K", 13: "Q5_K"}
_TAIL = struct.Struct("<QQ")


@dataclass(frozen=True, slots=True)
class AprLayout:
    """What the bytes of a tensor are: its element type, the bytes it takes, and those of a row padded by itself."""

    dtype: str
    nbytes: int
    row_bytes: int | None = None


def layout(code: int, shape: tuple[int, ...], elements: int, size: int) -> AprLayout | None:
    """The layout that a type byte and a size mean together, or the one the byte alone means; None: no such type."""
    dtype = APR_CODES.get(code)
    if dtype is None:
        return None
    if code == 8 and elements and elements % 32 == 0 and size == elements // 32 * 34:
        return AprLayout("Q8_0", size)
    if dtype == "APR_Q8":
        return AprLayout(dtype, 4 + elements)
    kind = DTYPES[dtype]
    flat = kind.nbytes(elements)
    if dtype in _ROW_PADDED and len(shape) > 1 and shape[-1]:
        row = kind.nbytes(shape[-1])
        if size == elements // shape[-1] * row != flat:
            return AprLayout(dtype, size, row)
    return AprLayout(dtype, flat)


@dataclass(slots=True)
class AprIndex:
    """The entries of one index as they come by."""

    tally: FormatTally
    path: Path
    size: int
    data_offset: int
    tied: bool
    tensors: list[Tensor] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    #: Begin and end of every tensor with bytes, as offsets into the data section.
    extents: list[tuple[int, int, str]] = field(default_factory=list)
    last: bytes = b""

    def read(self, data: bytes, start: int, count: int) -> int:
        """Parse `count` entries from the index's bytes, which begin at `start`; the length they take."""
        pos = 0
        for _ in range(count):
            pos = self._entry(data, pos, start)
        return pos

    def _entry(self, data: bytes, pos: int, start: int) -> int:
        at = pos
        name_end = pos + 2 + int.from_bytes(data[pos : pos + 2], "little")
        if name_end + 18 > len(data):
            raise _beyond(start + at, name_end + 18 - at, len(data) - at)
        raw = data[pos + 2 : name_end]
        code, axes = data[name_end], data[name_end + 1]
        end = name_end + 2 + 8 * axes + _TAIL.size
        if end > len(data):
            raise _beyond(start + at, end - at, len(data) - at)
        shape = struct.unpack_from(f"<{axes}Q", data, name_end + 2)
        offset, size = _TAIL.unpack_from(data, end - _TAIL.size)
        name = self._name(raw, start + at)
        if axes > _AXES:
            self.tally.compare("format", "axes", False, f"at most {_AXES} axes", axes, tensor=name, offset=start + at)
        self._tensor(name, code, shape, offset, size)
        return end

    def _name(self, raw: bytes, at: int) -> str:
        compare = self.tally.compare
        name = raw.decode("utf-8", "backslashreplace")
        if raw < self.last:
            note = "apr's core reader refuses an index that is not sorted by the bytes of its names"
            expected = f"a name not before {self.last.decode('utf-8', 'backslashreplace')[:200]}"
            compare("format", "index_sorted", False, expected, name, tensor=name, offset=at, note=note)
        self.last = raw
        if name in self.names:
            note = "apr's readers take the first of them without a word"
            expected = "one tensor of this name"
            compare("names", "name_unique", False, expected, "another one", tensor=name, offset=at, note=note)
        self.names.add(name)
        if len(raw) > _NAME:
            expected = f"at most {_NAME} bytes"
            compare("names", "name_length", False, expected, len(raw), tensor=name, offset=at)
        if not raw:
            compare("names", "name_present", False, "a name", "", offset=at)
        if not _is_text(raw):
            note = "apr replaces what is not UTF-8, so that two names may become one"
            compare("portability", "text_utf8", False, "UTF-8", name, tensor=name, offset=at, note=note)
        return name

    def _tensor(self, name: str, code: int, shape: tuple[int, ...], offset: int, size: int) -> None:
        compare, values, elements = self.tally.compare, 1, 1
        for axis in shape:
            values *= axis or 1
            elements *= axis
        if values >= _LIMIT or self.data_offset + offset + size >= _LIMIT:
            expected = "fewer than 2^63 values, and an end before byte 2^63"
            compare("format", "extent_in_range", False, expected, [list(shape), offset, size], tensor=name)
            self._keep(name, code, shape, offset, size, sound=False)
            return
        if offset % ALIGNMENT:
            expected = f"a multiple of {ALIGNMENT}"
            compare("format", "offset_aligned", False, expected, offset, tensor=name)
        if size:
            self.extents.append((offset, offset + size, name))
        if size == 0 and elements and name in OUTPUT_HEADS and self.tied:
            self.tally.ledger.note(f"{name} has no bytes: it stands for the tied embedding")
            self._keep(name, code, shape, offset, size, sound=True, placeholder=True)
            return
        meant = layout(code, shape, elements, size)
        if meant is not None and meant.nbytes != size:
            expected = f"{meant.nbytes:,} bytes of {meant.dtype}"
            note = "only the output head of a model with tied_embeddings may be without bytes" if not size else None
            compare("sizes", "tensor_size", False, expected, f"{size:,} bytes", tensor=name, note=note)
        self._keep(name, code, shape, offset, size, sound=meant is not None and meant.nbytes == size, meant=meant)

    def _keep(
        self,
        name: str,
        code: int,
        shape: tuple[int, ...],
        offset: int,
        size: int,
        *,
        sound: bool,
        placeholder: bool = False,
        meant: AprLayout | None = None,
    ) -> None:
        dtype = meant.dtype if meant else APR_CODES.get(code)
        if dtype is None:
            note = "the tensor is left out: no other type stands in for one that is not known"
            if code in _SERVED:
                note += f"; apr's serving reader takes it for {_SERVED[code]}, its core reader refuses it"
            self.tally.compare("dtypes", "dtype_known", False, "a type of .apr", code, tensor=name, note=note)
            return
        begin = self.data_offset + offset
        readable = sound and begin + size <= self.size
        row_bytes = meant.row_bytes if meant else None
        self.tensors.append(Tensor(name, dtype, shape, self.path, begin, size, row_bytes, placeholder, readable))

    def finish(self, count: int) -> int:
        """Compare the extents with each other, count what held; where the padded data ends in the file."""
        cursor, before = 0, ""
        for begin, end, name in sorted(self.extents):
            if begin < cursor:
                expected = f"a begin from byte {cursor:,} on, where {before[:200]} ends"
                self.tally.compare("format", "no_overlap", False, expected, f"byte {begin:,}", tensor=name)
            if end > cursor:
                cursor, before = end, name
        rest = self.tally.hold_rest
        for measure in ("index_sorted", "axes", "extent_in_range", "offset_aligned", "no_overlap"):
            rest("format", measure, count)
        for measure in ("name_unique", "name_length", "name_present"):
            rest("names", measure, count)
        rest("sizes", "tensor_size", count)
        rest("dtypes", "dtype_known", count)
        rest("portability", "text_utf8", count)
        return self.data_offset + max((end + -end % ALIGNMENT for _, end, _ in self.extents), default=0)


def _beyond(at: int, owed: int, available: int) -> HeaderRefused:
    note = "the index ends before all the tensors that the header counts"
    return HeaderRefused(
        "index_complete", f"{owed:,} bytes of entry", f"{available:,} bytes", at, topic="sizes", note=note
    )


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
