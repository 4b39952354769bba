"""Owns pointers: the small file that Git keeps in place of a large one which lies in Git LFS or in Xet."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from model_contracts import door

#: A pointer is shorter than this many bytes (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md).
SHORT = 1024
#: As the same page has it: the version comes first, other keys in the order of letters. Xet repositories of the Hugging
#: Face Hub keep this form (hub-docs, "Backward Compatibility with LFS").
_LFS = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\r?\n(?:[a-z0-9.-]+ [^\n]*\n)*?"
    rb"oid (sha256:[0-9a-f]{64})\r?\nsize (\d{1,19})\r?\n"
)
#: xet-core, PointerFile: TOML whose first line says the version.
_XET = re.compile(rb"# xet version \d[\d.]{0,8}\r?\n")
_XET_SIZE, _XET_HASH = (
    re.compile(rb"^filesize = (\d{1,19})\r?$", re.M),
    re.compile(rb"^hash = ['\"]([0-9a-f]{64})", re.M),
)


@dataclass(frozen=True, slots=True)
class Pointer:
    """What a pointer points at."""

    #: The program that brings the file.
    kind: str
    digest: str
    size: int
    fetch: str

    def __str__(self) -> str:
        what = f"a {self.kind} pointer to {self.size:,} bytes ({self.digest})"
        return f"{what}, and the file is not here: {self.fetch} brings it"


def pointer(path: Path) -> Pointer | None:
    """The pointer at a path; None where no pointer is there, or nothing that can be read."""
    try:
        with door.opened(path) as file:
            data = file.read(SHORT)
    except OSError:
        return None
    return of_bytes(data) if len(data) < SHORT else None


def of_bytes(data: bytes) -> Pointer | None:
    """The pointer that a file's bytes are."""
    if (lfs := _LFS.match(data)) is not None:
        return Pointer("Git LFS", lfs[1].decode(), int(lfs[2]), "git lfs pull")
    size, digest = _XET_SIZE.search(data), _XET_HASH.search(data)
    if _XET.match(data) and size is not None and digest is not None:
        return Pointer("Xet", f"xet:{digest[1].decode()}", int(size[1]), "git xet checkout")
    return None
