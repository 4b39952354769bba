"""Owns what must be the same for outcomes of an earlier run to count again: files, definitions, options, program."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import fields
from importlib import metadata
from pathlib import Path

from model_contracts import resources
from model_contracts.artifact import Artifact
from model_contracts.engine.environment import environment, host
from model_contracts.engine.examined import Examined
from model_contracts.engine.plan import CheckRequest
from model_contracts.engine.record import digest_of, own_definitions, plugin_records
from model_contracts.paths import may_be_indexed, suffix_format
from model_contracts.version import version

#: Of a request: what is looked at by its files, and what changes no outcome.
_NO_OPTION = (
    "paths",
    "against",
    "source",
    "sweeper",
    "golden",
    "tokenizer",
    "adapter",
    "command",
    "progress",
    "tables",
)
_RUNTIMES = ("torch", "transformers", "tokenizers", "jinja2", "xllamacpp")
#: What a run itself writes, which may be in the folder of the artifact.
_OURS = ("evidence.json", "run.json", "unfinished.jsonl")
#: Names in the folders of an artifact that are looked at, at most; one more, and they are counted alone.
_MOST = 10_000


def stands_on(held: Sequence[Examined]) -> dict[str, str]:
    """What a run stands on, by what a person would call it. Raises nothing: what cannot be looked at differs."""
    definitions = {
        f"{at} {name}": digest for at, one in enumerate(held) for name, digest in one.plan.definitions.items()
    }
    definitions |= {f"{at}": f"{one.plan.refused} {one.plan.notes}" for at, one in enumerate(held)}
    plugins = [f"{one.name} {one.version}" for one in plugin_records()]
    return {
        "program": f"{version()} {_shipped()} {sorted(environment().items())} {_runtimes()} {plugins}",
        "machine": str(host()),
        "definitions": digest_of(definitions | own_definitions()),
        "options": " ".join(_options(one.request) for one in held),
        "files": digest_of(dict(_files(held))),
    }


def _runtimes() -> str:
    """Versions of what runs a model, of what is installed."""
    found = []
    for name in _RUNTIMES:
        with suppress(metadata.PackageNotFoundError):
            found.append(f"{name} {metadata.version(name)}")
    return str(found)


def _options(request: CheckRequest) -> str:
    names = [one.name for one in fields(request) if one.name not in _NO_OPTION]
    return str([(name, getattr(request, name)) for name in names])


def _shipped() -> str:
    """The shipped definitions, by their files: families and tables are not among those that evidence names."""
    shipped = (file for name in ("contracts", "invariants") for file in resources.folder(name).rglob("*.yaml"))
    return digest_of({str(file): _status(file) for file in shipped})


def _files(held: Sequence[Examined]) -> Iterator[tuple[str, str]]:
    for at, one in enumerate(held):
        sides = (one.examination.target, one.examination.source, one.examination.adapter)
        for side in sides:
            for file in _of(side) if side is not None else ():
                yield f"{at} {file}", _status(file)
        for given in (one.request.golden, one.request.tokenizer, one.request.runtime):
            if given is not None:
                yield f"{at} {Path(given).absolute()}", _status(Path(given))


def _of(artifact: Artifact) -> Iterable[Path]:
    """The files that an artifact took, and what else lies in its folder and is no other model."""
    whole = artifact.path.is_dir()
    folder = Path(os.path.abspath(artifact.path if whole else artifact.path.parent))  # noqa: PTH100 -- links stay
    found = {folder, *artifact.files, *(sidecar.path for sidecar in artifact.sidecars.values())}
    folders = [folder, *(folder / module.path for module in artifact.modules)]
    for place in folders:
        found |= {entry for entry in _entries(place) if whole or not _weights(entry.name)}
    return sorted(path.absolute() for path in found if path != folder)


def _entries(folder: Path) -> list[Path]:
    try:
        names = sorted(name for name in os.listdir(folder) if not any(own in name for own in _OURS))  # noqa: PTH208 -- names
    except OSError:
        return []
    return [folder / name for name in names[:_MOST] if not os.path.isdir(folder / name)]  # noqa: PTH112


def _weights(name: str) -> bool:
    return suffix_format(name) is not None or may_be_indexed(name)


def _status(path: Path) -> str:
    """Size, times and inode of a file, links followed; the time of its last change of any kind cannot be set back."""
    try:
        status = os.stat(path)  # noqa: PTH116 -- raises for nothing but what is caught
    except (OSError, ValueError):
        return "not there"
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_dev} {status.st_ino}"
