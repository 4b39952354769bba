"""Owns what `contracts report` does with the founding system's evidence: renders it, and exits by its own words."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from model_contracts.cli.output import colour
from model_contracts.engine import evidence


def reported(arguments: argparse.Namespace) -> int | None:
    """Render a path that holds that system's evidence and no run; None where it does not.

    0 nothing is Falsified, Crashed or out of time; 1 something is; 3 nothing is Corroborated.
    Raises Unusable for a file that is neither theirs nor evidence of ours beside its run.json.
    """
    path = _file(arguments.directory)
    if path is None:
        return None
    from model_contracts.compat.apr_qa.evidence import read

    records = read(path)
    if records is None:
        if path == arguments.directory:
            raise evidence.Unusable(f"{path}: expected a directory with {evidence.EVIDENCE} and {evidence.RUN}")
        return None
    from model_contracts.compat.apr_qa.record import decided

    if arguments.format == "json":
        print(json.dumps([record.model_dump(mode="json", exclude_unset=True) for record in records], indent=2))
    elif arguments.format in (None, "text") and not (arguments.report or getattr(arguments, "against", None)):
        from model_contracts.compat.apr_qa.report import report

        sys.stdout.write(report(records, color=colour(arguments.no_color)))
    else:
        raise evidence.Unusable(f"{path}: the founding system's evidence is reported by itself, as text or json")
    return int(decided(records))


def _file(path: Path) -> Path | None:
    """A file, or the evidence.json of a directory without a run.json: where such evidence may be."""
    if path.is_file():
        return path
    alone = path / evidence.EVIDENCE
    return alone if alone.is_file() and not (path / evidence.RUN).exists() else None
