"""Owns what each model of a repository is held to: `artifacts:` of the contracts.yaml files above it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from model_contracts import door
from model_contracts.checks.static.custom.selected import matched
from model_contracts.contract import ArtifactEntry
from model_contracts.definitions import load
from model_contracts.definitions.shipped import USER_FILE


@dataclass(frozen=True, slots=True)
class Mapped:
    """One line of `artifacts:`, and the file that has it."""

    file: Path
    asked: ArtifactEntry

    @property
    def against(self) -> Path | None:
        """The source, by its place."""
        return self.file.parent / self.asked.against if self.asked.against is not None else None

    @property
    def contract(self) -> str | None:
        """The contract: an id, or the place of a file."""
        named = self.asked.contract
        return str(self.file.parent / named) if named is not None and named.endswith((".yaml", ".yml")) else named

    @property
    def tokenizer(self) -> Path | None:
        """The tokenizer.json that stands for the source's own, by its place."""
        return self.file.parent / self.asked.tokenizer if self.asked.tokenizer is not None else None

    def means(self, path: Path) -> bool:
        """Whether it is about the model at a path."""
        here = self.file.parent
        return path.is_relative_to(here) and matched(self.asked.file, path.relative_to(here).as_posix()) is not None


def entry_of(root: Path, artifact: Path) -> Mapped | None:
    """The entry of a model: the first of the nearest file that has one. Raises DefinitionError."""
    return next((entry for file in above(root, artifact) for entry in entries(file) if entry.means(artifact)), None)


def above(root: Path, path: Path) -> Iterator[Path]:
    """The contracts.yaml files above a path, the nearest first, up to the root of the repository."""
    for folder in path.parents:
        if folder.is_relative_to(root) and door.is_regular(found := folder / USER_FILE):
            yield found


@cache
def entries(file: Path) -> tuple[Mapped, ...]:
    """The entries of one file. Raises DefinitionError."""
    from model_contracts.contract import Contract

    return tuple(Mapped(file, asked) for asked in load(Contract, file).artifacts)
