"""Owns JSON files of evidence as plain values: bounded in size, each key once, no number that JSON does not have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

from model_contracts import door
from model_contracts.bounds import Beyond, refuse_beyond

MAX_BYTES = 64 << 20
#: Commas and opening brackets, and colons, as if text held none: 60 to 250 bytes each once they are parsed.
MAX_VALUES, MAX_MEMBERS = 900_000, 400_000
#: One wide character makes four bytes of each of the others.
MAX_WIDE = 24 << 20


class Unusable(Exception):
    """Evidence that cannot be written or read at all: one line that names the path."""


class JsonRefused(Exception):
    """JSON that is not looked at further: one line that says why."""


def cut(text: str) -> str:
    """`text`, at most 160 characters."""
    return text if len(text) <= 160 else f"{text[:159]}…"


def bytes_of(path: Path) -> bytes:
    """The bytes of a file; Unusable where it cannot be read or holds more than 64 MiB."""
    try:
        return door.read(path, MAX_BYTES)
    except OSError as error:
        raise Unusable(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None


def parse(data: bytes) -> object:
    """The value of UTF-8 JSON; Refused says the place of what is wrong."""
    values, members = sum(map(data.count, (b",", b"[", b"{"))), data.count(b":")
    if values > MAX_VALUES or members > MAX_MEMBERS:
        most = f"at most {MAX_VALUES:,} values and {MAX_MEMBERS:,} members"
        raise JsonRefused(f"more than this program reads: {most}, found up to {values:,} and {members:,}")
    if len(data) > MAX_WIDE and not (data.isascii() and b"\\u" not in data):
        raise JsonRefused(f"past {MAX_WIDE:,} bytes only plain ASCII is read")
    try:
        value = json.loads(data, object_pairs_hook=_object, parse_constant=_constant)
        refuse_beyond(value)
        return value
    except Beyond as beyond:
        raise JsonRefused(str(beyond)) from None
    except json.JSONDecodeError as error:
        raise JsonRefused(f"not JSON at line {error.lineno}, column {error.colno}: {error.msg}") from None
    except UnicodeDecodeError as error:
        raise JsonRefused(f"not UTF-8 at byte {error.start:,}") from None
    except RecursionError:
        raise JsonRefused("nested too deeply") from None
    except ValueError as error:  # a number of more digits than Python converts
        raise JsonRefused(f"not JSON that can be read: {cut(str(error))}") from None


def load(path: Path) -> object:
    """The value of a file; Unusable where it cannot be read or is not JSON."""
    try:
        return parse(bytes_of(path))
    except JsonRefused as refused:
        raise Unusable(f"{path}: {refused}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        again = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise JsonRefused(f"the key {cut(json.dumps(again))} twice in one object")
    return value


def _constant(word: str) -> NoReturn:
    raise JsonRefused(f"{word} is no JSON number")
