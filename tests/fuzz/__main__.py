"""Runs every fuzz target for its share of the seconds, and prints executions and findings of each: `make fuzz`."""

import sys
import time
from collections.abc import Callable
from random import Random

from fuzz.targets import TARGETS


def fuzzed(target: Callable[[Random], None], seconds: float, start: int = 0) -> tuple[int, dict[str, int]]:
    """How often a target was run, and the first seed of each finding by what it says."""
    found: dict[str, int] = {}
    end, seed = time.monotonic() + seconds, start
    while time.monotonic() < end:
        try:
            target(Random(seed))
        except Exception as error:
            found.setdefault(f"{type(error).__name__}: {str(error)[-400:]}"[:300], seed)
        seed += 1
    return seed - start, found


def main() -> int:
    """1 where anything was found."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600.0
    only = sys.argv[2:] or list(TARGETS)
    start, worst = time.time_ns() % 10**9, 0
    for name in only:
        runs, found = fuzzed(TARGETS[name], seconds / len(only), start)
        print(f"{name:<12} {runs:>8,} executions  {len(found):>3} findings", flush=True)
        for said, seed in found.items():
            worst = 1
            print(f"  seed {seed}: {said}", flush=True)
    return worst


if __name__ == "__main__":
    sys.exit(main())
