"""Owns which models a person means by a path that may stand for several: a pattern, a folder of files or of folders."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from pathlib import Path

from model_contracts.formats.discovery import AmbiguousArtifact, find
from model_contracts.formats.interface import Unreadable
from model_contracts.formats.source import printable

#: Models of one run.
LIMIT = 1_000


def models_at(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Each path, or the models that it stands for, in their order, each once.

    Raises Unreadable for a pattern that nothing answers to, and for more than 1,000 models. A path that leads nowhere
    is itself: whoever opens it says so.
    """
    found: dict[Path, None] = {}
    for path in paths:
        found.update(dict.fromkeys(_models(path)))
        if len(found) > LIMIT:
            raise Unreadable(f"{printable(path)}: stands for more than {LIMIT:,} models")
    return tuple(found)


def _models(path: Path) -> tuple[Path, ...]:
    if not os.path.lexists(path):
        return _matching(path)
    if not os.path.isdir(path):  # noqa: PTH112 -- Path.is_dir hides a refused permission
        return (path,)
    try:
        find(path)
    except AmbiguousArtifact as several:
        return tuple(path / name for name in several.candidates)
    except Unreadable:
        return _below(path) or (path,)
    return (path,)


def _matching(path: Path) -> tuple[Path, ...]:
    """What a pattern stands for; files that are no model are left out of it."""
    if not glob.has_magic(str(path)):
        return (path,)
    places = [Path(name) for name in sorted(glob.glob(str(path)))]  # noqa: PTH207 -- of any root
    found = tuple(model for place in places[: LIMIT + 1] for model in _readable(place))
    if not found:
        raise Unreadable(f"{printable(path)}: no model answers to this pattern")
    return found


def _below(path: Path) -> tuple[Path, ...]:
    """The models in the folders of a folder that has none of its own."""
    with os.scandir(path) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    return tuple(model for name in names[: LIMIT + 1] if not name.startswith(".") for model in _readable(path / name))


def _readable(place: Path) -> tuple[Path, ...]:
    try:
        find(place)
    except AmbiguousArtifact as several:
        return tuple(place / name for name in several.candidates)
    except Unreadable:
        return ()
    return (place,)
