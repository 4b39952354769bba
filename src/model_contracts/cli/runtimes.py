"""Owns `contracts runtimes`: which runtimes there are, what each can do here, and how to get what is missing."""

from __future__ import annotations

import argparse

from model_contracts.runtimes import names, runtime
from model_contracts.runtimes.interface import Installed
from model_contracts.terminal import columns, safe_json


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how the list is written")


def run(arguments: argparse.Namespace) -> int:
    """0, whatever is missing: nothing was asked of it."""
    found = [runtime(name).installed() for name in names()]
    if arguments.format == "json":
        import json

        print(safe_json(json.dumps([_plain(item) for item in found], indent=2, ensure_ascii=False)))
        return 0
    rows: list[tuple[str, ...]] = [("RUNTIME", "HERE", "READS", "CAN")]
    for item in found:
        here = (item.version or "yes") if item.available else "no"
        rows.append((item.runtime, here, ", ".join(sorted(item.formats)), ", ".join(sorted(item.capabilities))))
    print("\n".join(columns(rows)))
    missing = [item for item in found if not item.available]
    if missing:
        print("\nTo get what is missing:")
        print("\n".join(columns([(f"  {item.runtime}", item.how_to_get) for item in missing])))
    return 0


def _plain(item: Installed) -> dict[str, object]:
    return {
        "runtime": item.runtime,
        "available": item.available,
        "version": item.version,
        "how_to_get": item.how_to_get,
        "capabilities": sorted(item.capabilities),
        "formats": sorted(item.formats),
    }
