"""Owns `contracts init`: writes the contract that the next version of a good model is held to."""

from __future__ import annotations

import argparse
from pathlib import Path

from model_contracts.cli.progress import progress
from model_contracts.terminal import safe


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("model", metavar="MODEL", type=Path, help="a model that is known to be good")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        type=Path,
        default=Path("contracts.yaml"),
        help="where it goes (contracts.yaml)",
    )
    parser.add_argument("--force", action="store_true", help="replace FILE")


def run(arguments: argparse.Namespace) -> int:
    """0: the contract is written. 2: there is nothing to record, or FILE is there already."""
    from model_contracts import placing
    from model_contracts.engine.plan import UsageError
    from model_contracts.engine.recording import recorded

    target: Path = arguments.output
    if not arguments.force and (there := placing.standing([target])):
        raise UsageError(placing.taken(there))
    with progress("reading") as callback:
        text = recorded(arguments.model, callback)
    try:
        placing.write(target, text.encode(), replace=arguments.force)
    except FileExistsError:
        raise UsageError(placing.taken([target])) from None
    print(f"wrote {safe(str(target))}: contracts check {safe(str(arguments.model))} --contract {safe(str(target))}")
    return 0
