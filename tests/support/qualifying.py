"""Runs `contracts qualify` on the small models of the repository, and reads what it wrote."""

from __future__ import annotations

import json
import os
import select
from pathlib import Path
from typing import Any

import yaml

from support.command import Result, contracts
from support.shared_models import DATA

QWEN2 = DATA / "tiny-qwen2"
TINY = Path(__file__).resolve().parents[2] / "contracts" / "qualification" / "tiny.yaml"
DOTTED = "Qwen/Qwen2.5-Coder-0.5B-Instruct"


def playbook(folder: Path, **changes: Any) -> Path:
    """The shipped playbook of the tiny models with other keys (None takes one away), as a file."""
    known = yaml.safe_load(TINY.read_text("utf-8")) | {"id": "playbook"} | changes
    folder.mkdir(exist_ok=True)
    place = folder / "playbook.yaml"
    place.write_text(yaml.safe_dump({key: value for key, value in known.items() if value is not None}), "utf-8")
    return place


def qualify(output: Path, book: Path | str, *arguments: str | Path, source: Path = QWEN2) -> Result:
    """`contracts qualify … --no-gpu -o output`, with the evidence it wrote."""
    words = (book, "--model-path", source, "--no-gpu", "--no-color", "-o", output, *arguments)
    done = contracts("qualify", *words)
    if not (output / "run.json").is_file():
        return done
    run = read(output / "run.json")
    assert run["decision"]["exit_code"] == done.code or done.code == 2, done.stderr
    return Result(done.code, done.stdout, done.stderr, read(output / "evidence.json"), run)


def read(place: Path) -> Any:
    """The value of a JSON file."""
    return json.loads(place.read_text("utf-8"))


def not_holding(result: Result) -> list[dict[str, Any]]:
    """Outcomes that are neither Corroborated nor not owed."""
    return [e for e in result.evidence if e["outcome"] != "Corroborated" and e["skip_cause"] != "not_owed"]


def blamed(result: Result) -> dict[str, set[str]]:
    """Keys of the causes of what does not hold, with the gates under each."""
    found: dict[str, set[str]] = {}
    for outcome in not_holding(result):
        for cause in outcome["causes"]:
            found.setdefault(cause["key"], set()).add(outcome["gate_id"])
    return found


def stands(evidence: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Evidence without what differs between two runs that saw the same: ids, times, measurements."""
    left_out = ("id", "timestamp", "duration", "metrics", "host")
    kept = [{key: value for key, value in outcome.items() if key not in left_out} for outcome in evidence]
    for outcome in kept:
        if outcome["gate_id"].startswith(("F-PERF-", "F-PROFILE-")):
            outcome["comparisons"] = len(outcome["comparisons"])
    return kept


def ends(pid: int) -> bool:
    """Whether a process is gone, or goes at once: it was killed, and the kernel is still taking it away."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([process], [], [], 5.0)[0])
    finally:
        os.close(process)
