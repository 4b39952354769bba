"""Owns how reports of a run are chosen and written: ours or a plugin's, on the terminal or into files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from model_contracts import placing, plugins
from model_contracts.cli.output import colour, width
from model_contracts.outcome import BROKEN, FALSIFIED, USAGE, Evidence, Run
from model_contracts.reporters import REPORTERS, names, page, reporter, verdicts
from model_contracts.reporters.unobeyed import unobeyed
from model_contracts.terminal import safe

if TYPE_CHECKING:
    from model_contracts.reporters.interface import Reporter
    from model_contracts.tables import TensorTable

#: Columns of a report that goes into a file.
_WIDE = 120


@dataclass(frozen=True, slots=True)
class ReportAsked:
    """One report that was asked for; without a file it is printed."""

    name: str
    file: Path | None


def formats(parser: argparse.ArgumentParser) -> None:
    """Add `--format` and `--report`."""
    shown = f"{{{','.join(REPORTERS)}}}"
    parser.add_argument("--format", metavar=shown, help="how the report is printed: text (see --plugins)")
    parser.add_argument(
        "--report",
        metavar="FORMAT[=FILE]",
        action="append",
        default=[],
        help="write the report in that form, into FILE or in place of the text (repeat)",
    )


def refuse_format(arguments: argparse.Namespace) -> None:
    """Raises UsageError, before anything is read, for a form that no reporter writes and a file that is there."""
    if (said := _refused(arguments)) is not None:
        from model_contracts.engine.plan import UsageError

        raise UsageError(f"argument {said}")


def _refused(arguments: argparse.Namespace) -> str | None:
    told = [("--format", arguments.format)] if arguments.format is not None else []
    told += [("--report", one.name) for one in asked(arguments)]
    for option, name in told:
        if name not in names():
            return f"{option}: invalid choice: {name!r} (choose from {', '.join(names())})"
    files = [one.file for one in asked(arguments) if one.file is not None]
    if len(set(files)) < len(files):
        return "--report: two reports into one file"
    taken = [file for file in placing.standing(files) if file.is_dir() or file.stat().st_size]
    return f"--report: {placing.taken(taken)}" if taken and not getattr(arguments, "force", False) else None


def asked(arguments: argparse.Namespace) -> tuple[ReportAsked, ...]:
    """The reports of `--report`."""
    parts = (word.partition("=") for word in arguments.report)
    return tuple(ReportAsked(name, Path(file) if file and file != "-" else None) for name, _, file in parts)


def tell(
    arguments: argparse.Namespace, outcomes: Evidence, record: Run, code: int, tables: Sequence[TensorTable] = ()
) -> int:
    """Write every report; the exit code. Where one cannot be written a falsified file stays so.

    The text is printed unless a report without a file takes its place; `--format` prints beside it.
    """
    reports = asked(arguments)
    printed = [one.name for one in reports if one.file is None]
    if arguments.format is not None or not printed:
        printed.insert(0, arguments.format or "text")
    for name in printed:
        report = verdicts if arguments.quiet and name == "text" else _reporter(name, tables)
        try:
            text = report(outcomes, record, width=width(), color=colour(arguments.no_color))
            sys.stdout.write(unobeyed(text, name))
        except plugins.PluginFailed as failed:
            code = _not_written(str(failed), code)
    for one in reports:
        if one.file is not None:
            code = _written(_reporter(one.name, tables), one.file, (outcomes, record), code)
    return code


def wants_tables(arguments: argparse.Namespace) -> bool:
    """Whether a report that was asked for draws the tables of tensors."""
    return "html" in (arguments.format, *(one.name for one in asked(arguments)))


def _reporter(name: str, tables: Sequence[TensorTable]) -> Reporter:
    """A reporter by its name; the page draws the tables of tensors too."""
    if name != "html":
        return reporter(name)
    return lambda outcomes, run, *, width, color: page(outcomes, run, tables)


def _written(report: Reporter, file: Path, run: tuple[Evidence, Run], code: int) -> int:
    try:
        text = report(*run, width=_WIDE, color=False)
        placing.write(file, text.encode("utf-8", "backslashreplace"), replace=True)
    except plugins.PluginFailed as failed:
        return _not_written(str(failed), code)
    except OSError as error:
        return _not_written(f"{file}: the report is not written: {(error.strerror or str(error)).lower()}", code)
    return code


def _not_written(why: str, code: int) -> int:
    print(f"contracts: {safe(why)}", file=sys.stderr)
    return code if code in (FALSIFIED, BROKEN) else int(USAGE)
