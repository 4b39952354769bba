"""Owns outlines: the known definitions as they are written, for lists and explanations, without typing them.

That they are well-typed is what the test suite says of every shipped file; here a tenth of a second is saved.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from model_contracts import door
from model_contracts.definitions.known import open_folders
from model_contracts.definitions.shipped import Kind, shipped_ids, shipped_path, shown_path
from model_contracts.definitions.tree import MAX_BYTES, Pointer, Tree, parse


@dataclass(frozen=True, slots=True)
class Outline:
    """One definition: its values, and where each is written."""

    id: str
    tree: Tree

    def get(self, key: str, otherwise: Any = None) -> Any:
        """The value of a top-level key."""
        return self.tree.value.get(key, otherwise)

    def where(self, *pointer: str | int) -> str:
        """`file:line` of a value, or of the nearest value around it."""
        place: Pointer = pointer
        while place not in self.tree.marks:
            place = place[:-1]
        return f"{self.tree.file}:{self.tree.marks[place].key[0]}"


def outlines(kind: Kind) -> Iterator[Outline]:
    """Every definition of a kind: the shipped ones by id, then those of each folder that is open."""
    for name in shipped_ids(kind):
        yield Outline(name, parse(door.read(shipped_path(kind, name), MAX_BYTES), shown_path(kind, name)))
    for folder in open_folders():
        for name in folder.by_kind.get(kind, ()):
            yield Outline(name, folder.files[name].tree)
