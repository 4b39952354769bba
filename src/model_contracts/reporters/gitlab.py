"""Owns the code quality report of GitLab: a JSON array whose fingerprints stay while a fault does."""

from __future__ import annotations

import json
from collections import Counter

from model_contracts.outcome import Evidence, Run
from model_contracts.reporters.faults import Fault, State, faults
from model_contracts.terminal import safe, safe_json

#: Issues of one report, and characters of a description.
_MOST, _LONGEST = 1_000, 1_000
_SEVERITY: dict[State, str] = {
    "fault": "critical",
    "error": "blocker",
    "unproven": "major",
    "warning": "minor",
    "excused": "info",
}


def report(outcomes: Evidence, run: Run, *, width: int, color: bool) -> str:
    """One issue for each kind of fault at a gate; width and color do not apply."""
    turns: Counter[str] = Counter()
    issues = []
    for fault in faults(outcomes, run)[:_MOST]:
        # Of equal fingerprints GitLab shows the first: two files of one run may fail alike.
        turns[fault.content] += 1
        again = "" if turns[fault.content] == 1 else f"-{turns[fault.content]}"
        issues.append(_issue(fault, fault.content + again))
    return safe_json(json.dumps(issues, indent=2, ensure_ascii=False)) + "\n"


def _issue(fault: Fault, fingerprint: str) -> dict[str, object]:
    said = f"{fault.outcome.gate_id} ({fault.klass}) {safe(fault.outcome.subject.name)}: {fault.said}"
    return {
        "description": said if len(said) <= _LONGEST else f"{said[: _LONGEST - 1]}…",
        "check_name": fault.outcome.gate_id,
        "fingerprint": fingerprint,
        "severity": _SEVERITY[fault.state],
        "location": {"path": _path(fault.outcome.subject.path), "lines": {"begin": 1}},
    }


def _path(path: str) -> str:
    """As GitLab compares paths: of the repository, forward slashes, no `./` before them."""
    return safe(path.replace("\\", "/").removeprefix("./")) or "."
