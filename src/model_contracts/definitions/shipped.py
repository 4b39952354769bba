"""Owns which definitions exist: kinds, their folders, the ids of the shipped ones, and a user's contracts.yaml."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from model_contracts import door, resources

Kind = Literal[
    "invariant",
    "contract",
    "family",
    "recipes",
    "keys",
    "tokenizers",
    "pretokenizers",
    "converter",
    "runtime",
    "corpus",
    "playbook",
    "tier",
    "system",
    "audit",
    "scheme",
    "engine",
]

KINDS: tuple[Kind, ...] = get_args(Kind)

_FOLDERS: dict[Kind, resources.Folder] = {
    "invariant": "invariants",
    "contract": "contracts",
    "family": "contracts",
    "recipes": "contracts",
    "keys": "contracts",
    "tokenizers": "contracts",
    "pretokenizers": "contracts",
    "converter": "contracts",
    "runtime": "contracts",
    "corpus": "invariants",
    "playbook": "contracts",
    "tier": "contracts",
    "system": "contracts",
    "audit": "contracts",
    "scheme": "contracts",
    "engine": "contracts",
}
#: Folders of `contracts/`, the deeper ones first.
_BELOW: dict[str, Kind] = {
    "audit/": "audit",
    "families/": "family",
    "schemes/": "scheme",
    "engines/": "engine",
    "converters/": "converter",
    "runtimes/": "runtime",
    "qualification/tiers/": "tier",
    "qualification/systems/": "system",
    "qualification/": "playbook",
}
#: Definitions of which there is one.
_WHOLE: dict[str, Kind] = {name: name for name in ("recipes", "keys", "tokenizers", "pretokenizers")}
USER_FILE = "contracts.yaml"


@cache
def shipped_ids(kind: Kind) -> tuple[str, ...]:
    """The ids of every shipped definition of a kind, sorted: paths below the folder without `.yaml`."""
    folder = resources.folder(_FOLDERS[kind])
    paths = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.yaml") if path.is_file())
    ids = [path[: -len(".yaml")] for path in paths]
    return tuple(name for name in ids if kind_below(_FOLDERS[kind], name) == kind)


def kind_below(folder: str, name: str) -> Kind:
    """The kind of the definition at a path (without `.yaml`) below `contracts` or `invariants`."""
    if folder == "invariants":
        return "corpus" if name.startswith("corpus/") else "invariant"
    for start, kind in _BELOW.items():
        if name.startswith(start):
            return kind
    return _WHOLE.get(name, "contract")


def shipped_path(kind: Kind, name: str) -> Path:
    """The file of a shipped definition."""
    return resources.folder(_FOLDERS[kind]) / f"{name}.yaml"


def shown_path(kind: Kind, name: str) -> str:
    """The file of a shipped definition as origins show it: relative to the data folder."""
    return f"{_FOLDERS[kind]}/{name}.yaml"


def find_contract(start: Path) -> Path | None:
    """The nearest `contracts.yaml` in the folder `start` or any folder above it; None: there is none.

    Folders are those of the path as it was given: beside a link (a snapshot in the hub's cache links into `blobs`) is
    where the link lies, not where it leads.
    """
    place = Path(os.path.abspath(start))  # noqa: PTH100 -- Path.resolve would leave the folder a link lies in
    for folder in (place, *place.parents):
        if door.is_regular(found := folder / USER_FILE):
            return found
    return None
