"""Reporter `acme_lines`: one line a gate, for a log."""

from __future__ import annotations

from model_contracts.outcome import Evidence, Run
from model_contracts.terminal import safe


def report(outcomes: Evidence, run: Run, *, width: int, color: bool) -> str:
    """Gate, outcome and reason; then the decision."""
    lines = [f"acme {one.gate_id} {one.outcome} {safe(one.reason)}" for one in outcomes]
    return "\n".join([*lines, f"acme decided {run.decision.word}"]) + "\n"
