"""Owns `contracts report`: renders the evidence of an earlier check again, without the weights."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from model_contracts.cli.output import colour, width
from model_contracts.engine.evidence import read
from model_contracts.reporters import REPORTERS


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("directory", metavar="DIR", type=Path, help="where `contracts check -o DIR` kept its evidence")
    parser.add_argument("--format", choices=tuple(REPORTERS), default="text", help="how the report is written")
    parser.add_argument("--no-color", action="store_true", help="no colours")


def run(arguments: argparse.Namespace) -> int:
    """The exit code that the check decided."""
    outcomes, record = read(arguments.directory)
    report = REPORTERS[arguments.format]
    sys.stdout.write(report(outcomes, record, width=width(), color=colour(arguments.no_color)))
    return int(record.decision.exit_code)
