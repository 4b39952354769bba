"""Owns files by position: how they are opened, read, written and given their room, whatever the system lacks.

Linux reads into a buffer at an offset in one call. Where that is missing a read allocates, and where a descriptor has
only one position, moving it and reading are one step under a lock.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from threading import Lock
from typing import Any

_ALWAYS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
#: How a file is opened to be read: not inherited, and a FIFO or a device is not waited for.
READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _ALWAYS
#: How a file is opened that must not exist yet.
CREATE = os.O_RDWR | os.O_CREAT | os.O_EXCL | _ALWAYS
#: One for a descriptor, shared by those that are alike modulo their number.
_LOCKS = tuple(Lock() for _ in range(64))
#: What a file system answers that cannot set room aside; a full one says ENOSPC.
_NO_ROOM_SET_ASIDE = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)


def read_into(descriptor: int, view: Any, offset: int) -> int:
    """Fill a writable view of bytes from `offset`; how many there were, 0 at the end. Raises OSError."""
    if (preadv := getattr(os, "preadv", None)) is not None:
        return int(preadv(descriptor, [view], offset))
    piece = read_at(descriptor, len(view), offset)
    view[: len(piece)] = piece
    return len(piece)


def read_at(descriptor: int, length: int, offset: int) -> bytes:
    """Up to `length` bytes from `offset`. Raises OSError."""
    if (pread := getattr(os, "pread", None)) is not None:
        return bytes(pread(descriptor, length, offset))
    with _LOCKS[descriptor % len(_LOCKS)]:
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, length)


def write_at(descriptor: int, data: Any, offset: int) -> None:
    """Write all bytes of `data` at `offset`. Raises OSError."""
    view, pwrite = memoryview(data).cast("B"), getattr(os, "pwrite", None)
    while len(view):
        if pwrite is not None:
            written = pwrite(descriptor, view, offset)
        else:
            with _LOCKS[descriptor % len(_LOCKS)]:
                os.lseek(descriptor, offset, os.SEEK_SET)
                written = os.write(descriptor, view)
        view, offset = view[written:], offset + written


def allocate(path: Path, descriptor: int, size: int) -> None:
    """Give an open file its size, and its room on the disk where the system sets it aside. Raises OSError.

    Where it does not, the free bytes are asked for: a disk that is full already is met before any work.
    """
    if (fallocate := getattr(os, "posix_fallocate", None)) is not None:
        try:
            fallocate(descriptor, 0, size)
            return
        except OSError as error:
            if error.errno not in _NO_ROOM_SET_ASIDE:
                raise
    if _free(path.parent, size) < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.ftruncate(descriptor, size)


def widen(pipe: int) -> None:
    """Give a pipe a MiB of room, where the system lets it have that (Linux; 64 KiB are what a pipe has otherwise)."""
    try:
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 1 << 20)
    except (ImportError, AttributeError, OSError):
        pass


def _free(folder: Path, otherwise: int) -> int:
    """Free bytes of the disk that holds a folder; `otherwise` where the system does not say."""
    from shutil import disk_usage

    try:
        return disk_usage(folder).free
    except (OSError, AttributeError):
        return otherwise
