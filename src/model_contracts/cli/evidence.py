"""Owns `contracts evidence`: says of evidence files each way in which they are not valid, and what they are worth."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from model_contracts.cli.output import colour, width
from model_contracts.engine.evidence import MAX_VIOLATIONS, Unusable, validated
from model_contracts.terminal import safe, safe_json

_FORMS = {"ours": "", "founding": " (founding system's form)"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    validate = actions.add_parser(
        "validate",
        help="validate evidence and run files",
        description="Prints each violation with its JSON pointer; exit 0 valid, 1 not valid, 2 a file cannot be read.",
    )
    validate.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        type=Path,
        help="evidence.json (ours or the founding system's), run.json or a JSON report",
    )
    audit = actions.add_parser(
        "audit",
        help="say which verdicts of an evidence file are worth nothing",
        description="Says which green lines prove nothing and which red ones are the checker's own fault, each with "
        "its reason and place; exit 0 nothing accused, 1 something accused, 2 a file cannot be read.",
    )
    audit.add_argument(
        "files", metavar="FILE", nargs="+", type=Path, help="evidence of ours or of the founding system, or its folder"
    )
    audit.add_argument("--format", choices=("text", "json"), default="text", help="how the audit is written")
    audit.add_argument("--no-color", action="store_true", help="no colours")


def run(arguments: argparse.Namespace) -> int:
    """0: every file is valid, no record accused. 1: one is not, or is. 2: a file cannot be read."""
    return _audit(arguments) if arguments.action == "audit" else _validate(arguments.files)


def _validate(files: list[Path]) -> int:
    worst = 0
    for path in files:
        shown = safe(str(path))
        try:
            form, violations = validated(path)
        except Unusable as error:
            worst = _refused(error)
            continue
        for violation in violations:
            print(f"{shown}: {safe(str(violation))}")
        if violations:
            more = " (and there may be more)" if len(violations) == MAX_VIOLATIONS else ""
            print(f"{shown}: not valid{_FORMS[form]}, {len(violations):,} violations{more}")
            worst = max(worst, 1)
        else:
            print(f"{shown}: valid{_FORMS[form]}")
    return worst


def _audit(arguments: argparse.Namespace) -> int:
    from model_contracts.audit import as_json, audit, text

    worst, told = 0, []
    for path in arguments.files:
        try:
            found = audit(path)
        except Unusable as error:
            worst = _refused(error)
            continue
        worst = max(worst, int(bool(found.accusations)))
        shown = safe(str(path))
        if arguments.format == "json":
            told.append(as_json(shown, found))
        else:
            sys.stdout.write(text(shown, found, width=width(), color=colour(arguments.no_color)))
    if arguments.format == "json":
        print(safe_json(json.dumps(told, indent=2, ensure_ascii=False)))
    return worst


def _refused(error: Unusable) -> int:
    print(f"contracts: {safe(str(error))}", file=sys.stderr)
    return 2
