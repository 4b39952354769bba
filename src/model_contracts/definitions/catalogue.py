"""Owns the catalogue: what the known definitions are called, kept as one file so that lists and completion parse none.

`contracts/catalogue.json` is generated (in tests/: `python -m support.catalogue`), and is believed only while it bears
the digest of the files that lie there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache
from typing import Any
from zlib import crc32

from model_contracts import door, resources

Rows = list[tuple[str, ...]]
FILE = "catalogue.json"
_LIMIT, _LONGEST = 4 << 20, 1 << 20


def names() -> tuple[str, ...]:
    """What there are lists of."""
    return tuple(_LISTS)


def listed(name: str) -> Rows:
    """One list, its heads first: of what is shipped, and of what folders of definitions hold that are open."""
    kept = _kept() if not _folders_are_open() else None
    if kept is None:
        return _LISTS[name]()
    return [tuple(row) for row in kept["lists"][name]]


def recipe_names() -> tuple[str, ...]:
    """What a recipe may be called."""
    if (kept := _kept()) is not None:
        return tuple(kept["recipes"])
    from model_contracts.definitions import load_recipes

    recipes = load_recipes().recipes
    return tuple(dict.fromkeys((*recipes, *(alias for one in recipes.values() for alias in one.aliases))))


def made() -> dict[str, Any]:
    """The catalogue of what is shipped, made anew."""
    lists = {name: [[*row] for row in make()] for name, make in _LISTS.items()}
    return {"digest": _digest(), "lists": lists, "recipes": [*recipe_names()]}


def _folders_are_open() -> bool:
    """Whether a person opened folders of definitions; whoever did has imported what keeps them."""
    known = sys.modules.get("model_contracts.definitions.known")
    return known is not None and bool(known.open_folders())


@cache
def _kept() -> dict[str, Any] | None:
    """The catalogue that lies there; None where it is of other definitions, or not to be read."""
    import json

    try:
        found = json.loads(door.read(resources.folder("contracts") / FILE, _LIMIT))
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict):
        return None
    return found if resources.installed() or found.get("digest") == _digest() else None


def _digest() -> str:
    # They are our own files: what is to be seen is that one was edited, and hashlib takes longer than all the rest.
    value = 0
    for path in _files():
        data = door.read(path, _LONGEST)
        value = crc32(f"{path.rpartition('/')[2]} {len(data)}\n".encode() + data, value)
    return f"crc32:{value:08x}"


def _files() -> list[str]:
    """Every definition by its path: names alone are looked at, which half a thousand Path objects are dear for."""
    places = [os.walk(resources.folder(name)) for name in ("contracts", "invariants")]
    found = (f"{folder}/{name}" for place in places for folder, _, names in place for name in names)
    return sorted(path for path in found if path.endswith(".yaml"))


def _of(kind: Any, *keys: str) -> Rows:
    from model_contracts.definitions.outline import outlines

    return [(one.id, *(str(one.get(key)) for key in keys)) for one in outlines(kind)]


def _invariants() -> Rows:
    return [("id", "subject", "title"), *_of("invariant", "subject", "title")]


def _contracts() -> Rows:
    return [("id", "title"), *_of("contract", "title")]


def _families() -> Rows:
    from model_contracts.definitions.outline import outlines

    base = {True: " (base of others)"}
    found = [(family.id, family.get("title") + base.get(family.get("abstract"), "")) for family in outlines("family")]
    return [("id", "title"), *found]


def _converters() -> Rows:
    ours = ("builtin", "ours: safetensors, GGUF and .apr, in all directions")
    return [("id", "title"), ours, *_of("converter", "title")]


def _engines() -> Rows:
    return [("id", "version", "title"), *_of("engine", "version", "title")]


def _audit() -> Rows:
    return [("id", "verdict", "title"), *_of("audit", "verdict", "title")]


def _playbooks() -> Rows:
    from model_contracts.definitions.outline import outlines

    rows = [(playbook.id, playbook.get("tier", "mvp"), playbook.get("title")) for playbook in outlines("playbook")]
    return [("id", "tier", "title"), *rows]


def _systems() -> Rows:
    return [("id", "title"), *_of("system", "title")]


def _gates() -> Rows:
    from model_contracts.definitions.outline import outlines

    found = [(gate, one.get("subject")) for one in outlines("invariant") for gate in one.get("gates")]
    rows = sorted((gate["id"], subject, gate["check"], gate["title"]) for gate, subject in found)
    return [("id", "subject", "check", "title"), *rows]


_LISTS: dict[str, Callable[[], Rows]] = {
    "invariants": _invariants,
    "contracts": _contracts,
    "families": _families,
    "converters": _converters,
    "playbooks": _playbooks,
    "systems": _systems,
    "engines": _engines,
    "gates": _gates,
    "audit": _audit,
}
