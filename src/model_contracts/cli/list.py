"""Owns `contracts list`: the shipped invariants, contracts, families and gates, and the kinds of checks."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from model_contracts.definitions.outline import outlines
from model_contracts.terminal import columns, safe_json

Rows = list[tuple[str, ...]]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("what", nargs="?", choices=tuple(_LISTS), metavar="WHAT", help=f"{', '.join(_LISTS)}")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how the list is written")


def run(arguments: argparse.Namespace) -> int:
    """0; without WHAT all but the kinds of checks."""
    chosen = [arguments.what] if arguments.what else [name for name in _LISTS if name != "kinds"]
    lists = {name: _LISTS[name]() for name in chosen}
    if arguments.format == "json":
        import json

        found = {name: [dict(zip(rows[0], row, strict=True)) for row in rows[1:]] for name, rows in lists.items()}
        print(safe_json(json.dumps(found, indent=2, ensure_ascii=False)))
        return 0
    for at, (name, rows) in enumerate(lists.items()):
        if len(lists) > 1:
            print(("\n" if at else "") + name.upper())
        print("\n".join(columns(rows[1:])))
    return 0


def _invariants() -> Rows:
    return [("id", "subject", "title"), *((i.id, i.get("subject"), i.get("title")) for i in outlines("invariant"))]


def _contracts() -> Rows:
    return [("id", "title"), *((contract.id, contract.get("title")) for contract in outlines("contract"))]


def _families() -> Rows:
    base = {True: " (base of others)"}
    found = [(family.id, family.get("title") + base.get(family.get("abstract"), "")) for family in outlines("family")]
    return [("id", "title"), *found]


def _converters() -> Rows:
    ours = ("builtin", "ours: safetensors, GGUF and .apr, in all directions")
    return [("id", "title"), ours, *((one.id, one.get("title")) for one in outlines("converter"))]


def _engines() -> Rows:
    return [("id", "version", "title"), *((one.id, one.get("version"), one.get("title")) for one in outlines("engine"))]


def _audit() -> Rows:
    return [
        ("id", "verdict", "title"),
        *((sign.id, sign.get("verdict"), sign.get("title")) for sign in outlines("audit")),
    ]


def _playbooks() -> Rows:
    rows = [(playbook.id, playbook.get("tier", "mvp"), playbook.get("title")) for playbook in outlines("playbook")]
    return [("id", "tier", "title"), *rows]


def _systems() -> Rows:
    return [("id", "title"), *((system.id, system.get("title")) for system in outlines("system"))]


def _gates() -> Rows:
    found = [(gate, i.get("subject")) for i in outlines("invariant") for gate in i.get("gates")]
    rows = sorted((gate["id"], subject, gate["check"], gate["title"]) for gate, subject in found)
    return [("id", "subject", "check", "title"), *rows]


def _kinds() -> Rows:
    from model_contracts.checks import KINDS
    from model_contracts.qualification.gates import GATES

    types = {name: kind.parameters for name, kind in KINDS.items()}
    types |= {name: kind.parameters for name, kind in GATES.items()}
    return [("kind", "parameters"), *((name, ", ".join(found.model_fields)) for name, found in sorted(types.items()))]


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
    "kinds": _kinds,
}
