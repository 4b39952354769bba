"""Owns a run of lint: which files are read, as what, and all that is wrong with them, by file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from model_contracts import door, resources
from model_contracts.definitions import KINDS, DefinitionError
from model_contracts.definitions.errors import Shadows
from model_contracts.definitions.folders import MANIFEST, open_folder
from model_contracts.definitions.known import OwnFile, OwnFolder, open_folders, opened
from model_contracts.definitions.loading import hold_shadows, tree_of
from model_contracts.definitions.shipped import USER_FILE, Kind, kind_below, shipped_ids
from model_contracts.definitions.tree import Tree
from model_contracts.definitions.typed import Text, build, faults
from model_contracts.engine.plan import UsageError
from model_contracts.invariant import Definition, Invariant
from model_contracts.lint import contracts, invariants, others
from model_contracts.lint.flaws import Flaw, collected, flaw, of_error

#: A key that definitions of a kind alone have, the surest first.
_SHOWN: tuple[tuple[str, Kind], ...] = (
    ("recipes", "recipes"),
    ("layouts", "scheme"),
    ("architectures", "family"),
    ("hyperparameters", "family"),
    ("fused", "family"),
    ("tensors", "family"),
    ("inputs", "corpus"),
    ("model", "playbook"),
    ("runtimes", "system"),
    ("statement", "invariant"),
)
_FLAWS: dict[Kind, Callable[[Any], Iterator[Flaw]]] = {
    "invariant": invariants.flaws_of,
    "corpus": invariants.flaws_of_corpus,
    "family": others.flaws_of_family,
    "recipes": others.flaws_of_recipes,
    "playbook": others.flaws_of_playbook,
    "system": others.flaws_of_system,
}


def linted(paths: Sequence[Path]) -> tuple[list[Flaw], int]:
    """Everything that is wrong with files and folders of definitions, in their order; how many files were read.

    A folder without definitions.yaml stands for its contracts.yaml. Raises UsageError for a path where nothing is.
    """
    flaws, files = list[Flaw](), list[OwnFile]()
    folders = [_folder(path, flaws) for path in paths if (path / MANIFEST).exists()]
    for path in paths:
        if not (path / MANIFEST).exists():
            files += _file(path / USER_FILE if path.is_dir() else path, flaws)
    with opened((*open_folders(), *(folder for folder in folders if folder is not None))):
        try:
            hold_shadows()
        except Shadows as error:
            flaws.append(of_error(error, "shadowed"))
        except DefinitionError:
            pass  # told of with the definition itself
        own = [file for folder in open_folders() for file in folder.files.values()]
        for file in (*files, *own):
            flaws += _flaws(file)
        flaws += _not_held(own, files)
    return sorted(set(flaws)), len(files) + len(own)


def _folder(path: Path, flaws: list[Flaw]) -> OwnFolder | None:
    """A folder without the files that cannot be typed; what is wrong with those is told."""
    try:
        folder = open_folder(path, lambda error: flaws.append(of_error(error)))
    except DefinitionError as error:
        flaws.append(of_error(error))
        return None
    good = {name: file for name, file in folder.files.items() if not _untyped(file, flaws)}
    return OwnFolder(folder.place, folder.shown, folder.prefix, folder.digest, good)


def _file(path: Path, flaws: list[Flaw]) -> list[OwnFile]:
    """A file by itself; nothing where it cannot be typed, and why is told."""
    if not door.is_regular(path):
        raise UsageError(f"{path}: no file of a definition, and no folder of them ({MANIFEST}, {USER_FILE})")
    with collected(flaws):
        tree, digest = tree_of(path, str(path))
        file = OwnFile(str(tree.as_written(("id",))), _kind(path, tree), path, tree, digest)
        return [] if _untyped(file, flaws) else [file]
    return []


def _kind(path: Path, tree: Tree) -> Kind:
    """By its place among the shipped ones, else by what only one kind says."""
    for top in ("contracts", "invariants"):
        folder = resources.folder(top)
        if path.resolve().is_relative_to(folder):
            return kind_below(top, path.resolve().relative_to(folder).as_posix().removesuffix(".yaml"))
    keys = tree.value if isinstance(tree.value, dict) else {}
    return next((kind for key, kind in _SHOWN if key in keys), "contract")


def _untyped(file: OwnFile, flaws: list[Flaw]) -> bool:
    found = faults(KINDS[file.kind], file.tree)
    flaws += [of_error(error) for error in found]
    return bool(found)


def _flaws(file: OwnFile) -> Iterator[Flaw]:
    definition: Any = build(KINDS[file.kind], file.tree)
    definition._origin = Text(file.tree, file.digest)
    if definition.id in shipped_ids(file.kind) and not _is_shipped(file.path):
        yield flaw(definition, "shadowed", f"{definition.id!r} is the id of a shipped {file.kind}", "id")
    if file.kind == "contract":
        yield from contracts.flaws_of(definition, beside=file.path.name == USER_FILE)
    elif file.kind in _FLAWS:
        yield from _FLAWS[file.kind](definition)


def _is_shipped(path: Path) -> bool:
    return any(path.resolve().is_relative_to(resources.folder(top)) for top in ("contracts", "invariants"))


def _not_held(own: Sequence[OwnFile], files: Sequence[OwnFile]) -> Iterator[Flaw]:
    """Invariants of folders that no contract among what was read holds anything to."""
    named = {
        clause.get("invariant")
        for file in (*own, *files)
        if file.kind == "contract"
        for clause in file.tree.value.get("clauses") or ()
    }
    for file in own:
        if file.kind == "invariant" and file.id not in named and file.tree.value.get("subject") != "qualification":
            yield flaw(_of(file), "not held", f"no contract that was read has a clause of {file.id}", "id")


def _of(file: OwnFile) -> Definition:
    definition = build(Invariant, file.tree)
    definition._origin = Text(file.tree, file.digest)
    return definition
