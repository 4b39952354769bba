"""A whole qualification of a model of 0.5B, without a GPU: seconds and memory against their bounds."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from timing import Row

PLAYBOOK = Path(__file__).resolve().parent / "qwen2.5-coder-0.5b-shape.yaml"
#: The founding run took 1,043 s on a workstation.
SECONDS, MEMORY_MB = 120.0, 6_000.0


def rows(model: Path, runs: int) -> Iterator[Row]:
    """One run of the whole playbook, every process of it; prints where the time went."""
    missing = [name for name in ("torch", "transformers", "tokenizers", "xllamacpp") if find_spec(name) is None]
    if missing:
        print(f"skip the qualification: {', '.join(missing)} is not installed", file=sys.stderr)
        return
    contracts = str(Path(sys.executable).with_name("contracts"))
    with tempfile.TemporaryDirectory(dir=model.parent) as folder:
        output = Path(folder) / "out"
        words = [contracts, "qualify", str(PLAYBOOK), "--model-path", str(model), "--no-gpu", "-o", str(output)]
        begun = time.perf_counter()
        child = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        peak = 0.0
        while child.poll() is None:
            peak = max(peak, memory_mb(child.pid))
            time.sleep(2)  # to look at gigabytes of pages takes time from what is measured
        seconds = time.perf_counter() - begun
        if child.returncode:
            raise RuntimeError(f"the qualification ended with {child.returncode}")
        _table(json.loads((output / "evidence.json").read_text()), seconds)
    yield Row("contracts qualify, 0.5B, mvp", f"{SECONDS:g} s", seconds, SECONDS, 1.0, "at most")
    yield Row("its memory, all processes", f"{MEMORY_MB:,.0f} MB", peak, MEMORY_MB, 1.0, "at most", "MB")


def memory_mb(root: int) -> float:
    """Proportional memory of a process and all it started, MB: a page that two share is counted once."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError, ValueError):
                continue
            parents.setdefault(parent, []).append(int(entry.name))
    found, waiting = 0.0, [root]
    while waiting:
        pid = waiting.pop()
        waiting += parents.get(pid, [])
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        found += next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)
    return found


def _table(evidence: list[dict[str, object]], seconds: float) -> None:
    spent: dict[str, float] = {}
    for outcome in evidence:
        gate = str(outcome["gate_id"])
        spent[gate] = spent.get(gate, 0.0) + float(str(outcome["duration"]))
    for gate, took in sorted(spent.items(), key=lambda item: -item[1])[:12]:
        print(f"       {took:7.2f} s  {took / seconds:5.1%}  {gate}")
