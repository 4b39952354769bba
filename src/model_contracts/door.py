"""Owns opening files to read: regular ones only, never waited for, and bounded."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from typing import BinaryIO, Protocol

from model_contracts.system import files

_PIECE = 1 << 24


class NotRegular(OSError):
    """What is at a path is no regular file: a folder, a FIFO, a device, a socket."""


class TooLong(OSError):
    """A file holds more bytes than its reader takes."""


class _Digest(Protocol):
    def update(self, data: bytes, /) -> object: ...


def descriptor(path: str | os.PathLike[str]) -> int:
    """A descriptor of the regular file at a path, links followed; whoever asked closes it.

    Raises OSError, and nothing else: NotRegular for what is no regular file, without waiting for it or reading of it;
    the system's own errors with words of ours where a person would not know theirs (a link that points at itself).
    """
    try:
        _refuse(os.stat(path), path)  # noqa: PTH116 -- for its error; opening some devices does something to them
        found = os.open(path, files.READ)
    except ValueError as error:
        cause = "the path holds a NUL character" if "null" in str(error) else str(error)
        raise NotRegular(errno.EINVAL, cause, os.fspath(path)) from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "a link that points at itself", os.fspath(path)) from None
        raise
    try:
        _refuse(os.fstat(found), path)  # it may be another one by now
    except OSError:
        os.close(found)
        raise
    return found


def _refuse(status: os.stat_result, path: str | os.PathLike[str]) -> None:
    if stat.S_ISREG(status.st_mode):
        return
    if stat.S_ISDIR(status.st_mode):
        raise NotRegular(errno.EISDIR, "a directory", os.fspath(path))
    raise NotRegular(errno.EINVAL, "not a regular file", os.fspath(path))


def opened(path: str | os.PathLike[str]) -> BinaryIO:
    """The regular file at a path, to be read as a stream. Raises OSError (see `descriptor`)."""
    return os.fdopen(descriptor(path), "rb")


def read(path: str | os.PathLike[str], bound: int) -> bytes:
    """The bytes of a small file. Raises OSError: TooLong where it holds more than `bound`, else see `descriptor`."""
    with opened(path) as file:
        data = file.read(bound + 1)
    if len(data) > bound:
        raise TooLong(errno.EFBIG, f"more than {bound:,} bytes", os.fspath(path))
    return data


def pieces(path: str | os.PathLike[str]) -> Iterator[bytes]:
    """The bytes of a file in pieces of 16 MiB, as many as it had when it was opened. Raises OSError."""
    with opened(path) as file:
        left = os.fstat(file.fileno()).st_size  # a file that grows as it is read would never end
        while left > 0 and (piece := file.read(min(_PIECE, left))):
            left -= len(piece)
            yield piece


def fed(path: str | os.PathLike[str], digest: _Digest) -> None:
    """Feed the bytes of a file to a digest. Raises OSError."""
    for piece in pieces(path):
        digest.update(piece)


def unreadable(path: str | os.PathLike[str]) -> str | None:
    """Why no regular file is read at a name that lies in its folder; None where one is, or where nothing lies there."""
    try:
        os.lstat(path)
    except (OSError, ValueError):
        return None
    try:
        os.close(descriptor(path))
    except FileNotFoundError:
        return "a link to nothing"
    except OSError as error:
        return (error.strerror or "the system refused").lower()
    return None


def is_regular(path: str | os.PathLike[str]) -> bool:
    """Whether a regular file is at a path, links followed; False for whatever cannot be looked at."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116 -- Path.is_file raises for a loop of links
    except (OSError, ValueError):
        return False
