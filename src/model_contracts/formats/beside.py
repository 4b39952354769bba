"""Owns what lies in an artifact's folder and is no part of it: names only, nothing of it is opened."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from model_contracts.artifact import Artifact

#: Names that are listed, and folders below the first that are entered.
_MOST, _DEEPEST = 10_000, 3
#: Folders that a client keeps for itself.
_CLIENTS = (".git", ".cache")


@dataclass(frozen=True, slots=True)
class Listing:
    """Files by their names in a folder, those of folders below it with theirs before them."""

    folder: Path
    #: All of them, and those that the artifact did not take.
    names: tuple[str, ...]
    untouched: tuple[str, ...]
    #: Why not all that lies there is in it; None where all is.
    left_out: str | None = None


def listing(artifact: Artifact) -> Listing | None:
    """What lies in the folder of an artifact that is a folder, or whose configuration lies beside its weights.

    None for a file on its own: what else lies where it was put is no part of the model.
    """
    folder = _folder(artifact)
    if folder is None:
        return None
    names: list[str] = []
    left_out = None
    try:
        for name in _names(folder, "", 0):
            if len(names) >= _MOST:
                left_out = f"more than {_MOST:,} files lie there"
                break
            names.append(name)
    except OSError as error:
        left_out = f"the folder cannot be listed: {(error.strerror or 'the system refused').lower()}"
    taken = {path.name for path in (*artifact.files, *(sidecar.path for sidecar in artifact.sidecars.values()))}
    names.sort()
    return Listing(folder, tuple(names), tuple(name for name in names if name not in taken), left_out)


def _folder(artifact: Artifact) -> Path | None:
    if artifact.path.is_dir():
        return artifact.files[0].parent if artifact.files else artifact.path
    config = artifact.sidecars.get("config")
    return config.path.parent if config is not None else None


def _names(folder: Path, before: str, depth: int) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                yield before + entry.name
            elif depth < _DEEPEST and entry.name not in _CLIENTS:
                yield from _names(folder / entry.name, f"{before}{entry.name}/", depth + 1)
