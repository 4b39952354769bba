"""Owns which files are one model: what a person's path names, and the set that it belongs to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from model_contracts.formats.interface import Unreadable
from model_contracts.formats.source import printable, refusal
from model_contracts.paths import may_be_indexed, numbered, suffix_format

_INDEX = ".safetensors.index.json"
#: Files beside a model that are models of their own or no models: said in a note, never part of the set.
_OTHER = re.compile(
    r"^(adapter_|adapter\.|consolidated|mmproj|mtp[-._]|lora|pytorch_lora|optimizer|scheduler|training_|imatrix)", re.I
)
#: Suffixes of weights that this program names and does not read.
_FOREIGN = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".h5", ".onnx", ".npz", ".msgpack", ".ot", ".tflite")
#: Files by which a folder without weights may be a part of a model: a tokenizer, the pooling of a sentence model.
WITHOUT_WEIGHTS = (
    "config.json",
    "tokenizer.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tekken.json",
    "tiktoken.model",
    "vocab.json",
    "vocab.txt",
)
#: Entries of one folder that are listed, and candidates that an error names.
_LISTED, _NAMED = 100_000, 8


class AmbiguousArtifact(Unreadable):
    """A folder holds more than one model: `candidates` are the names to choose from."""

    def __init__(self, path: Path, candidates: Iterable[str]) -> None:
        self.candidates = tuple(candidates)
        named = ", ".join(ascii(name)[1:-1] for name in self.candidates[:_NAMED])
        more = f" and {len(self.candidates) - _NAMED:,} more" if len(self.candidates) > _NAMED else ""
        super().__init__(f"{printable(path)}: holds {len(self.candidates):,} models, name one of them: {named}{more}")


@dataclass(frozen=True, slots=True)
class Found:
    """The files of one model. `names` are file names in `folder`; with an index they are only what lies there."""

    folder: Path
    layout: Literal["file", "sharded", "directory"]
    names: tuple[str, ...]
    #: Index files to try, in order; the first that is one, and that names the file a person gave, counts.
    indexes: tuple[str, ...] = ()
    #: The file a person gave; None where a folder or an index was given.
    given: str | None = None
    #: Every file name of the folder, sorted.
    listing: tuple[str, ...] = field(default=(), repr=False)


def is_other(name: str) -> bool:
    """Whether a file beside the weights is evidently no part of them (an adapter, a projector, another copy)."""
    return bool(_OTHER.match(name))


def is_foreign(name: str) -> bool:
    """Whether a name ends as weights do that this program names and does not read."""
    return name.lower().endswith(_FOREIGN)


def find(path: Path) -> Found:
    """The files of the model at a path. Unreadable where nothing is there, AmbiguousArtifact where too much is."""
    try:
        directory = os.path.isdir(path)  # noqa: PTH112 -- Path.is_dir hides a refused permission
        if not directory:
            os.stat(path)  # noqa: PTH116 -- for its error
    except (OSError, ValueError) as error:
        raise refusal(path, error) from None
    if directory:
        return _folder(path)
    folder, name = path.parent, path.name
    listing = _listing(folder, missing_ok=True)
    if name.lower().endswith(".index.json"):
        return Found(folder, "sharded", (), (name,), None, listing)
    indexes = _indexes(listing) if may_be_indexed(name) else ()
    return Found(folder, "file", _set_of(name, listing), indexes, name, listing)


def _set_of(name: str, listing: tuple[str, ...]) -> tuple[str, ...]:
    """The files with the same base and count of shards, the file itself where it has no number."""
    own = numbered(name)
    if own is None:
        return (name,)
    same = [
        (at[1], other)
        for other in listing
        if suffix_format(other) == suffix_format(name)
        and (at := numbered(other))
        and (at[0], at[2]) == (own[0], own[2])
    ]
    return tuple(other for _, other in sorted(same)) or (name,)


def _indexes(listing: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in listing if name.lower().endswith(_INDEX) and not is_other(name))


def _listing(folder: Path, missing_ok: bool = False) -> tuple[str, ...]:
    """The names of the files in a folder, sorted; hidden ones are left out."""
    names: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for count, entry in enumerate(entries):
                if count >= _LISTED:
                    raise Unreadable(f"{printable(folder)}: more than {_LISTED:,} entries in this directory")
                if not entry.name.startswith(".") and not entry.is_dir(follow_symlinks=False):
                    names.append(entry.name)
    except OSError as error:
        if missing_ok:  # a folder may be entered and not listed: the file a person gave is still there
            return ()
        raise refusal(folder, error) from None
    return tuple(sorted(names))


def _folder(path: Path) -> Found:
    listing = _listing(path)
    candidates = _candidates([name for name in listing if not is_other(name)])
    if not candidates and not _indexes(listing):
        candidates = _candidates([name for name in listing if is_other(name)])
    if indexes := _indexes(listing):
        # An index speaks for every safetensors file beside it: a stray one is an outcome of the set.
        candidates = {name: names for name, names in candidates.items() if not may_be_indexed(names[0])}
        candidates.update(dict.fromkeys(indexes, ()))
    if len(candidates) > 1:
        raise AmbiguousArtifact(path, candidates)
    for name, names in candidates.items():
        index = (name,) if not names else ()
        return Found(path, "sharded" if index or len(names) > 1 else "directory", names, index, None, listing)
    if foreign := tuple(name for name in listing if name.lower().endswith(_FOREIGN) and not is_other(name))[:_NAMED]:
        return Found(path, "directory", foreign, (), None, listing)
    return _snapshot(path)


def _candidates(names: list[str]) -> dict[str, tuple[str, ...]]:
    """Models by the name to call them by: each unnumbered file, each numbered set."""
    found: dict[tuple[object, ...], list[str]] = {}
    for name in names:
        if (format := suffix_format(name)) is not None:
            at = numbered(name)
            found.setdefault((format, at[0], at[2]) if at else (format, name), []).append(name)
    return {members[0]: tuple(members) for members in found.values()}


def _snapshot(path: Path) -> Found:
    """The one snapshot of a repository in a Hugging Face cache; Unreadable where there is no model at all."""
    if path.name.startswith("models--"):
        try:
            snapshots = sorted(entry.name for entry in os.scandir(path / "snapshots") if entry.is_dir())
        except OSError:
            snapshots = []
        if len(snapshots) > 1:
            raise AmbiguousArtifact(path, [f"snapshots/{name}" for name in snapshots])
        if snapshots:
            return _folder(path / "snapshots" / snapshots[0])
    listing = _listing(path)
    if "model_index.json" in listing:
        raise AmbiguousArtifact(path, _components(path))
    if any(name in listing for name in WITHOUT_WEIGHTS):
        return Found(path, "directory", (), (), None, listing)
    raise nothing_in(path)


def _components(path: Path) -> list[str]:
    """The folders of a diffusers pipeline: each is an artifact of its own."""
    return sorted(entry.name for entry in os.scandir(path) if entry.is_dir() and not entry.name.startswith("."))


def nothing_in(path: Path) -> Unreadable:
    """What is said of a folder without a model."""
    return Unreadable(f"{printable(path)}: no model in this directory (.safetensors, .gguf or .apr)")
