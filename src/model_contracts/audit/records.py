"""Owns the records of an evidence file as an audit sees them: place, gate, and whether the line is green or red."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from model_contracts import door
from model_contracts.engine.bounded_json import load
from model_contracts.engine.evidence import EVIDENCE, RUN, Unusable
from model_contracts.engine.forms import Records, records_of

Line = Literal["green", "red", "neither", "unknown"]
_LINES: dict[object, Line] = {
    "Corroborated": "green",
    "Falsified": "red",
    "Crashed": "red",
    "Timeout": "red",
    "Skipped": "neither",
    "Error": "neither",
}
MAX_NAMES = 1000


@dataclass(frozen=True, slots=True)
class SeenRecord:
    """One record: `fields` is what it says, with the run it came from under `run`."""

    pointer: str
    gate: str
    outcome: str
    line: Line
    fields: dict[str, Any]


def read(path: Path) -> Records:
    """The records of a file, or of a directory's evidence.json, with the run.json beside it where there is one.

    Nothing is asked of a record but to be an object: what was changed by hand is the more to be looked at.
    Raises Unusable for what cannot be read, is not JSON, or holds no array of records.
    """
    path = path / EVIDENCE if path.is_dir() else path
    records = records_of(load(path))
    if records is None:
        raise Unusable(f"{path}: expected an array of records (evidence), found another JSON value")
    for index, item in enumerate(records.items):
        if not isinstance(item, dict):
            raise Unusable(f"{path}: {records.base}/{index}: expected a record (an object), found another JSON value")
    beside = path.parent / RUN
    if records.form == "ours" and records.run is None and path.name == EVIDENCE and door.is_regular(beside):
        return Records(records.form, records.base, records.items, load(beside))
    return records


def seen(records: Records) -> Iterator[SeenRecord]:
    """Every record with its place."""
    for index, item in enumerate(records.items):
        outcome = item.get("outcome")
        if isinstance(outcome, dict) and len(outcome) == 1:  # {"Falsified": {"reason": …}}
            outcome = next(iter(outcome))
        word = outcome if isinstance(outcome, str) else ""
        fields = {**item, "outcome": word, "reason": _reason(item), "run": records.run}
        gate = item.get("gate_id")
        known = gate if isinstance(gate, str) else "?"
        yield SeenRecord(f"{records.base}/{index}", known, word, _LINES.get(word, "unknown"), fields)


def _reason(item: dict[str, Any]) -> object:
    outcome = item.get("outcome")
    inner = next(iter(outcome.values()), None) if isinstance(outcome, dict) else None
    return item.get("reason") or (inner.get("reason") if isinstance(inner, dict) else None)


def names(records: Records) -> frozenset[str]:
    """What the models of a file are called."""
    found: set[str] = set()
    for item in records.items:
        for holder in (item.get("scenario"), item):
            for key in ("model", "subject"):
                inner = holder.get(key) if isinstance(holder, dict) else None
                name = inner.get("name") if isinstance(inner, dict) else None
                if isinstance(name, str) and len(name) <= 200:
                    found.add(name)
        if len(found) >= MAX_NAMES:
            break
    return frozenset(found)
