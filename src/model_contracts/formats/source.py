"""Owns where bytes come from: a regular file read by position, or a header in memory."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from model_contracts import door
from model_contracts.formats.interface import Unreadable
from model_contracts.system import files

#: Causes in the words of the person who has to act on them; any other error keeps the system's words.
_CAUSES = {
    errno.ENOENT: "no such file or directory",
    errno.ENOTDIR: "no such file or directory (a part of the path is a file)",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ELOOP: "a link that points at itself",
    errno.ENAMETOOLONG: "the name is longer than the system allows",
    errno.ENXIO: "not a regular file",
    errno.EISDIR: "a directory",
}


def refusal(path: Path, error: OSError | ValueError) -> Unreadable:
    """One line that names the path and why the system gave nothing."""
    if isinstance(error, OSError):
        cause = _CAUSES.get(error.errno or 0) or error.strerror or "the system refused"
    else:
        cause = "the path holds a NUL character" if "null" in str(error) else str(error)
    return Unreadable(f"{printable(path)}: {cause}")


def printable(path: Path) -> str:
    """A path on one line, whatever its name holds."""
    text = os.fspath(path)
    return text if text.isprintable() else repr(text)


class FileBytes:
    """A regular file, read by position (a memory map would end the program when the file shrinks).

    Raises Unreadable where the path is missing, forbidden, a directory, or anything but a regular file; a FIFO or
    a device is refused without waiting for it. `size` is the size when it was opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._descriptor = door.descriptor(path)
        except OSError as error:
            raise refusal(path, error) from None
        self.size = os.fstat(self._descriptor).st_size

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; fewer only where the file ends. Raises Unreadable on a failing disk."""
        pieces: list[bytes] = []
        end = min(offset + length, self.size)
        while offset < end:
            try:
                piece = files.read_at(self._descriptor, end - offset, offset)
            except OSError as error:
                raise refusal(self.path, error) from None
            if not piece:
                break
            pieces.append(piece)
            offset += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Give the descriptor back; closing twice is fine."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class MemoryBytes:
    """Bytes in memory under a name: a generated header, or a test's file."""

    def __init__(self, data: bytes, path: Path = Path("memory")) -> None:
        self.path = path
        self.size = len(data)
        self._data = data

    def read(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; fewer only where the bytes end."""
        return self._data[offset : offset + length]
