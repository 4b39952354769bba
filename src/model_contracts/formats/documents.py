"""Owns how JSON beside the weights is read: bounded, strict, and said by file and position where it is malformed."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from model_contracts.bounds import Beyond, refuse_beyond
from model_contracts.formats.interface import Bytes, Unreadable
from model_contracts.formats.source import FileBytes
from model_contracts.ledger import Ledger
from model_contracts.outcome import Place

#: The longest sidecar this program reads, in bytes: the largest published index takes some 20 MB.
SIDECAR_BOUND = 64 << 20


class DocumentBounds(NamedTuple):
    """The most values (commas and opening brackets) and members (colons) of a document; text counts as if it were such.

    Each value takes some 60 bytes and each member some 170 once parsed, so they bound memory where bytes do not.
    """

    values: int
    members: int


SIDECAR_BOUNDS = DocumentBounds(values=1_000_000, members=400_000)

Hook = Callable[[list[tuple[str, Any]]], Any]


class NotJson(Exception):
    """The text is not JSON that this program reads: what was expected, what stood there, and at which byte."""

    def __init__(self, expected: str, observed: object, offset: int | None = None) -> None:
        super().__init__(expected)
        self.expected, self.observed, self.offset = expected, observed, offset


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause Python's cycle collector while hundreds of thousands of small values are built, none of them in a cycle."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def parse(data: bytes, hook: Hook | None = None, bounds: DocumentBounds = SIDECAR_BOUNDS) -> Any:
    """The JSON value of bytes; raises NotJson, and nothing else, for whatever they hold."""
    values, members = sum(map(data.count, (b",", b"[", b"{"))), data.count(b":")
    if values > bounds.values or members > bounds.members:
        expected = f"at most {bounds.values:,} values and {bounds.members:,} members (bounds of this reader)"
        raise NotJson(expected, f"up to {values:,} values and {members:,} members")
    surrogates = b"\\ud" in data or b"\\uD" in data
    try:
        text = data.decode("utf-8-sig" if data[:3] == b"\xef\xbb\xbf" else "utf-8")
        del data  # the text alone may take four times as much
        value = _loaded(text, hook)
        refuse_beyond(value)
        if surrogates:
            json.dumps(value, ensure_ascii=False).encode()
    except Beyond as beyond:
        raise NotJson(beyond.expected, beyond.observed) from None
    except UnicodeDecodeError as error:
        raise NotJson("UTF-8", f"{error.reason}: {error.object[error.start]:#04x}", error.start) from None
    except UnicodeEncodeError:
        raise NotJson("whole characters", "half of a surrogate pair") from None
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}: {text[error.pos : error.pos + 24] or 'the end of the file'!r}"
        raise NotJson(error.msg, at, len(text[: error.pos].encode())) from None
    except RecursionError:
        raise NotJson("JSON nested no deeper than this program follows", "deeper nesting") from None
    except ValueError as error:
        raise NotJson("JSON", str(error)) from None
    return value


def _loaded(text: str, hook: Hook | None) -> Any:
    """The value of JSON text; NaN, and whole numbers of more digits than Python takes, as floats that are refused."""
    try:
        return json.loads(text, object_pairs_hook=hook, parse_constant=float)
    except json.JSONDecodeError:
        raise
    except ValueError:
        return json.loads(text, parse_constant=float, parse_int=float)


def read_whole(source: Bytes, bound: int) -> bytes:
    """All bytes of a small file; raises NotJson where it is longer than the bound."""
    if source.size > bound:
        raise NotJson(f"at most {bound:,} bytes (a bound of this reader)", source.size)
    return source.read(0, source.size)


def read_object(path: Path, ledger: Ledger, hook: Hook | None = None) -> dict[str, Any] | None:
    """The JSON object of a sidecar. None where there is none to be had: the ledger says why, under `format`."""
    try:
        with FileBytes(path) as source:
            value = parse(read_whole(source, SIDECAR_BOUND), hook)
    except NotJson as refused:
        _record(ledger, path, refused)
        return None
    except Unreadable as refused:
        _record(ledger, path, NotJson("a file that can be read", str(refused)))
        return None
    if not isinstance(value, dict):
        _record(ledger, path, NotJson("a JSON object", type(value).__name__, 0))
        return None
    ledger.compare("format", "sidecar_json", True)
    return value


def _record(ledger: Ledger, path: Path, refused: NotJson) -> None:
    place = Place(file=path.name, offset=refused.offset)
    ledger.compare("format", "sidecar_json", False, expected=refused.expected, observed=refused.observed, place=place)
