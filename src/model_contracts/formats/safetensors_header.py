"""Owns the text of a safetensors header: read within bounds, and walked member by member, equal names included."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from sys import intern
from typing import Any, NamedTuple, NoReturn

from model_contracts.bounds import Beyond, refuse_beyond
from model_contracts.formats.interface import Bytes
from model_contracts.ledger import Ledger, Topic
from model_contracts.outcome import Place

#: Where the comparisons of this container come from.
SPECIFICATION = "safetensors format, Format"
#: The format's own bound on a header, in bytes.
HEADER_LIMIT = 100_000_000
#: This reader's bounds: real headers hold at most some 100,000 entries of about 130 bytes in one file.
HEADER_BOUND, ENTRY_BOUND = 32 << 20, 140_000
#: Text past this size has to be plain ASCII: one wide character would make four bytes of each of the others.
PLAIN_BOUND = 8 << 20
#: Commas and colons that an entry takes at most, and that metadata may take besides.
PER_ENTRY, BESIDES = {b",": 12, b":": 4}, 100_000
_CHUNK = 1 << 20
#: Shapes that are kept once for all tensors that have them.
_SHAPES = 4096
_SPACE = re.compile(r"[ \t\n\r]*")
_S, _N = r"[ \t\n\r]*+", r"(?:0|[1-9][0-9]{0,17})"
#: A member as every writer writes it, with the comma or brace behind it: read at once, ten times as fast as by parts.
_USUAL = re.compile(
    rf'"([^"\\\x00-\x1f]*+)"{_S}:{_S}\{{{_S}"dtype"{_S}:{_S}"([A-Z0-9_]+)"{_S},'
    rf'{_S}"shape"{_S}:{_S}\[{_S}((?:{_N}(?:{_S},{_S}{_N}){{0,7}})?){_S}\]{_S},'
    rf'{_S}"data_offsets"{_S}:{_S}\[{_S}({_N}){_S},{_S}({_N}){_S}\]{_S}\}}{_S}([,}}])'
)


class Pairs(list[tuple[str, Any]]):
    """The members of a JSON object in order, equal keys included."""


class Usual(NamedTuple):
    """The value of a member as every writer writes it: the three fields, each once, each of its type."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class Malformed(Exception):
    """The header cannot be read at all: the comparison that failed, for the ledger."""

    def __init__(
        self, measure: str, expected: object, observed: object, offset: int | None = None, topic: Topic = "format"
    ) -> None:
        super().__init__(measure)
        self.measure, self.expected, self.observed, self.offset, self.topic = measure, expected, observed, offset, topic


def header_text(source: Bytes, ledger: Ledger) -> tuple[int, str]:
    """The length of the header in bytes, and its text. Raises Malformed where it cannot be read or passes a bound."""
    first = source.read(0, 8)
    if len(first) < 8:
        raise Malformed("header_length", "8 bytes of header length", f"{len(first)} bytes in the whole file", 0)
    length = int.from_bytes(first, "little")
    if length > HEADER_LIMIT:
        raise Malformed("header_length", f"at most {HEADER_LIMIT:,} bytes of header", length, 0)
    if length > source.size - 8:
        raise Malformed("header_fits_file", 8 + length, source.size, 0, "sizes")
    ledger.compare("format", "header_length", True)
    ledger.compare("sizes", "header_fits_file", True)
    data = _bounded(source, length)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Malformed("header_utf8", "UTF-8", f"{error.reason}: {data[error.start]:#04x}", 8 + error.start) from None
    start = _next(text, 0)
    if text[start : start + 1] == "{":
        ledger.compare(
            "portability",
            "begins_with_brace",
            start == 0,
            expected="{",
            observed=text[:1],
            place=Place(offset=8),
            note="the specification says MUST begin with {; the reference reader accepts whitespace before it",
            source=SPECIFICATION,
        )
    if length % 8:
        ledger.note(f"the header takes {length:,} bytes, no multiple of 8: the tensors are not aligned")
    return length, text


def _bounded(source: Bytes, length: int) -> bytes:
    """The header's bytes, refused while they are read as soon as they hold more than a bound."""
    mine = "(a bound of this reader, not of the format)"
    if length > HEADER_BOUND:
        raise Malformed("header_bounded", f"at most {HEADER_BOUND:,} bytes of header {mine}", length, 0)
    entries, counts, pieces = 0, dict.fromkeys(PER_ENTRY, 0), []
    for offset in range(8, 8 + length, _CHUNK):
        wanted = min(_CHUNK, 8 + length - offset)
        piece = source.read(offset, wanted)
        if len(piece) < wanted:
            raise Malformed("header_fits_file", 8 + length, offset + len(piece), offset + len(piece), "sizes")
        pieces.append(piece)
        entries += piece.count(b"{")
        if entries > ENTRY_BOUND:
            raise Malformed("header_bounded", f"at most {ENTRY_BOUND:,} entries {mine}", entries, offset)
        for mark in PER_ENTRY:
            counts[mark] += piece.count(mark)
    for mark, each in PER_ENTRY.items():
        if counts[mark] > (bound := each * entries + BESIDES):
            observed = f"{counts[mark]:,} and {entries:,} entries"
            raise Malformed("header_bounded", f"at most {bound:,} {mark.decode()!r} {mine}", observed, 8)
    data = b"".join(pieces)
    if length > PLAIN_BOUND and not (data.isascii() and b"\\u" not in data):
        raise Malformed("header_bounded", f"plain ASCII in a header past {PLAIN_BOUND:,} bytes {mine}", length, 8)
    return data


def _constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _axes(text: str, kept: dict[str, tuple[int, ...]]) -> tuple[int, ...]:
    """A shape, the same object for all tensors that have it."""
    if (axes := kept.get(text)) is None:
        axes = tuple(map(int, text.split(","))) if text else ()
        if len(kept) < _SHAPES:
            kept[text] = axes
    return axes


def members(text: str) -> Iterator[tuple[str, Any]]:
    """The members of the header's object, one at a time, so that no second copy of the header is ever held.

    A name that two files have is held once.
    """
    scan = json.JSONDecoder(object_pairs_hook=Pairs, parse_constant=_constant).raw_decode
    shapes: dict[str, tuple[int, ...]] = {}
    at = _next(text, 0)
    if text[at : at + 1] != "{":
        raise _syntax(text, at, "an object: {")
    at = _next(text, at + 1)
    if text[at : at + 1] != "}":
        while True:
            while (usual := _USUAL.match(text, at)) is not None:
                name, dtype, shape, begin, end, more = usual.groups()
                yield intern(name), Usual(intern(dtype), _axes(shape, shapes), int(begin), int(end))
                at = usual.end() - 1
                if more == "}":
                    break
                at = _next(text, at + 1)
            if usual is not None:
                break
            if text[at : at + 1] != '"':
                raise _syntax(text, at, "a name in double quotes")
            key, at = _scan(scan, text, at)
            at = _next(text, at)
            if text[at : at + 1] != ":":
                raise _syntax(text, at, "a colon")
            value, at = _scan(scan, text, _next(text, at + 1))
            yield key, value
            at = _next(text, at)
            if text[at : at + 1] != ",":
                break
            at = _next(text, at + 1)
        if text[at : at + 1] != "}":
            raise _syntax(text, at, "a comma or }")
    at = _next(text, at + 1)
    if at != len(text):
        raise _syntax(text, at, "nothing after the object but whitespace")


def _next(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _scan(scan: Callable[[str, int], tuple[Any, int]], text: str, at: int) -> tuple[Any, int]:
    try:
        value, end = scan(text, at)
        refuse_beyond(value)
        return value, end
    except Beyond as beyond:
        raise _syntax(text, at, beyond.expected) from None
    except json.JSONDecodeError as error:
        raise _syntax(text, error.pos, error.msg) from None
    except RecursionError:
        raise _syntax(text, at, "no nesting as deep as this") from None
    except ValueError as error:
        raise _syntax(text, at, str(error)) from None


def _syntax(text: str, at: int, expected: str) -> Malformed:
    offset = 8 + len(text[:at].encode("utf-8", "surrogatepass"))
    return Malformed("header_json", expected, text[at : at + 24] or "the end of the header", offset)
