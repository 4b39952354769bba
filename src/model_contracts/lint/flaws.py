"""Owns what is wrong with a definition: where, of which sort, in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from model_contracts.definitions.errors import DefinitionError
from model_contracts.definitions.merge import Layer
from model_contracts.definitions.typed import Text
from model_contracts.invariant import Definition

Sort = Literal["unreadable", "unknown", "never applies", "wider than its fault", "shadowed", "duplicate", "not held"]


@dataclass(frozen=True, slots=True, order=True)
class Flaw:
    """One thing that is wrong; `not held` is said and decides nothing, every other sort exits 1."""

    file: str
    line: int
    column: int
    sort: Sort
    says: str

    @property
    def decides(self) -> bool:
        """Whether it makes the exit code 1."""
        return self.sort != "not held"

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        return f"{place}: {self.sort}: {self.says}"


def of_error(error: DefinitionError, sort: Sort = "unreadable") -> Flaw:
    """An error of loading, as a flaw; where it carries `file:line` in one word, the line is taken out of it."""
    file, line = error.file, error.line
    if line is None and (head := file.rpartition(":"))[2].isdigit():
        file, line = head[0], int(head[2])
    return Flaw(file, line or 0, error.column or 0, sort, f"expected {error.expected}, found {error.found}")


def flaw(definition: Definition, sort: Sort, says: str, *pointer: str | int) -> Flaw:
    """A flaw at a value of a definition."""
    origin = definition._origin
    if isinstance(origin, Layer):
        origin, pointer = origin.under(pointer)
    if isinstance(origin, Text) and (mark := origin.marks.get(pointer)):
        return Flaw(origin.file, *mark.key, sort, says)
    file, _, line = definition.where(*pointer).rpartition(":")
    return Flaw(file, int(line), 0, sort, says) if line.isdigit() else Flaw(f"{file}:{line}", 0, 0, sort, says)


@contextmanager
def collected(flaws: list[Flaw], sort: Sort = "unreadable") -> Iterator[None]:
    """An error of loading inside the block becomes a flaw."""
    try:
        yield
    except DefinitionError as error:
        flaws.append(of_error(error, sort))
