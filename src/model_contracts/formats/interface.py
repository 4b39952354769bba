"""Owns what a container reader is: bytes at a place in, a Container with its ledger out, whatever the bytes are."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from model_contracts.artifact import Container


class Bytes(Protocol):
    """Bytes with a size, read by position: a file, or a generated header in memory."""

    path: Path
    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; fewer only where the bytes end."""
        ...


class Reader(Protocol):
    """Parses one container. Never raises for what the bytes hold: the ledger of the Container says it."""

    def __call__(self, source: Bytes) -> Container:
        """The container that `source` holds."""
        ...


class Unreadable(Exception):
    """The operating system would not give the bytes, or there is nothing at the path (one line, names the path)."""
