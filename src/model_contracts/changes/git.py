"""Owns what is asked of Git: which files differ from where a branch began. No shell, and no name is an option."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from model_contracts import door
from model_contracts.changes.pointers import SHORT, of_bytes
from model_contracts.engine.plan import UsageError
from model_contracts.processes.program import NotStarted, Program

#: Seconds that Git may take: it reads files whose times have changed.
_SECONDS = 600.0
#: Files that differ, at most.
_MOST = 200_000
#: Nothing that a repository configures for others is run to look at it.
_QUIET = ("-c", "core.fsmonitor=false", "-c", "diff.external=", "-c", "core.pager=cat")


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file that differs: where it is now, and where it was if it was only given another name."""

    path: Path
    gone: bool = False
    before: Path | None = None


def root_of(folder: Path) -> Path:
    """The working tree that a folder is in. Raises UsageError where it is in none, or Git is not here."""
    return Path(os.fsdecode(_git(folder, "rev-parse", "--show-toplevel").removesuffix(b"\n")))


def changed_since(root: Path, ref: str) -> tuple[FileChange, ...]:
    """Tracked files that differ from where HEAD and a reference parted, what is staged or not committed among them.

    Raises UsageError for a reference that names no commit, and for one that HEAD has nothing in common with.
    """
    if not ref or ref.startswith("-") or "\0" in ref:
        raise UsageError(f"--changed-since {ref!a}: expected a branch, a tag or a commit")
    try:
        commit = _git(root, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}").decode("ascii").strip()
    except (UsageError, UnicodeDecodeError):
        raise UsageError(f"--changed-since {ref!a}: expected a branch, a tag or a commit of {root}") from None
    try:
        base = _git(root, "merge-base", commit, "HEAD").decode("ascii").strip()
    except UsageError:
        said = "HEAD has no commit in common with it (of a shallow clone: git fetch --unshallow)"
        raise UsageError(f"--changed-since {ref!a}: {said}") from None
    told = ("--name-status", "-z", "--find-renames=100%", "--no-ext-diff", "--no-textconv", "--ignore-submodules=all")
    changes = _changes(root, _git(root, "diff", *told, base, "--"))
    return tuple(change for change in changes if not _brought(root, base, change))


def _brought(root: Path, base: str, change: FileChange) -> bool:
    """Whether a file is what the pointer of before points at: where Git LFS is not set up, bringing it changes it."""
    if change.gone or change.before is not None or not door.is_regular(change.path):
        return False
    place = f"{base}:{change.path.relative_to(root).as_posix()}"
    try:
        if int(_git(root, "cat-file", "-s", place)) >= SHORT:
            return False
        before = of_bytes(_git(root, "cat-file", "blob", place))
    except UsageError:  # it is new
        return False
    if before is None or not before.digest.startswith("sha256:") or change.path.stat().st_size != before.size:
        return False
    digest = hashlib.sha256()
    door.fed(change.path, digest)
    return f"sha256:{digest.hexdigest()}" == before.digest


def _changes(root: Path, printed: bytes) -> Iterator[FileChange]:
    """What `git diff --name-status -z` prints: a letter, then one name, or two of a file that was renamed."""
    words = iter(printed.split(b"\0")[:-1])
    for number, word in enumerate(words):
        if number >= _MOST:
            raise UsageError(f"more than {_MOST:,} files differ: name the models as PATH")
        name = next(words, b"")
        if word[:1] in (b"R", b"C"):
            yield FileChange(_below(root, next(words, b"")), before=_below(root, name))
        else:
            yield FileChange(_below(root, name), gone=word[:1] == b"D")


def _below(root: Path, name: bytes) -> Path:
    return root / os.fsdecode(name)


def _git(folder: Path, *words: str) -> bytes:
    """What Git prints. Raises UsageError where it fails."""
    try:
        program = Program(["git", *_QUIET, "-C", str(folder), *words], group=True)
    except NotStarted as error:
        raise UsageError(f"--changed-since asks Git: {error}") from None
    try:
        code = program.wait(_SECONDS)
    except TimeoutError:
        program.end()
        raise UsageError(f"git {words[0]} did not answer in {_SECONDS:.0f} s") from None
    if code != 0:
        said = program.tail.splitlines()
        raise UsageError(f"git {words[0]}: {said[0] if said else f'exit {code}'}"[:300])
    return program.printed
