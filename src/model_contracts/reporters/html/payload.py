"""Owns what the page of a run is drawn from: evidence, run and tables as one JSON value, bounded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Any

from model_contracts.outcome import ArtifactRecord, Comparison, Evidence, Outcome, Run, Verdict, as_json
from model_contracts.reporters.causes import causes
from model_contracts.reporters.likely import likely
from model_contracts.reporters.lines import circumstances, left_out, mark, severity, told
from model_contracts.tables import TensorRow, TensorTable
from model_contracts.terminal import number, safe

#: Comparisons of a gate, causes, and rows of a table that a page holds.
COMPARISONS, CAUSES, ROWS = 60, 12, 6_000
#: Columns of a table of tensors, in the order of the page.
COLUMNS = tuple(TensorRow.model_fields)


def payload(outcomes: Evidence, run: Run, tables: Sequence[TensorTable]) -> str:
    """JSON that may stand inside a script element: nothing in it ends the element or begins a comment."""
    value = {
        "decision": run.decision.model_dump(),
        "run": _run(run),
        "artifacts": [_artifact(record) for record in run.artifacts],
        "causes": [*_causes(outcomes, run)][:CAUSES],
        "outcomes": [_outcome(outcome) for outcome in outcomes],
        "leftOut": [{"reason": said, "gates": gates} for said, gates in left_out(outcomes, run)],
        "tables": [_table(table) for table in tables],
    }
    text = json.dumps(as_json(value), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _run(run: Run) -> dict[str, Any]:
    return {
        "tool": f"{run.tool} {run.version}",
        "command": safe(" ".join(run.command)),
        "started": run.started,
        "seconds": run.duration,
        "definitions": run.definitions_digest,
        "host": f"Python {run.host.python}, {run.host.os}, {run.host.cpu}",
        "libraries": [f"{name} {version}" for name, version in run.environment.items()],
        "playbook": run.playbook.id if run.playbook is not None else None,
    }


def _artifact(record: ArtifactRecord) -> dict[str, Any]:
    digests = [file.digest for file in record.files if file.digest]
    return {
        "name": safe(record.name),
        "path": safe(record.path),
        "format": record.format,
        "files": len(record.files),
        "bytes": sum(file.size for file in record.files),
        "bits": 8 * record.tensor_bytes / record.elements if record.elements else None,
        "digest": digests[0] if len(record.files) == 1 and digests else None,
        "notes": [safe(note) for note in record.notes],
    }


def _causes(outcomes: Evidence, run: Run) -> Iterator[dict[str, Any]]:
    if run.playbook is not None:
        for group in causes(outcomes):
            gates = dict.fromkeys(outcome.gate_id for outcome in group.outcomes)
            yield {"statement": safe(group.statement), "gates": [*gates]}
        return
    for cause in likely(outcomes):
        yield {"statement": cause.statement, "gates": [*cause.gates]}


def _outcome(outcome: Outcome) -> dict[str, Any]:
    worst = sorted(outcome.comparisons, key=lambda one: (one.holds, severity(one)))
    return {
        "gate": safe(outcome.gate_id),
        "title": safe(outcome.title),
        "mark": mark(outcome)[0],
        "word": word(outcome),
        "reason": safe(outcome.reason),
        "invariant": safe(outcome.invariant),
        "path": safe(outcome.subject.path),
        "column": circumstances(outcome) or safe(outcome.subject.name),
        "owed": outcome.owed,
        "compared": outcome.compared,
        "violated": outcome.violated,
        "seconds": outcome.duration,
        "comparisons": [_comparison(comparison) for comparison in worst[:COMPARISONS]],
        "uncompared": [
            {"place": safe(str(gap.place)), "count": gap.count, "reason": safe(gap.reason)}
            for gap in outcome.uncompared[:COMPARISONS]
        ],
        "counterexample": safe(outcome.counterexample.description) if outcome.counterexample is not None else None,
    }


def word(outcome: Outcome) -> str:
    """kept, falsified, warning, not proven, not owed, error: what a reader of the page sees and filters by."""
    if outcome.outcome is Verdict.CORROBORATED:
        return "kept"
    if outcome.outcome is Verdict.SKIPPED:
        return "not owed" if outcome.skip_cause == "not_owed" else "not proven"
    if outcome.outcome is Verdict.ERROR:
        return "error"
    return "warning" if outcome.force == "should" else "falsified"


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "measure": safe(comparison.measure),
        "place": safe(str(comparison.place)),
        "tensor": safe(comparison.place.tensor) if comparison.place.tensor else None,
        "said": told(comparison),
        "value": comparison.observed if isinstance(comparison.observed, float) else None,
        "holds": comparison.holds,
        "tolerance": number(comparison.tolerance) if comparison.tolerance is not None else None,
        "passes": _number(comparison.smallest_passing_tolerance),
        "count": comparison.count,
        "from": safe(comparison.bound_from) if comparison.bound_from else None,
        "note": safe(comparison.note) if comparison.note else None,
    }


def _number(value: float | None) -> str | None:
    return number(value) if value is not None else None


def _table(table: TensorTable) -> dict[str, Any]:
    rows = table.rows[:ROWS]
    return {
        "artifact": safe(table.artifact),
        "path": safe(table.path),
        "against": safe(table.against) if table.against is not None else None,
        "leftOff": table.left_off + len(table.rows) - len(rows),
        "columns": {name: [_cell(getattr(row, name)) for row in rows] for name in COLUMNS},
        "scatters": [
            {"tensor": safe(one.tensor), "source": [*one.source], "target": [*one.target]} for one in table.scatters
        ],
    }


def _cell(value: Any) -> Any:
    """A cell of few characters: six digits of a number, a shape as people write it."""
    if isinstance(value, float):
        return float(f"{value:.6g}") if isfinite(value) else value
    if isinstance(value, tuple):
        return "×".join(map(str, value)) or "scalar"
    return safe(value) if isinstance(value, str) else value
