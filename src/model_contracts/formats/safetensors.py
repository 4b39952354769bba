"""Owns the safetensors reader: a header length, a JSON object, then the bytes of the tensors without a hole."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeGuard

from model_contracts.artifact import Container, Tensor
from model_contracts.dtypes import DTYPES, SAFETENSORS_NAMES
from model_contracts.formats.documents import collector_paused
from model_contracts.formats.interface import Bytes
from model_contracts.formats.safetensors_header import SPECIFICATION, Malformed, Pairs, Usual, header_text, members
from model_contracts.ledger import KEPT, Ledger, Topic
from model_contracts.outcome import Place

_LIMIT = 1 << 63
_LONGEST_NAME = 4096
_USUAL_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]*")
_ILLEGAL_NAME = re.compile(r"^$|[\x00-\x1f\x7f]|(^|[/\\])\.\.([/\\]|$)|^[/\\]|^[A-Za-z]:[/\\]")
_FIELDS = frozenset(("dtype", "shape", "data_offsets"))


@dataclass(frozen=True, slots=True)
class Header:
    """A parsed file with what a set of shards needs: every declared name, and the bytes its entries take together.

    `names` holds tensors of unknown element type too, which the container leaves out. `data_bytes` is None where an
    entry's extent could not be read.
    """

    container: Container
    names: frozenset[str] = frozenset()
    data_bytes: int | None = None


def read_safetensors(source: Bytes) -> Container:
    """Parse one file. Never raises for what the bytes hold; Unreadable where the disk fails."""
    return read_header(source).container


def read_header(source: Bytes) -> Header:
    """Parse one file, and keep what a set of shards compares."""
    ledger = Ledger()
    try:
        length, text = header_text(source, ledger)
        parsed = _Parsed(ledger, source.size, 8 + length, escapes="\\u" in text)
        with collector_paused():
            for key, value in members(text):
                parsed.take(key, value)
            return parsed.finish(source)
    except Malformed as refused:
        ledger.compare(
            refused.topic,
            refused.measure,
            False,
            expected=refused.expected,
            observed=refused.observed,
            place=Place(offset=refused.offset),
            source=SPECIFICATION,
        )
    return Header(Container(source.path, "safetensors", source.size, 0, "", {}, (), ledger, readable=False))


class _Entry(NamedTuple):
    """One tensor as declared; `sound` says whether its shape takes the bytes that its offsets span."""

    name: str
    dtype: str | None
    shape: tuple[int, ...]
    begin: int
    end: int
    sound: bool

    @property
    def extent(self) -> tuple[int, int, str]:
        return self.begin, self.end, self.name


@dataclass(slots=True)
class _Parsed:
    """The members of one header as they come by; what held is counted and told to the ledger at the end."""

    ledger: Ledger
    size: int
    data_offset: int
    escapes: bool
    metadata: Mapping[str, str] | None = None
    entries: list[_Entry] = field(default_factory=list)
    #: The index of each name's last entry, -1 where none could be read.
    last: dict[str, int] = field(default_factory=dict)
    members: int = 0
    lost: int = 0

    def take(self, key: str, value: object) -> None:
        """One member of the header's object."""
        if self.escapes:
            _encodable(key, value)
        if key == "__metadata__":
            self._metadata(value)
            return
        self.members += 1
        if len(key) > _LONGEST_NAME or (not _USUAL_NAME.fullmatch(key) and _ILLEGAL_NAME.search(key)):
            expected = f"1 to {_LONGEST_NAME:,} characters, no path and no control character"
            self._fail("portability", "name_legal", expected, key, at=key)
        if key in self.last:
            note = "parsers disagree on equal names: the reference reader takes the last of them without a word"
            self._fail(
                "names", "name_unique", "one entry of this name", "another entry of this name", at=key, note=note
            )
        entry = self._entry(key, value)
        if entry is None:
            self.lost += 1
            self.last.setdefault(key, -1)
        else:
            self.last[key] = len(self.entries)
            self.entries.append(entry)

    def _fail(
        self, topic: Topic, measure: str, expected: object, observed: object, *, at: str, note: str | None = None
    ) -> None:
        if self.ledger.violated[topic, measure] >= KEPT:
            self.ledger.violated[topic, measure] += 1
            return
        place = Place(tensor=at[:400])
        self.ledger.compare(
            topic, measure, False, expected=expected, observed=observed, place=place, note=note, source=SPECIFICATION
        )

    def _metadata(self, value: object) -> None:
        at = "__metadata__"
        if self.metadata is not None:
            self._fail("format", "metadata_unique", "one __metadata__", "a second one", at=at)
            return
        self.metadata = {}
        if not isinstance(value, Pairs):
            self._fail("format", "metadata_strings", "an object of strings", value, at=at)
            return
        for name, text in value:
            if not isinstance(text, str):
                self._fail("format", "metadata_strings", f"a string at {name[:80]!r}", text, at=at)
        self.metadata = dict(value)
        repeated = len(self.metadata) < len(value)
        if self.ledger.violated["format", "metadata_strings"]:
            self.metadata = {name: text for name, text in self.metadata.items() if isinstance(text, str)}
        if repeated:
            self._fail("format", "metadata_unique", "each key once", "a key twice", at=at)
        else:
            self.ledger.compare("format", "metadata_unique", True)

    def _entry(self, name: str, value: object) -> _Entry | None:
        if isinstance(value, Usual):
            return self._typed(name, value)
        if not isinstance(value, Pairs):
            self._fail("format", "entry_form", "an object of dtype, shape, data_offsets", value, at=name)
            return None
        fields = dict(value)
        if len(fields) < len(value):
            self._fail("format", "field_unique", "each field once", [key for key, _ in value], at=name)
        if fields.keys() != _FIELDS:
            if missing := _FIELDS - fields.keys():
                self._fail("format", "entry_form", sorted(_FIELDS), f"no {', '.join(sorted(missing))}", at=name)
                return None
            note = "the reference reader passes over fields it does not know"
            self._fail("portability", "entry_fields", sorted(_FIELDS), list(fields), at=name, note=note)
        dtype, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
        if not (_sizes(offsets) and len(offsets) == 2):
            self._fail("format", "offsets_form", "two whole numbers of bytes, below 2^63", offsets, at=name)
        elif not _sizes(shape):
            self._fail("format", "shape_form", "whole numbers from 0, below 2^63", shape, at=name)
        elif not isinstance(dtype, str):
            self._fail("format", "entry_form", "a string as dtype", dtype, at=name)
        else:
            return self._typed(name, Usual(dtype, tuple(shape), offsets[0], offsets[1]))
        return None

    def _typed(self, name: str, value: Usual) -> _Entry:
        dtype, shape, begin, end = value
        if dtype in SAFETENSORS_NAMES:
            return _Entry(name, dtype, shape, begin, end, self._sound(name, dtype, shape, end - begin))
        note = "the tensor is left out: no other type stands in for one that is not known"
        self._fail("dtypes", "dtype_known", "an element type of the format", dtype, at=name, note=note)
        return _Entry(name, None, shape, begin, end, sound=False)

    def _sound(self, name: str, dtype: str, shape: Sequence[int], extent: int) -> bool:
        """Whether the shape takes the bytes that the offsets span."""
        elements = 1
        for axis in shape:
            elements *= axis
            if elements >= _LIMIT:
                break
        kind = DTYPES[dtype]
        nbytes = kind.nbytes(elements)
        if nbytes >= _LIMIT or elements >= _LIMIT:
            self._fail("format", "shape_in_range", "fewer than 2^63 values and bytes", list(shape), at=name)
            return False
        if elements % kind.block:
            observed = f"{elements:,} values, of which {kind.block} share {kind.block_bytes} bytes"
            self._fail("format", "extent_matches_shape", "whole bytes", observed, at=name)
            return False
        if 0 <= extent != nbytes:
            self._fail("format", "extent_matches_shape", f"{nbytes:,} bytes", f"{extent:,} bytes", at=name)
            return False
        return extent >= 0

    def finish(self, source: Bytes) -> Header:
        """Compare the extents with each other and with the file, and build the container."""
        ordered = [entry for entry in self.entries if self._ordered(entry)]
        if not self.lost and len(ordered) == len(self.entries):
            self._contiguous()
            self._complete(max((entry.end for entry in ordered), default=0))
        self._tally()
        tensors = tuple(self._tensor(source, entry) for entry in self.entries if entry.dtype is not None)
        if empty := sum(0 in tensor.shape for tensor in tensors):
            self.ledger.note(f"{empty:,} tensors hold no values (an axis of 0)")
        container = Container(
            source.path, "safetensors", self.size, self.data_offset, "", self.metadata or {}, tensors, self.ledger
        )
        data = None if self.lost else sum(max(0, entry.end - entry.begin) for entry in self.entries)
        return Header(container, frozenset(self.last), data)

    def _ordered(self, entry: _Entry) -> bool:
        if entry.end < entry.begin:
            offsets = [entry.begin, entry.end]
            self._fail("format", "offsets_ordered", "an end that is not before the begin", offsets, at=entry.name)
        return entry.end >= entry.begin

    def _contiguous(self) -> None:
        extents = sorted(entry.extent for entry in self.entries)
        if len(self.last) < len(self.entries) and any(_breaks(extents)):
            # Equal names may share their bytes or have their own: neither reading of them is to look like a hole.
            extents = sorted(self.entries[at].extent for at in self.last.values())
        for measure, cursor, begin, name in _breaks(extents):
            self._fail("format", measure, f"byte {cursor:,}", f"byte {begin:,}", at=name)
        violated = self.ledger.violated
        _hold(self.ledger, "format", "first_offset_zero", bool(extents) - violated["format", "first_offset_zero"])
        for measure in ("no_hole", "no_overlap"):
            _hold(self.ledger, "format", measure, len(extents) - violated["format", measure])

    def _complete(self, end: int) -> None:
        owed = self.data_offset + end
        surplus = self.size - owed
        note = f"{surplus:,} bytes follow the last tensor" if surplus > 0 else f"{-surplus:,} bytes are missing"
        self.ledger.compare(
            "sizes", "file_size", not surplus, expected=owed, observed=self.size, note=note, source=SPECIFICATION
        )

    def _tally(self) -> None:
        """Count what held, once a measure: a header has up to 250,000 entries."""
        ledger, known = self.ledger, sum(entry.dtype is not None for entry in self.entries)
        failed = ledger.violated
        _hold(ledger, "format", "header_json", 1)
        _hold(ledger, "format", "entry_form", self.members - self.lost)
        _hold(ledger, "format", "offsets_ordered", len(self.entries) - failed["format", "offsets_ordered"])
        _hold(ledger, "format", "extent_matches_shape", sum(entry.sound for entry in self.entries))
        _hold(ledger, "names", "name_unique", self.members - failed["names", "name_unique"])
        _hold(ledger, "dtypes", "dtype_known", known)
        for measure in ("name_legal", "entry_fields"):
            _hold(ledger, "portability", measure, self.members - failed["portability", measure])

    def _tensor(self, source: Bytes, entry: _Entry) -> Tensor:
        readable = entry.sound and self.data_offset + entry.end <= self.size
        offset, nbytes = self.data_offset + entry.begin, max(0, entry.end - entry.begin)
        return Tensor(entry.name, entry.dtype or "", entry.shape, source.path, offset, nbytes, readable=readable)


def _sizes(value: object) -> TypeGuard[list[int]]:
    return type(value) is list and all(type(item) is int and 0 <= item < _LIMIT for item in value)


def _encodable(key: str, value: object) -> None:
    """Half of a surrogate pair is JSON to some parsers and no text to any."""
    try:
        json.dumps((key, value), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Malformed("header_json", "whole characters", f"half of a surrogate pair at {key!a}") from None


def _breaks(extents: list[tuple[int, int, str]]) -> Iterator[tuple[str, int, int, str]]:
    """(measure, where the last tensor ended, where this one begins, name) of each extent that does not follow on."""
    cursor = 0
    for index, (begin, end, name) in enumerate(extents):
        if begin > cursor:
            yield ("no_hole" if index else "first_offset_zero"), cursor, begin, name
        elif begin < cursor:
            yield "no_overlap", cursor, begin, name
        cursor = max(cursor, end)


def _hold(ledger: Ledger, topic: Topic, measure: str, count: int) -> None:
    if count > 0:
        ledger.held[topic, measure] += count
