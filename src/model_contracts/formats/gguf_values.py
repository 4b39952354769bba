"""Owns the values of a GGUF header: read in growing windows, and nothing allocated before its bytes are there."""

from __future__ import annotations

import struct
from typing import Any

from model_contracts.formats.interface import Bytes
from model_contracts.formats.tally import OURS, HeaderRefused

#: How much of the file is read at a time, in bytes.
STEP = 1 << 20
#: This reader's bounds. Real vocabularies hold some 260,000 tokens; the longest text is a tokenizer.json, some 10 MB.
STRING_LIMIT = 16 << 20
ELEMENT_LIMIT = 1 << 20
ELEMENTS_LIMIT = 2_000_000
DEPTH_LIMIT = 4
NOT_TEXT_LIMIT = 65_536
#: What the values of one header may take in memory, estimated from above, in bytes.
BUDGET = 160 << 20

STRING, ARRAY, BOOL, UINT32 = 8, 9, 7, 4
_CODES = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q", 12: "d"}
_SCALARS = {code: struct.Struct("<" + letter) for code, letter in _CODES.items()}
TYPE_NAMES = (
    *("UINT8", "INT8", "UINT16", "INT16", "UINT32", "INT32", "FLOAT32"),
    *("BOOL", "STRING", "ARRAY", "UINT64", "INT64", "FLOAT64"),
)
#: The fewest bytes a value of a type takes: a string its length, an array its type and count.
_SMALLEST = {**{code: scalar.size for code, scalar in _SCALARS.items()}, STRING: 8, ARRAY: 12}
_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")


class Window:
    """A piece of a file with a place in it; moves on a step at a time as values are asked for.

    `not_text`, `not_bool` and `nested` count the strings that are not UTF-8, the booleans that are neither 0 nor 1
    and the arrays in arrays met so far. Bytes that are no UTF-8 stand as `\\xNN`, so that every report can hold them.
    """

    __slots__ = ("_budget", "base", "data", "nested", "not_bool", "not_text", "pos", "size", "source")

    def __init__(self, source: Bytes) -> None:
        self.source, self.size, self.base, self.pos = source, source.size, 0, 0
        self.data = source.read(0, min(STEP, source.size))
        self.not_text = self.not_bool = self.nested = 0
        self._budget = BUDGET

    @property
    def at(self) -> int:
        """The place in the file, in bytes."""
        return self.base + self.pos

    def need(self, count: int) -> None:
        """Have the next `count` bytes. Raises Refused where the file ends before."""
        missing = self.pos + count - len(self.data)
        if missing <= 0:
            return
        known, piece = self.base + len(self.data), b""
        if self.at + count <= self.size:
            piece = self.source.read(known, max(STEP, missing))
            known += len(piece)
        else:
            known = self.size
        if len(piece) < missing:
            note = "the file ends within its header"
            raise HeaderRefused("header_complete", self.at + count, known, self.at, topic="sizes", note=note)
        self.data = self.data[self.pos :] + piece
        self.base, self.pos = self.at, 0

    def room(self, count: int, smallest: int) -> None:
        """Refuse a count of things, none of which takes fewer than `smallest` bytes, that the file cannot hold."""
        end = self.at + count * smallest
        if end > self.size:
            note = f"{count:,} entries of at least {smallest} bytes do not fit before the end of the file"
            raise HeaderRefused("header_complete", end, self.size, self.at, topic="sizes", note=note)

    def charge(self, nbytes: int) -> None:
        """Refuse a header whose values would take more memory than this reader gives one."""
        self._budget -= nbytes
        if self._budget < 0:
            raise HeaderRefused("header_bounded", f"values of at most {BUDGET >> 20} MiB {OURS}", "more", self.at)

    def u32(self) -> int:
        """The next four bytes."""
        return self.fields(_U32)[0]

    def u64(self) -> int:
        """The next eight bytes."""
        return self.fields(_U64)[0]

    def fields(self, layout: struct.Struct) -> tuple[int, ...]:
        """The next numbers of a layout."""
        if self.pos + layout.size > len(self.data):
            self.need(layout.size)
        values = layout.unpack_from(self.data, self.pos)
        self.pos += layout.size
        return values

    def text(self, measure: str, limit: int = STRING_LIMIT, whose: str = OURS) -> tuple[str, int]:
        """A string and its length in bytes. Raises Refused where it is longer than the limit."""
        start, length = self.at, self.u64()
        if length > limit:
            raise HeaderRefused(measure, f"at most {limit:,} bytes {whose}".rstrip(), length, start)
        self.charge(64 + 4 * length)
        self.need(length)
        raw = self.data[self.pos : self.pos + length]
        self.pos += length
        try:
            return raw.decode(), length
        except UnicodeDecodeError:
            return self._not_text(raw), length

    def _not_text(self, raw: bytes) -> str:
        self.not_text += 1
        if self.not_text > NOT_TEXT_LIMIT:
            raise HeaderRefused(
                "text_bounded", f"at most {NOT_TEXT_LIMIT:,} strings without UTF-8 {OURS}", "more", self.at
            )
        return raw.decode("utf-8", "backslashreplace")

    def value(self, code: int, depth: int = 0) -> Any:
        """The value of a type. Arrays are lists; raises Refused for a type that does not exist."""
        scalar = _SCALARS.get(code)
        if scalar is not None:
            self.need(scalar.size)
            (value,) = scalar.unpack_from(self.data, self.pos)
            self.pos += scalar.size
            return self._bool(value) if code == BOOL else value
        if code == STRING:
            return self.text("string_length")[0]
        if code == ARRAY:
            return self._array(depth)
        raise HeaderRefused("value_type", "a value type from 0 to 12", code, self.at - 4)

    def _bool(self, byte: int) -> bool:
        self.not_bool += byte > 1
        return byte != 0

    def _array(self, depth: int) -> list[Any]:
        start = self.at
        code, count = self.u32(), self.u64()
        smallest = _SMALLEST.get(code)
        if smallest is None:
            raise HeaderRefused("value_type", "an element type from 0 to 12", code, start)
        if depth >= DEPTH_LIMIT:
            raise HeaderRefused("array_depth", f"at most {DEPTH_LIMIT} arrays in each other {OURS}", "more", start)
        if count > ELEMENTS_LIMIT:
            raise HeaderRefused("array_length", f"at most {ELEMENTS_LIMIT:,} elements {OURS}", count, start + 4)
        self.room(count, smallest)
        if code == STRING:
            return self._strings(count)
        if code == ARRAY:
            self.nested += 1
            self.charge(2048 * count)
            return [self.value(ARRAY, depth + 1) for _ in range(count)]
        return self._numbers(code, count, smallest)

    def _numbers(self, code: int, count: int, width: int) -> list[Any]:
        self.charge(40 * count)
        self.need(count * width)
        values = list(struct.unpack_from(f"<{count}{_CODES[code]}", self.data, self.pos))
        self.pos += count * width
        if code == BOOL:
            self.not_bool += sum(byte > 1 for byte in values)
            return [byte != 0 for byte in values]
        return values

    def _strings(self, count: int) -> list[str]:
        """The hot loop: 300,000 strings of a vocabulary. Leaves it only where the window or the text ends."""
        self.charge(64 * count)
        strings: list[str] = []
        append, unpack, start = strings.append, _U64.unpack_from, self.pos
        data, pos, end, left = self.data, self.pos, len(self.data), count
        while left:
            stop = pos + 8
            try:
                for left in range(left, 0, -1):  # noqa: B007, B020 -- where it stopped is where it goes on
                    (length,) = unpack(data, pos)
                    stop = pos + 8 + length
                    if stop > end:
                        break
                    append(data[pos + 8 : stop].decode())
                    pos = stop
                else:
                    break
            except struct.error:
                stop = pos + 8
            except UnicodeDecodeError:
                append(self._not_text(data[pos + 8 : stop]))
                pos, left = stop, left - 1
                continue
            self.pos, length = pos, stop - pos - 8
            if length > ELEMENT_LIMIT:
                raise HeaderRefused("string_length", f"at most {ELEMENT_LIMIT:,} bytes {OURS}", length, self.at)
            self.charge(4 * (pos - start))
            self.need(8 + length)
            data, end = self.data, len(self.data)
            pos = start = self.pos
        self.pos = pos
        self.charge(4 * (pos - start))
        return strings
