"""Owns `contracts baseline`: records what does not hold in an earlier run, so that only what is new closes the gate."""

from __future__ import annotations

import argparse
from pathlib import Path

from model_contracts.terminal import plural, safe


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("directory", metavar="DIR", type=Path, help="where `check -o DIR` kept evidence")
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, help="write baseline.json there, not into DIR")


def run(arguments: argparse.Namespace) -> int:
    """0; evidence that cannot be read is a usage error."""
    from model_contracts.engine.baseline import baseline_of, write
    from model_contracts.engine.evidence import read

    outcomes, record = read(arguments.directory)
    baseline = baseline_of(outcomes, record)
    place = arguments.output or arguments.directory
    place.mkdir(parents=True, exist_ok=True)
    path = write(place, baseline)
    gates = ", ".join(dict.fromkeys(fault.gate for fault in baseline.faults))
    print(f"{safe(str(path))}: {plural(len(baseline.faults), 'fault')}{f': {safe(gates)}' if gates else ''}")
    print(f"contracts check … --baseline {safe(str(place))} lets these through, and nothing else")
    return 0
