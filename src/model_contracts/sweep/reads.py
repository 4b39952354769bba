"""Owns reading: files by position into reused buffers, what went wrong, and whether two tensors hold the same bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from model_contracts import door
from model_contracts.artifact import Tensor
from model_contracts.sweep.interface import Problem
from model_contracts.sweep.kernels.totals import Bytes
from model_contracts.system import files

_PIECE = 1024 * 1024


class ReadFailed(Exception):
    """Fewer bytes than were asked for; carries what a Problem says."""

    def __init__(self, path: Path, offset: int, expected: int, observed: int, reason: str) -> None:
        super().__init__(f"{path}: {reason} at byte {offset:,}")
        self.path, self.offset, self.expected, self.observed, self.reason = path, offset, expected, observed, reason

    def problem(self, tensor: str | None) -> Problem:
        """As the pass reports it."""
        return Problem(self.path, tensor, self.offset, self.expected, self.observed, self.reason)


class Undecodable(ReadFailed):
    """What was read makes no values (a group that is not there): a fault of the values, and not of the bytes."""


class File:
    """One open file. Raises ReadFailed where it cannot be opened or is no regular file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._descriptor = door.descriptor(path)
        except door.NotRegular:
            raise ReadFailed(path, 0, 0, 0, "is no regular file") from None
        except OSError as error:
            raise ReadFailed(path, 0, 0, 0, f"cannot be opened: {_words(error)}") from None
        status = os.fstat(self._descriptor)
        self.size = status.st_size
        self._written = status.st_mtime_ns

    def read(self, buffer: Any, offset: int) -> None:
        """Fill a writable buffer from `offset`. Raises ReadFailed on a short read or a failing disk."""
        view = memoryview(buffer).cast("B")
        done, wanted = 0, len(view)
        while done < wanted:
            try:
                count = files.read_into(self._descriptor, view[done:], offset + done)
            except OSError as error:
                raise ReadFailed(self.path, offset, wanted, done, f"read failed: {_words(error)}") from None
            if not count:
                raise ReadFailed(self.path, offset, wanted, done, "the file ends before its bytes do")
            done += count

    @property
    def stamp(self) -> tuple[Path, int, int]:
        """What tells it from a later file at this path: its size, and when it was written."""
        return self.path, self.size, self._written

    def changed(self) -> Problem | None:
        """A Problem if the file at this path is another one than when it was opened."""
        try:
            now = self.path.stat()
        except OSError as error:
            return Problem(self.path, None, 0, self.size, 0, f"went away while it was read: {_words(error)}")
        if now.st_size == self.size and now.st_mtime_ns == self._written:
            return None
        return Problem(self.path, None, 0, self.size, now.st_size, "changed while it was read")

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._descriptor)


class Files:
    """Files that are open in a pass, each once."""

    def __init__(self) -> None:
        self._open: dict[Path, File | ReadFailed] = {}
        self._lock = Lock()

    def get(self, path: Path) -> File:
        """The open file. Raises ReadFailed, the same one every time."""
        with self._lock:
            if (file := self._open.get(path)) is None:
                try:
                    file = File(path)
                except ReadFailed as error:
                    file = error
                self._open[path] = file
        if isinstance(file, ReadFailed):
            raise file
        return file

    def close(self) -> list[Problem]:
        """Close every file, and say which changed meanwhile."""
        files = [file for file in self._open.values() if isinstance(file, File)]
        problems = [problem for file in files if (problem := file.changed()) is not None]
        for file in files:
            file.close()
        return problems


def same_bytes(first: Tensor, second: Tensor) -> bool:
    """Whether two tensors hold the same bytes, read in pieces of 1 MiB; False where either cannot be read whole.

    Of packed weights: part by part.
    """
    if first.packed is not None and second.packed is not None:
        parts, others = first.packed.parts, second.packed.parts
        return len(parts) == len(others) and all(map(same_bytes, parts, others))
    if first.packed is not None or second.packed is not None:
        return False
    if first.nbytes != second.nbytes or not (first.readable and second.readable):
        return False
    if (first.file, first.offset) == (second.file, second.offset):
        return True
    files = Files()
    try:
        return all(np.array_equal(a, b) for a, b in _side_by_side(files, first, second))
    except ReadFailed:
        return False
    finally:
        files.close()


def pieces_of(tensor: Tensor) -> Iterator[bytes]:
    """The bytes of a tensor in pieces of 1 MiB. Raises ReadFailed, where they are not all there."""
    if not tensor.readable:
        raise ReadFailed(tensor.file, tensor.offset, tensor.nbytes, 0, "its bytes are not there")
    files = Files()
    try:
        for start in range(0, tensor.nbytes, _PIECE):
            buffer = np.empty(min(_PIECE, tensor.nbytes - start), np.uint8)
            files.get(tensor.file).read(buffer, tensor.offset + start)
            yield buffer.tobytes()
    finally:
        files.close()


def small_bytes(tensor: Tensor, most: int, files: Files) -> bytes | None:
    """The bytes of a small tensor; None where it is larger than `most`, or cannot be read whole."""
    if not tensor.readable or tensor.nbytes > most:
        return None
    buffer = np.empty(tensor.nbytes, np.uint8)
    try:
        files.get(tensor.file).read(buffer, tensor.offset)
    except ReadFailed:
        return None
    return buffer.tobytes()


def _side_by_side(files: Files, first: Tensor, second: Tensor) -> Iterator[tuple[Bytes, Bytes]]:
    buffers = [np.empty(min(_PIECE, first.nbytes), np.uint8) for _ in range(2)]
    for start in range(0, first.nbytes, _PIECE):
        size = min(_PIECE, first.nbytes - start)
        a, b = (buffer[:size] for buffer in buffers)
        files.get(first.file).read(a, first.offset + start)
        files.get(second.file).read(b, second.offset + start)
        yield a, b


def _words(error: OSError | ValueError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
