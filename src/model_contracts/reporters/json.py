"""Owns the JSON report: one object with the run and its evidence, as they are written to disk."""

from __future__ import annotations

import json

from model_contracts.outcome import Evidence, Run, written
from model_contracts.terminal import safe_json


def report(outcomes: Evidence, run: Run, *, width: int, color: bool) -> str:
    """`{"run": ..., "evidence": [...]}`; width and color do not apply."""
    evidence, record = written(outcomes, run)
    return (
        safe_json(json.dumps({"run": record, "evidence": evidence}, indent=2, ensure_ascii=False, allow_nan=False))
        + "\n"
    )
