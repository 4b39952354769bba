"""Owns what models that a branch touched are asked: each its own source and contract, as the repository maps them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from model_contracts.changes import mapping
from model_contracts.changes.git import FileChange, changed_since, root_of
from model_contracts.changes.touched import leaves, not_here, touched
from model_contracts.engine.plan import CheckRequest, UsageError
from model_contracts.formats.discovery import find
from model_contracts.formats.interface import Unreadable


def since(ref: str, request: CheckRequest) -> tuple[CheckRequest, ...]:
    """A request for each model that differs from where HEAD and `ref` parted, below the paths of the request if any.

    Raises UsageError and DefinitionError.
    """
    root = root_of(Path.cwd())
    scope = [_place(path) for path in request.paths]
    chosen = [one for one in changed_since(root, ref) if not scope or any(_within(one.path, place) for place in scope)]
    return _asked(root, chosen, request)


def of_files(request: CheckRequest) -> tuple[CheckRequest, ...]:
    """A request for each model that the files of the request belong to: what a hook is given."""
    root = root_of(Path.cwd())
    files = [_place(path) for path in request.paths]
    return _asked(root, [FileChange(path, gone=not path.exists()) for path in files], request)


def _place(path: Path) -> Path:
    """A path as Git has it: links of its folder followed, so that it lies below the root; the file's own are not."""
    return path.parent.resolve() / path.name if path.name not in ("", "..") else path.resolve()


def _within(path: Path, place: Path) -> bool:
    return path == place or place in path.parents


def _asked(root: Path, changes: Iterable[FileChange], request: CheckRequest) -> tuple[CheckRequest, ...]:
    found = touched(root, changes).because
    return tuple(_of(root, artifact, request) for artifact in found)


def _of(root: Path, artifact: Path, request: CheckRequest) -> CheckRequest:
    """The request of one model. What the command was given stands where the repository maps nothing."""
    entry = mapping.entry_of(root, artifact)
    asked = replace(request, paths=(_shown(artifact),), among_others=True)
    if entry is not None:
        said = entry.asked
        asked = replace(
            asked,
            against=_shown(entry.against) if entry.against is not None else request.against,
            contract=entry.contract or request.contract,
            dtype=said.dtype or request.dtype,
            tokenizer=entry.tokenizer or request.tokenizer,
        )
    for place in (artifact, entry.against if entry is not None else None):
        if place is not None and leaves(root, place):
            raise UsageError(f"{_shown(place)}: a link leads out of the repository, and is not followed")
    missing = _missing(artifact)
    return replace(asked, missing=missing, missing_source=_missing_source(asked.against))


def _shown(path: Path) -> Path:
    """A path from the working folder, where it is below it: what a person reads and types."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _missing(model: Path) -> str | None:
    """Why a model's bytes are not here; raises Unreadable where nothing is."""
    found = find(model)
    beside = found.listing if found.layout != "file" or model.is_dir() else ()
    names = dict.fromkeys((*found.names, *(name for name in beside if name.endswith((".json", ".model", ".jinja")))))
    return not_here(found.folder / name for name in names)


def _missing_source(source: Path | None) -> str | None:
    if source is None:
        return None
    try:
        why = _missing(source)
    except Unreadable as error:
        return f"the source cannot be opened: {error}"
    return f"of the source, {why}" if why is not None else None
