"""Owns `contracts list`: the shipped invariants, contracts, families and gates, and the kinds of checks."""

from __future__ import annotations

import argparse

from model_contracts.definitions.catalogue import Rows, listed, names
from model_contracts.terminal import columns, safe_json

_KINDS = "kinds"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    choices = (*names(), _KINDS)
    parser.add_argument("what", nargs="?", choices=choices, metavar="WHAT", help=f"{', '.join(choices)}")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how the list is written")


def run(arguments: argparse.Namespace) -> int:
    """0; without WHAT all but the kinds of checks."""
    chosen = [arguments.what] if arguments.what else names()
    lists = {name: _kinds() if name == _KINDS else listed(name) for name in chosen}
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


def _kinds() -> Rows:
    from model_contracts.checks import KINDS
    from model_contracts.qualification.gates import GATES

    types = {name: kind.parameters for name, kind in KINDS.items()}
    types |= {name: kind.parameters for name, kind in GATES.items()}
    return [("kind", "parameters"), *((name, ", ".join(found.model_fields)) for name, found in sorted(types.items()))]
