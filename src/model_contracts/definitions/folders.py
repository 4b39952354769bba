"""Owns opening a user's folder of definitions: bounded, nothing of it leaves the folder, shadows or names a program."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, ClassVar, NoReturn

from pydantic import Field

from model_contracts.definitions import shipped
from model_contracts.definitions.errors import DefinitionError, short
from model_contracts.definitions.known import Kind, OwnFile, OwnFolder
from model_contracts.definitions.loading import tree_of
from model_contracts.definitions.outline import outlines
from model_contracts.definitions.tree import Pointer
from model_contracts.definitions.typed import build
from model_contracts.outcome import Record

MANIFEST = "definitions.yaml"
MAX_FILES, MAX_ENTRIES, MAX_DEPTH, MAX_TOTAL = 1_000, 10_000, 8, 16 << 20
#: What a folder of a user may hold. Converters and runtimes name programs, which only the command line may; the tables
#: of keys and tokenizers say what changes nothing, and signs what a verdict is worth: of those there is one.
OWN_KINDS: tuple[Kind, ...] = (
    "invariant", "corpus", "contract", "family", "recipes", "scheme", "playbook", "system",
)  # fmt: skip
_REFUSED: dict[Kind, str] = {
    "converter": "it names a program, and those come from the command line (--converter FILE)",
    "runtime": "it names a program, and those come from the command line (--runtime FILE)",
    "keys": "there is one table of keys, and it is shipped",
    "tokenizers": "there is one table of tokenizers, and it is shipped",
    "pretokenizers": "there is one table of pre-tokenizers, and it is shipped",
    "audit": "signs are shipped",
    "engine": "facts of engines are shipped, each with the file it was read in",
    "tier": "a playbook says itself what it asks otherwise than its tier",
}
#: Letters of other alphabets look like these; a path has none of them, and no step up.
_STEP = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+@-]*")
_PREFIX = r"^[a-z][a-z0-9]{1,23}$"
#: First words of shipped gates, beside the first words of shipped ids: no prefix.
RESERVED = frozenset(("contracts", "invariants", "builtin", "families", "corpus", "f", "g0", "apr"))


class DefinitionsFolder(Record):
    """definitions.yaml: what makes a folder one of definitions."""

    NAMES: ClassVar[tuple[Pointer, ...]] = (("prefix",),)

    prefix: Annotated[str, Field(pattern=_PREFIX)] = Field(
        description="What every id of the folder begins with, before a slash; of gates in capitals, before a hyphen."
    )
    title: str = Field(description="Whose definitions these are, and of what.")


#: Takes what is wrong with one file.
Tell = Callable[[DefinitionError], None]


def open_folder(place: Path, tell: Tell | None = None) -> OwnFolder:
    """A folder of definitions, every file of it read. Raises DefinitionError for the first thing that cannot be.

    `tell` is told of what is wrong with single files in place of that, and they are left out.
    """
    shown = str(place)
    if not place.is_dir():
        raise DefinitionError(shown, None, None, "a folder of definitions", "no folder")
    if not (place / MANIFEST).resolve().is_relative_to(place.resolve()):
        _refuse_link(place / MANIFEST)
    tree, digest = tree_of(place / MANIFEST, f"{shown}/{MANIFEST}")
    manifest = build(DefinitionsFolder, tree)
    if manifest.prefix in _reserved():
        tree.fail(tree.marks["prefix",].value, "a prefix that is no word of shipped ids", repr(manifest.prefix))
    files: dict[str, OwnFile] = {}
    total = 0
    for path in _paths(place, tell):
        try:
            own, size = _file(place, path, manifest.prefix)
            _refuse_twice(files, own)
        except DefinitionError as error:
            _tell(error, tell)
            continue
        total += size
        if total > MAX_TOTAL:
            raise DefinitionError(shown, None, None, f"at most {MAX_TOTAL:,} bytes of definitions", "more")
        files[own.id] = own
    if not files and tell is None:
        raise DefinitionError(shown, None, None, "definitions below contracts/ or invariants/", "none")
    folder = OwnFolder(place, shown, manifest.prefix, digest, files)
    _hold_gates(folder, tell)
    return folder


def _tell(error: DefinitionError, tell: Tell | None) -> None:
    if tell is None:
        raise error
    tell(error)


def open_all(places: Iterable[Path]) -> tuple[OwnFolder, ...]:
    """Folders, each once. Raises DefinitionError, for two that have one prefix as well."""
    folders: list[OwnFolder] = []
    for place in places:
        if any(place.resolve() == folder.place.resolve() for folder in folders):
            continue
        folder = open_folder(place)
        for other in folders:
            if other.prefix == folder.prefix:
                expected = f"a prefix of its own ({other.prefix!r} is that of {other.shown}/{MANIFEST})"
                raise DefinitionError(f"{folder.shown}/{MANIFEST}", None, None, expected, repr(folder.prefix))
        folders.append(folder)
    return tuple(folders)


def _reserved() -> frozenset[str]:
    first = {name.partition("/")[0].lower() for kind in shipped.KINDS for name in shipped.shipped_ids(kind)}
    return RESERVED | first


def _paths(place: Path, tell: Tell | None) -> Iterator[Path]:
    """The .yaml files of a folder, sorted; links that lead out are refused, and folders that are links."""
    root, found, entries = place.resolve(), list[Path](), 0
    for top in ("contracts", "invariants"):
        if (place / top).is_symlink():
            _refuse_link(place / top)
        for at, folders, files in os.walk(place / top, followlinks=False):
            here = Path(at)
            entries += len(folders) + len(files)
            if entries > MAX_ENTRIES or len(here.relative_to(place).parts) > MAX_DEPTH:
                expected = f"at most {MAX_ENTRIES:,} entries, {MAX_DEPTH} folders deep"
                raise DefinitionError(str(place), None, None, expected, "more")
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in folders:
                if (here / name).is_symlink():
                    _refuse_link(here / name)
            for name in files:
                try:
                    found += [here / name] if _is_definition(here / name, root) else []
                except DefinitionError as error:
                    _tell(error, tell)
    if len(found) > MAX_FILES:
        raise DefinitionError(str(place), None, None, f"at most {MAX_FILES:,} definitions", f"{len(found):,}")
    yield from sorted(found)


def _is_definition(path: Path, root: Path) -> bool:
    if path.name.endswith(".yml"):
        raise DefinitionError(str(path), None, None, "a file that ends in .yaml", "one in .yml")
    if not path.name.endswith(".yaml") or path.name.startswith("."):
        return False
    if not path.resolve().is_relative_to(root):
        _refuse_link(path)
    return True


def _refuse_link(path: Path) -> NoReturn:
    raise DefinitionError(str(path), None, None, "a file of the folder itself", "a link that leads elsewhere")


def _file(place: Path, path: Path, prefix: str) -> tuple[OwnFile, int]:
    """A definition whose kind and id are those of its path, and how many bytes its file has."""
    below = path.relative_to(place).as_posix()
    shown, (top, _, steps) = f"{place}/{below}", below[: -len(".yaml")].partition("/")
    if any(_STEP.fullmatch(step) is None for step in steps.split("/")):
        expected = "a name of plain letters (a to z), digits, spaces and . _ + @ -, in each folder of its path"
        raise DefinitionError(shown, None, None, expected, ascii(steps)[:80])
    kind, name = shipped.kind_below(top, steps), f"{prefix}/{steps}"
    if kind not in OWN_KINDS:
        raise DefinitionError(shown, None, None, f"one of {', '.join(OWN_KINDS)}", f"{kind}: {_REFUSED[kind]}")
    tree, digest = tree_of(path, shown)
    if not isinstance(tree.value, dict):
        tree.fail((1, 1), "a mapping with the keys of a definition", short(tree.value))
    said = tree.as_written(("id",))
    if said != name:
        mark = tree.marks.get(("id",))
        known = f" ({said} is shipped: {shipped.shown_path(kind, said)})" if said in shipped.shipped_ids(kind) else ""
        tree.fail(mark.value if mark else (1, 1), f"the id {name!r}, as its path says{known}", ascii(said)[:80])
    return OwnFile(name, kind, path, tree, digest), path.stat().st_size


def _refuse_twice(files: dict[str, OwnFile], own: OwnFile) -> None:
    folded = own.id.casefold()
    if (other := next((file for name, file in files.items() if name.casefold() == folded), None)) is not None:
        raise DefinitionError(own.tree.file, 1, 1, f"each id once ({own.id} is that of {other.tree.file} too)", own.id)


def _hold_gates(folder: OwnFolder, tell: Tell | None) -> None:
    """Every gate begins with the prefix, and stands in the folder once."""
    start, seen = f"{folder.prefix.upper()}-", dict[str, str]()
    for name in folder.by_kind.get("invariant", ()):
        tree = folder.files[name].tree
        gates = tree.value.get("gates")
        for at, gate in enumerate(gates if isinstance(gates, list) else ()):
            said = gate.get("id") if isinstance(gate, dict) else None
            if not isinstance(said, str):
                continue  # typing the invariant tells it better
            mark = tree.marks["gates", at, "id"].value
            if not said.startswith(start):
                expected = f"a gate id that begins with {start}{_shipped_gate(said)}"
                _tell(DefinitionError(tree.file, *mark, expected, ascii(said)[:80]), tell)
            if (other := seen.get(said)) is not None:
                expected = f"each gate id once ({said} is that of {other} too)"
                _tell(DefinitionError(tree.file, *mark, expected, repr(said)), tell)
            seen.setdefault(said, f"{tree.file}:{mark[0]}")


def _shipped_gate(said: str) -> str:
    """Where a gate of that id is shipped, in brackets."""
    for invariant in outlines("invariant"):
        for at, gate in enumerate(invariant.get("gates", ())):
            if gate.get("id") == said:
                return f" ({said} is shipped: {invariant.where('gates', at, 'id')})"
    return ""
