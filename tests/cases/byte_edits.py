"""Edits of a file's bytes that more than one table uses."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

Edit = Callable[[bytearray], None]


def cut(share: float = 0.0) -> Edit:
    """The end is missing: a share of the file, one byte at least."""

    def edit(data: bytearray) -> None:
        del data[-max(1, int(len(data) * share)) :]

    return edit


def put(at: int, letters: str, *values: Any, order: str = "<") -> Edit:
    """Numbers over what stands at an offset (from the end, where it is negative)."""

    def edit(data: bytearray) -> None:
        struct.pack_into(order + letters, data, at % len(data), *values)

    return edit


def appended(tail: bytes) -> Edit:
    """Bytes behind the end."""
    return lambda data: data.extend(tail)


def replaced(old: bytes, new: bytes) -> Edit:
    """The first place of some bytes, overwritten."""

    def edit(data: bytearray) -> None:
        at = data.index(old)
        data[at : at + len(old)] = new

    return edit


def flipped(at: int) -> Edit:
    """Every bit of one byte turned round."""

    def edit(data: bytearray) -> None:
        data[at] ^= 0xFF

    return edit


def behind_name(name: str, letters: str, *values: Any) -> Edit:
    """Numbers over what stands behind a GGUF tensor's name: its axes, its shape, its type, its offset."""

    def edit(data: bytearray) -> None:
        at = data.index(struct.pack("<Q", len(name)) + name.encode()) + 8 + len(name)
        struct.pack_into("<" + letters, data, at, *values)

    return edit
