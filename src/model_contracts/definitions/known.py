"""Owns which definitions a run knows: the shipped ones first, then those of the folders that a user opened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from model_contracts.definitions import shipped

if TYPE_CHECKING:
    from model_contracts.definitions.tree import Tree

Kind = shipped.Kind


@dataclass(frozen=True, slots=True, eq=False)
class OwnFile:
    """One definition of a user: its file, its YAML as it was when the folder was opened, the digest of its bytes."""

    id: str
    kind: Kind
    path: Path
    tree: Tree
    digest: str


@dataclass(frozen=True, eq=False)
class OwnFolder:
    """A user's folder of definitions: every id in it begins with its prefix and a slash."""

    place: Path
    #: The folder as the user named it.
    shown: str
    prefix: str
    #: The digest of definitions.yaml, which says the prefix.
    digest: str
    files: Mapping[str, OwnFile]

    @cached_property
    def by_kind(self) -> Mapping[Kind, tuple[str, ...]]:
        """The ids of each kind, sorted."""
        kinds = {file.kind for file in self.files.values()}
        return {kind: tuple(sorted(name for name, file in self.files.items() if file.kind == kind)) for kind in kinds}


class _World:
    """The folders that are open in this process."""

    folders: tuple[OwnFolder, ...] = ()


def open_folders() -> tuple[OwnFolder, ...]:
    """The folders that are open, in the order in which they were named."""
    return _World.folders


def use(folders: Sequence[OwnFolder]) -> None:
    """Make these the folders that are open, and no others."""
    _World.folders = tuple(folders)


@contextmanager
def opened(folders: Sequence[OwnFolder]) -> Iterator[None]:
    """These folders are open inside the block."""
    before = _World.folders
    use(folders)
    try:
        yield
    finally:
        use(before)


def own(name: str) -> OwnFile | None:
    """The definition of a user with that id."""
    return next((found for folder in _World.folders if (found := folder.files.get(name)) is not None), None)


def known_ids(kind: Kind) -> tuple[str, ...]:
    """The ids of every definition of a kind: shipped ones, then those of each open folder."""
    ids = shipped.shipped_ids(kind)
    return (
        (*ids, *(name for folder in _World.folders for name in folder.by_kind.get(kind, ()))) if _World.folders else ids
    )


def below(kind: Kind, folder: str, name: str) -> str | None:
    """The id that a name stands for, with or without its folder (`apr`: `converters/apr`); None where none is known."""
    ids = known_ids(kind)
    return name if name in ids else f"{folder}/{name}" if f"{folder}/{name}" in ids else None
