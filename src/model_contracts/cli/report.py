"""Owns `contracts report`: renders the evidence of an earlier check again, without the weights."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from model_contracts.cli.founding import reported
from model_contracts.cli.output import colour, width
from model_contracts.cli.reports import formats, refuse_format, tell, wants_tables
from model_contracts.engine.evidence import read, read_tables
from model_contracts.outcome import Evidence, Run


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "directory", metavar="DIR", type=Path, help="where `-o DIR` kept evidence; or a founding system's file"
    )
    formats(parser)
    parser.add_argument("-q", "--quiet", action="store_true", help="print the verdict lines only")
    parser.add_argument("--against", metavar="OLD_DIR", type=Path, help="say what changed since the run kept there")
    parser.add_argument("--force", action="store_true", help="replace files of --report")
    parser.add_argument("--no-color", action="store_true", help="no colours")


def run(arguments: argparse.Namespace) -> int:
    """The exit code that the check decided."""
    refuse_format(arguments)
    if (code := reported(arguments)) is not None:
        return code
    outcomes, record = read(arguments.directory)
    if arguments.against is not None:
        _compare(arguments, outcomes, record)
        return int(record.decision.exit_code)
    tables = read_tables(arguments.directory) if wants_tables(arguments) else ()
    return tell(arguments, outcomes, record, int(record.decision.exit_code), tables)


def _compare(arguments: argparse.Namespace, outcomes: Evidence, record: Run) -> None:
    from model_contracts.reporters.difference import difference
    from model_contracts.reporters.difference_report import DIFFERENCES

    form = arguments.format or "text"
    if form not in DIFFERENCES or arguments.report:
        from model_contracts.engine.plan import UsageError

        named = arguments.report[0] if arguments.report else form
        raise UsageError(f"--against is written as {' or '.join(DIFFERENCES)}, not as {named}")
    told = difference(read(arguments.against), (outcomes, record))
    sys.stdout.write(DIFFERENCES[form](told, width=width(), color=colour(arguments.no_color)))
