"""Owns which models a set of changed files belongs to: weights, shards, what lies beside them, and their sources."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from model_contracts import door
from model_contracts.changes import mapping
from model_contracts.changes.git import FileChange
from model_contracts.changes.pointers import pointer
from model_contracts.containers import FORMS
from model_contracts.definitions.shipped import USER_FILE
from model_contracts.formats.discovery import Found, find
from model_contracts.formats.foreign import detect
from model_contracts.formats.interface import Unreadable
from model_contracts.formats.source import FileBytes
from model_contracts.paths import SIDECAR_FILES, sidecars, suffix_format

#: What of a model's folder is read beside its weights.
_BESIDE = (".json", ".jinja", ".model", ".txt", ".tiktoken", ".py")
_INDEX = ".index.json"
#: Models of one folder that a file beside them is looked for in.
_MOST = 1_000


@dataclass
class Touching:
    """Models that were touched, each with the files that say so."""

    because: dict[Path, list[Path]] = field(default_factory=dict)

    def add(self, artifact: Path, file: Path) -> None:
        """A file touches a model."""
        self.because.setdefault(artifact, []).append(file)


def touched(root: Path, changes: Iterable[FileChange]) -> Touching:
    """The models below `root` that changed files belong to, in the order of the files."""
    touching, folders = Touching(), _Folders()
    changes = tuple(changes)
    for change in changes:
        for artifact in folders.models_of(change):
            touching.add(artifact, change.path)
    for change in changes:
        for entry in mapping.entries(change.path) if change.path.name == USER_FILE and not change.gone else ():
            for artifact in folders.below(change.path.parent, root):
                if entry.means(artifact):
                    touching.add(artifact, change.path)
    _sources(root, changes, touching, folders)
    return touching


def _sources(root: Path, changes: tuple[FileChange, ...], touching: Touching, folders: _Folders) -> None:
    """A model is touched where what it is held against is."""
    for file in dict.fromkeys(file for change in changes for file in mapping.above(root, change.path)):
        for entry in mapping.entries(file):
            source = entry.against
            moved = next((one.path for one in changes if source is not None and _is_of(one.path, source)), None)
            if moved is None or source is None:
                continue
            for artifact in folders.below(file.parent, root):
                if entry.means(artifact):
                    touching.add(artifact, moved)


def _is_of(path: Path, model: Path) -> bool:
    """Whether a file is a model or lies in its folder, by name; os.path so that nothing has to be there."""
    place = Path(os.path.normpath(model))
    return path == place or place in path.parents


class _Folders:
    """What lies in the folders that changed files are in; each is listed once."""

    def __init__(self) -> None:
        self._found: dict[Path, Found | None] = {}

    def models_of(self, change: FileChange) -> Iterator[Path]:
        """The models that a file is a part of."""
        path = change.path
        if not change.gone and is_weights(path):
            yield self._model_of(path)
        elif suffix_format(path.name) is not None or path.name.endswith(_INDEX):
            yield from self._left_of(path)  # a shard that is gone, or the index
        elif path.name.lower().endswith(_BESIDE) and path.name != USER_FILE:
            yield from self._beside(path)

    def below(self, folder: Path, root: Path) -> Iterator[Path]:
        """Every model below a folder."""
        for place, names, files in os.walk(folder):
            names[:] = sorted(name for name in names if not name.startswith("."))
            here = Path(place)
            found = dict.fromkeys(self._model_of(here / name) for name in sorted(files) if is_weights(here / name))
            yield from list(found)[:_MOST]

    def _folder(self, folder: Path) -> Found | None:
        """The one model that a folder is; None where it is none, or holds several."""
        if folder not in self._found:
            try:
                self._found[folder] = find(folder)
            except Unreadable:
                self._found[folder] = None
        return self._found[folder]

    def _model_of(self, weights: Path) -> Path:
        """The folder, where its weights are all there are and something tells of them; else the first of a set."""
        form, found = suffix_format(weights.name), self._folder(weights.parent)
        whole = found is not None and (weights.name in found.names or bool(found.indexes))
        if whole and found is not None and (form is None or FORMS[form].beside) and _told(found):
            return weights.parent
        try:
            own = find(weights)
        except Unreadable:
            return weights
        index = next(iter(own.indexes), None)
        return weights.parent / (index or (own.names[0] if own.names else weights.name))

    def _left_of(self, path: Path) -> Iterator[Path]:
        """What is left of the model of a shard or an index that changed or is gone."""
        found = self._folder(path.parent)
        there = [path.parent / name for name in (found.names or found.listing) if _named(name)] if found else []
        yield from (self._model_of(one) for one in there[:1])

    def _beside(self, path: Path) -> Iterator[Path]:
        """Models that a file beside their weights tells of: the folder's own, one folder up too (parts of a model)."""
        for folder in (path.parent, path.parent.parent):
            found = self._folder(folder)
            if found is not None and found.folder == folder and _told(found, path.name) and _holds_weights(found):
                yield self._model_of(folder / next(name for name in found.names or found.listing if _named(name)))
                return
        for name in self._weights(path.parent):
            own = {file.name for role in SIDECAR_FILES for file in sidecars(path.parent / name, role)}
            if path.name in own:
                yield self._model_of(path.parent / name)

    def _weights(self, folder: Path) -> list[str]:
        try:
            names = sorted(os.listdir(folder))  # noqa: PTH208 -- names
        except OSError:
            return []
        return [name for name in names if _named(name)][:_MOST]


def _told(found: Found, also: str = "") -> bool:
    """Whether something beside the weights tells of them."""
    return any(name.endswith((".json", ".jinja", ".model")) for name in (*found.listing, also))


def _holds_weights(found: Found) -> bool:
    return any(_named(name) for name in found.names or found.listing)


def _named(name: str) -> bool:
    return suffix_format(name) is not None


def is_weights(path: Path) -> bool:
    """Whether a file is weights, by its content or its name: one whose beginning is broken still is."""
    if not door.is_regular(path):
        return False
    if suffix_format(path.name) is not None:
        return True
    if path.name.lower().endswith(_BESIDE):
        return False
    try:
        with FileBytes(path) as source:
            return detect(source) is not None
    except (OSError, Unreadable):
        return False


def not_here(files: Iterable[Path]) -> str | None:
    """Why the files of a model cannot be compared: one is a pointer; None where all are there."""
    return next((f"{file.name} is {found}" for file in files if (found := pointer(file)) is not None), None)


def leaves(root: Path, artifact: Path) -> bool:
    """Whether a model lies outside the repository once links are followed: a branch does not say what is read there."""
    place, home = Path(os.path.realpath(artifact)), Path(os.path.realpath(root))
    return not place.is_relative_to(home)
