"""`make bench`: every figure a ratio, measured side by side in one run, printed as a table.

    python tests/benchmarks/bench.py [--data DIR] [--only WORD] [--runs N]

Speed is looked at here and never by a timed test: absolute times do not hold on shared machines.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bench_commands
import bench_conversions
import bench_golden_rule
import bench_layouts
import bench_memory
import bench_passes
import bench_qualification
import bench_schemes
import bench_tokenizers
from make_model import write
from timing import Row

GROUPS: dict[str, Callable[[Path, int], Iterator[Row]]] = {
    "passes": bench_passes.rows,
    "layouts": bench_layouts.rows,
    "schemes": bench_schemes.rows,
    "commands": bench_commands.rows,
    "conversions": bench_conversions.rows,
    "memory": bench_memory.rows,
    "tokenizers": bench_tokenizers.rows,
    "golden-rule": bench_golden_rule.rows,
    "qualification": bench_qualification.rows,
}


def main() -> int:
    """Run the groups that were asked for and print the table; exit 1 if a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("bench-data"))
    parser.add_argument("--only", choices=GROUPS)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    model = arguments.data / "Qwen" / "Qwen2.5-Coder-0.5B-Instruct"
    if not (model / "tokenizer.json").exists():
        write(model)
    rows = []
    for name, group in GROUPS.items():
        if arguments.only in (None, name):
            for row in group(model, arguments.runs):
                rows.append(row)
                print(_line(row), flush=True)
    missed = [row for row in rows if not row.met]
    print(f"\n{len(rows) - len(missed)} of {len(rows)} goals met" + "".join(f"\nmissed: {row.work}" for row in missed))
    return 1 if missed else 0


def _line(row: Row) -> str:
    mark = "ok  " if row.met else "MISS"
    ours, theirs = (f"{value:.3f}" if row.unit == "s" else f"{value:,.0f}" for value in (row.ours, row.theirs))
    figures = f"{row.ratio:8.2f} x  ({row.sense} {row.goal:g})  {ours} against {theirs} {row.unit}"
    return f"{mark} {figures}  {row.work} | {row.against}"


if __name__ == "__main__":
    sys.exit(main())
