"""Makes outcomes and runs for tests of what reads them."""

from __future__ import annotations

import uuid
from typing import Any

from model_contracts.decision import decide
from model_contracts.outcome import Comparison, Host, Outcome, Place, Run, Subject, Verdict

HOST = Host(hostname="h", os="Linux", cpu="c", python="3.11")


def comparison(holds: bool = True, **changes: Any) -> Comparison:
    """One comparison of a tensor."""
    fields: dict[str, Any] = {"measure": "mean", "place": Place(tensor="a.weight"), "expected": 1.0, "observed": 1.5}
    return Comparison(**{**fields, "holds": holds, **changes})


def outcome(verdict: str = "Corroborated", gate: str = "G0-TEST-001", **changes: Any) -> Outcome:
    """A coherent outcome of that verdict."""
    violated = verdict == "Falsified"
    looked = verdict in ("Corroborated", "Falsified")
    fields: dict[str, Any] = {
        "id": uuid.uuid4().hex,
        "gate_id": gate,
        "title": "what the test holds",
        "outcome": Verdict(verdict),
        "reason": f"{verdict} because of the test",
        "invariant": "test/invariant",
        "contract": "default",
        "force": "must",
        "skip_cause": "missing_input" if verdict == "Skipped" else None,
        "subject": Subject(name="Qwen2.5-0.5B", path="/m/Qwen2.5-0.5B", format="gguf"),
        "owed": 10 if looked else 0,
        "compared": 10 if looked else 0,
        "violated": int(violated),
        "comparisons": (comparison(holds=not violated),) if looked else (),
        "duration": 0.5,
        "timestamp": "2025-01-01T00:00:00Z",
        "host": HOST,
    }
    fields |= changes
    missed = sum(gap.count for gap in fields.get("uncompared", ()))
    return Outcome(**{**fields, "owed": changes.get("owed", fields["compared"] + missed)})


def record(outcomes: tuple[Outcome, ...], **changes: Any) -> Run:
    """The run of those outcomes."""
    fields: dict[str, Any] = {
        "tool": "model-contracts",
        "version": "0.1.0",
        "command": ("contracts", "check", "m"),
        "seed": 7,
        "started": "2025-01-01T00:00:00Z",
        "duration": 1.25,
        "definitions": {},
        "definitions_digest": "blake3:00",
        "artifacts": (),
        "environment": {},
        "host": HOST,
        "not_evaluated": {},
        "decision": decide(outcomes),
    }
    return Run(**{**fields, **changes})
