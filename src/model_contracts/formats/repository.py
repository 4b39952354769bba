"""Owns a repository of several models: what it says it is made of, where each lies, and which weights are nobody's.

A pipeline of diffusers says so in model_index.json, a sentence model in modules.json. Names of folders come from files
of others: each has to be a plain name, of a folder that stays inside.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from model_contracts.artifact import Artifact, Component, Sidecar
from model_contracts.formats.discovery import AmbiguousArtifact, find, is_foreign
from model_contracts.formats.documents import read_object
from model_contracts.formats.interface import Unreadable
from model_contracts.formats.modules import FILE as MODULES
from model_contracts.formats.modules import read_modules
from model_contracts.formats.opening import open_artifact, open_container
from model_contracts.ledger import Ledger
from model_contracts.outcome import Place
from model_contracts.paths import model_name, plain, stays_in, suffix_format

PIPELINE = "model_index.json"
#: Components, files of weights of one of them, and names of strays that are listed, at most.
_MOST, _FILES, _LISTED = 64, 64, 1000


def open_repository(path: Path) -> tuple[Artifact, ...]:
    """What a path holds: of a pipeline the list of its components and each of them, of a sentence model each part.

    Any other path is one artifact. Raises Unreadable and AmbiguousArtifact as `open_artifact` does.
    """
    if (path / PIPELINE).is_file() and stays_in(path, path / PIPELINE):
        whole = _pipeline(path)
    elif (path / MODULES).is_file() and stays_in(path, path / MODULES) and not _has_weights(path):
        whole = _sentence(path)
    else:
        whole = open_artifact(path)
        if not whole.modules:
            return (whole,)
        whole_parts = tuple(_of_module(path, one.path, one.kind) for one in whole.modules if one.path)
        return (whole, *_opened(whole_parts))
    if not whole.components and not whole.strays:
        return (open_artifact(path),)  # it names nothing: what lies there is said as of any folder
    return (whole, *_opened(whole.components))


def _has_weights(path: Path) -> bool:
    try:
        return bool(find(path).names or find(path).indexes)
    except AmbiguousArtifact:
        return True
    except Unreadable:
        return False


def _opened(components: tuple[Component, ...]) -> Iterator[Artifact]:
    for component in components:
        for path in component.paths:
            yield open_artifact(path)


def _pipeline(path: Path) -> Artifact:
    ledger = Ledger()
    said = read_object(path / PIPELINE, ledger) or {}
    names = [name for name, value in said.items() if isinstance(value, list) and len(value) == 2][:_MOST]
    components = tuple(_component(path, name, said[name], ledger) for name in names)
    return _listing_of(path, PIPELINE, said, components, ledger)


def _sentence(path: Path) -> Artifact:
    """A sentence model whose transformer lies in a folder of its own (0_Transformer)."""
    ledger = Ledger()
    modules = read_modules(path, open_container, ledger)
    components = tuple(_of_module(path, one.path, one.kind) for one in modules if one.path)
    return _listing_of(path, MODULES, {}, components, ledger)


def _listing_of(
    path: Path, file: str, said: Mapping[str, Any], components: tuple[Component, ...], ledger: Ledger
) -> Artifact:
    return Artifact(
        path=path,
        name=model_name(path),
        format="safetensors",
        layout="directory",
        containers=(),
        ledger=ledger,
        sidecars={"config": Sidecar("config", path / file, "names the components")},
        config=said,
        components=components,
        strays=tuple(_strays(path, {one.name for one in components})),
    )


def _component(path: Path, name: str, said: list[Any], ledger: Ledger) -> Component:
    library, kind = (word if isinstance(word, str) else None for word in said)
    holds = plain(name) and stays_in(path, path / name)
    ledger.compare(
        "format", "component", holds, expected="the name of a folder beside it", observed=name[:200],
        place=Place(file=PIPELINE),
    )  # fmt: skip
    if not holds or kind is None:
        return Component(name[:200], library, kind)
    return _there(path / name, name, library, kind)


def _of_module(path: Path, place: str, kind: str) -> Component:
    return _there(path / place, place, "sentence_transformers", kind)


def _there(folder: Path, name: str, library: str | None, kind: str) -> Component:
    """A component with what is to be opened of it: the folder, or each of several models in it (variants)."""
    if not folder.is_dir():
        return Component(name, library, kind)
    config = next((folder / one for one in ("config.json",) if (folder / one).is_file()), None)
    declared = read_object(config, Ledger()) if config is not None and stays_in(folder, config) else None
    try:
        found = find(folder)
        # A configuration alone is no artifact, but for the pooling of a sentence model and for a tokenizer.
        artifact = open_artifact(folder) if not (found.names or found.indexes) else None
        return Component(name, library, kind, True, (folder,) if artifact is None or _says(artifact) else (), declared)
    except AmbiguousArtifact as several:
        return Component(
            name, library, kind, True, tuple(folder / one for one in several.candidates[:_FILES]), declared
        )
    except Unreadable as refused:
        return Component(name, library, kind, True, (), declared, str(refused).rpartition(": ")[2])


def _says(artifact: Artifact) -> bool:
    return bool(artifact.config or artifact.sidecars)


def _strays(path: Path, components: set[str]) -> Iterator[str]:
    """Files of weights that lie in no component: at the top, and in folders that nothing names."""
    try:
        for entry in sorted(_entries(path), key=lambda one: one.name):
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in components and not entry.name.startswith("."):
                    yield from (f"{entry.name}/{one.name}" for one in _entries(Path(entry.path)) if _weights(one.name))
            elif _weights(entry.name):
                yield entry.name
    except OSError:
        return


def _entries(path: Path) -> list[os.DirEntry[str]]:
    with os.scandir(path) as entries:
        return [entry for _, entry in zip(range(_LISTED), entries, strict=False)]


def _weights(name: str) -> bool:
    return suffix_format(name) is not None or is_foreign(name)
