"""Owns `contracts lint`: says of contracts and other definitions everything that is wrong with them, in one run."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from model_contracts.terminal import plural, safe, safe_json


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.description = (
        "Says of definitions what can never apply, lets its own fault pass, is shadowed, stands twice or names nobody; "
        "exit 0 nothing is wrong, 1 something is, 2 a file cannot be read."
    )
    parser.add_argument(
        "files",
        metavar="FILE|DIR",
        nargs="*",
        type=Path,
        help="contracts and other definitions, folders of definitions (contracts.yaml of the working folder)",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how it is written")


def run(arguments: argparse.Namespace) -> int:
    """0: nothing is wrong. 1: something is. 2: a file is not there, or there is nothing to read."""
    from model_contracts.definitions.known import open_folders
    from model_contracts.lint import linted

    paths = tuple(arguments.files) or (() if open_folders() else (Path("contracts.yaml"),))
    flaws, files = linted(paths)
    wrong = sum(flaw.decides for flaw in flaws)
    if arguments.format == "json":
        told = [{**asdict(flaw), "decides": flaw.decides} for flaw in flaws]
        print(safe_json(json.dumps(told, indent=2, ensure_ascii=False)))
    else:
        for flaw in flaws:
            print(safe(str(flaw)))
        said = plural(wrong, "flaw") + (f", {len(flaws) - wrong} said beside" if len(flaws) > wrong else "")
        print(f"{plural(files, 'file')} read: {said}")
    return 1 if wrong else 0
