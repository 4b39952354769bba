"""Owns giving a written file its name: whole or not at all, and nothing that stands there is replaced unasked."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

#: What a file system says that knows no second name of a file: there a name is taken first, and then filled.
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES, errno.EXDEV)


def standing(paths: Iterable[Path]) -> list[Path]:
    """Those of the paths where something stands already, links that lead nowhere included."""
    return [path for path in paths if os.path.lexists(path)]


def taken(paths: Sequence[Path]) -> str:
    """One sentence for what stands in the way."""
    shown = ", ".join(str(path) for path in paths[:8]) + (f" and {len(paths) - 8:,} more" if len(paths) > 8 else "")
    return f"{shown}: {'it exists' if len(paths) == 1 else 'they exist'} already; --force replaces"


def place(written: Path, target: Path, *, replace: bool = False) -> None:
    """Rename a file, on one file system, to its name. Raises FileExistsError unless `replace`, and OSError."""
    if replace:
        written.replace(target)
        return
    try:
        os.link(written, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError, AttributeError) as error:  # no second names, or no such call
        if isinstance(error, OSError) and error.errno not in _NO_LINKS:
            raise
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))  # ours from here on
        written.replace(target)
        return
    written.unlink()


def place_all(files: Sequence[tuple[Path, Path]], *, replace: bool = False) -> None:
    """Place files one by one, and none of them where one cannot be. Raises FileExistsError and OSError."""
    done: list[tuple[Path, Path]] = []
    try:
        for written, target in files:
            place(written, target, replace=replace)
            done.append((written, target))
    except BaseException:
        if not replace:
            for written, target in done:
                with suppress(OSError):
                    target.replace(written)
        raise


def write(target: Path, data: bytes, *, replace: bool = False) -> None:
    """Write a small file beside its place, and place it once it is on disk. Raises FileExistsError and OSError."""
    filled = target.parent / f".{target.name[:200]}.{os.urandom(6).hex()}"
    try:
        with filled.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        place(filled, target, replace=replace)
    except BaseException:
        with suppress(OSError):  # what could not be made cannot be taken away either
            filled.unlink(missing_ok=True)
        raise
