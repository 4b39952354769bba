"""Owns how the report of a run is chosen and printed: one of ours, or that of a plugin that was named."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from model_contracts import plugins
from model_contracts.cli.output import colour, width
from model_contracts.outcome import BROKEN, FALSIFIED, USAGE, Evidence, Run
from model_contracts.reporters import REPORTERS, names, page, reporter, verdicts
from model_contracts.terminal import safe

if TYPE_CHECKING:
    from model_contracts.tables import TensorTable


def formats(parser: argparse.ArgumentParser) -> None:
    """Add `--format`."""
    shown = f"{{{','.join(REPORTERS)}}}"
    parser.add_argument("--format", metavar=shown, default="text", help="how the report is written (see --plugins)")


def refuse_format(arguments: argparse.Namespace) -> None:
    """Raises UsageError, before anything is read, for a form that no reporter writes."""
    if arguments.format not in names():
        from model_contracts.engine.plan import UsageError

        choices = ", ".join(names())
        raise UsageError(f"argument --format: invalid choice: {arguments.format!r} (choose from {choices})")


def tell(
    arguments: argparse.Namespace, outcomes: Evidence, record: Run, code: int, tables: Sequence[TensorTable] = ()
) -> int:
    """Print the report; the exit code. Where a plugin cannot write it a falsified file stays so."""
    if arguments.format == "html":
        sys.stdout.write(page(outcomes, record, tables))
        return code
    report = verdicts if arguments.quiet and arguments.format == "text" else reporter(arguments.format)
    try:
        text = report(outcomes, record, width=width(), color=colour(arguments.no_color))
    except plugins.PluginFailed as failed:
        print(f"contracts: {safe(str(failed))}", file=sys.stderr)
        return code if code in (FALSIFIED, BROKEN) else int(USAGE)
    sys.stdout.write(text)
    return code
