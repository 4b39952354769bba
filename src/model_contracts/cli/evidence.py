"""Owns `contracts evidence validate`: says of any evidence or run file each way in which it is not valid."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from model_contracts.engine.evidence import MAX_VIOLATIONS, Unusable, validate_file
from model_contracts.terminal import safe


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    validate = actions.add_parser(
        "validate",
        help="validate evidence and run files",
        description="Prints each violation with its JSON pointer; exit 0 valid, 1 not valid, 2 a file cannot be read.",
    )
    validate.add_argument(
        "files", metavar="FILE", nargs="+", type=Path, help="evidence.json, run.json or a JSON report"
    )


def run(arguments: argparse.Namespace) -> int:
    """0: every file is valid. 1: one is not. 2: one cannot be read."""
    worst = 0
    for path in arguments.files:
        shown = safe(str(path))
        try:
            violations = validate_file(path)
        except Unusable as error:
            print(f"contracts: {safe(str(error))}", file=sys.stderr)
            worst = 2
            continue
        for violation in violations:
            print(f"{shown}: {safe(str(violation))}")
        if violations:
            more = " (and there may be more)" if len(violations) == MAX_VIOLATIONS else ""
            print(f"{shown}: not valid, {len(violations):,} violations{more}")
            worst = max(worst, 1)
        else:
            print(f"{shown}: valid")
    return worst
