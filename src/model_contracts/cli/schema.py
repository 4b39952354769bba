"""Owns `contracts schema`: prints a JSON Schema, or writes all of them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from model_contracts import schemas


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("name", metavar="NAME", nargs="?", choices=schemas.NAMES, help=f"{', '.join(schemas.NAMES)}")
    parser.add_argument("--write", metavar="DIR", type=Path, help="write every schema into a directory")

    parser.add_argument("--force", action="store_true", help="replace files of other content in that directory")


def run(arguments: argparse.Namespace) -> int:
    """0; 2 where neither a name nor a directory is given, or the directory cannot be written."""
    if arguments.write is not None:
        try:
            paths = schemas.write(arguments.write, force=arguments.force)
        except OSError as error:
            print(f"contracts: {arguments.write}: {(error.strerror or 'cannot be written').lower()}", file=sys.stderr)
            return 2
        print("\n".join(str(path) for path in paths))
        return 0
    if arguments.name is None:
        print(f"contracts: name one of {', '.join(schemas.NAMES)}, or --write DIR", file=sys.stderr)
        return 2
    sys.stdout.write(schemas.text(schemas.generate([arguments.name])[arguments.name]))
    return 0
