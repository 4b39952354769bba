"""Owns the JSON report: one object with the verdict in a few words, the run and its evidence, as they are written."""

from __future__ import annotations

import json

from model_contracts.outcome import Evidence, Run, written
from model_contracts.reporters.brief import brief
from model_contracts.terminal import safe_json


def report(outcomes: Evidence, run: Run, *, width: int, color: bool) -> str:
    """`{"verdict": ..., "run": ..., "evidence": [...]}`; width and color do not apply."""
    evidence, record = written(outcomes, run)
    verdict = brief(outcomes, run).model_dump(mode="json", by_alias=True)
    told = {"verdict": verdict, "run": record, "evidence": evidence}
    return safe_json(json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False)) + "\n"
