"""Owns `contracts replay`: runs the stored counterexamples of an earlier check again, and says what it sees."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from model_contracts.terminal import safe

if TYPE_CHECKING:
    from model_contracts.engine.replay import Replayed

_WORDS = {"falsified": "still falsified", "holds": "holds now", "not replayed": "not replayed"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.description = (
        "Runs each stored counterexample again, without generating anything, on the artifacts that the evidence names. "
        "Exit 1: one still falsifies; 0: all hold now; 3: one cannot be replayed, or there is none."
    )
    parser.add_argument("directory", metavar="DIR", type=Path, help="where `contracts check -o DIR` kept its evidence")
    parser.add_argument(
        "--gate", metavar="GATE", action="append", default=[], help="only this gate (repeat; * matches)"
    )


def run(arguments: argparse.Namespace) -> int:
    """1 where one still falsifies, 0 where all hold now, 3 where one could not be replayed or there is none."""
    from model_contracts.engine.evidence import read
    from model_contracts.engine.replay import exit_code, replay

    seen = []
    for one in replay(*read(arguments.directory), tuple(arguments.gate)):
        seen.append(one)
        print("\n".join(safe(line) for line in _lines(one)))
    if not seen:
        print("no counterexample is stored: nothing was replayed")
    return int(exit_code(seen))


def _lines(one: Replayed) -> Iterator[str]:
    outcome = one.outcome
    against = f" against {outcome.subject.against.path}" if outcome.subject.against is not None else ""
    yield f"{outcome.gate_id}  {_WORDS[one.now]}  {outcome.subject.path}{against}"
    if outcome.counterexample is not None:
        yield f"  input     {_short(outcome.counterexample.description)}"
    if one.comparison is not None:
        yield f"  expected  {_short(json.dumps(one.comparison.expected, ensure_ascii=False))}"
        yield f"  observed  {_short(json.dumps(one.comparison.observed, ensure_ascii=False))}"
    yield f"  {'because ' if one.now == 'not replayed' else 'seen    '}  {_short(one.reason)}"
    yield from (f"  note      {change}" for change in one.changed)


def _short(text: str) -> str:
    return text if len(text) <= 300 else f"{text[:299]}…"
