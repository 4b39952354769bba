"""Owns the table of a run over several files: what each is, its verdict, the gate that decided, the worst it has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath

from model_contracts.decision import decide
from model_contracts.outcome import ArtifactRecord, Comparison, Decision, Outcome, Run
from model_contracts.reporters.likely import fails, likely, order
from model_contracts.reporters.lines import coloured, severity
from model_contracts.terminal import Pen, columns, number, safe

_HEAD = ("file", "size", "bits/weight", "verdict", "decided by", "worst")
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def table(groups: Sequence[Sequence[Outcome]], run: Run, pen: Pen, width: int) -> Iterator[str]:
    """A row for each file; where a row is too long its worst comparison stands beneath it."""
    decisions = [decide(group, run.decision.terms) for group in groups]
    rows = [_row(group, decision, run) for group, decision in zip(groups, decisions, strict=True)]
    sides = (False, True, True)
    lines = columns([_HEAD, *rows], sides)
    beneath = any(len(line) > width for line in lines)
    if beneath:
        lines = columns([_HEAD[:-1], *(row[:-1] for row in rows)], sides)
    yield pen("dim", lines[0])
    if beneath:
        yield pen("dim", "  worst: measure of tolerance · tensor")
    for line, row, decision in zip(lines[1:], rows, decisions, strict=True):
        at = line.index(f"  {row[3]}", len(row[0])) + 2
        yield line[:at] + coloured(decision, row[3], pen) + line[at + len(row[3]) :]
        if beneath and row[-1]:
            yield f"  {row[-1]}"


def _row(group: Sequence[Outcome], decision: Decision, run: Run) -> tuple[str, ...]:
    subject = group[0].subject
    record = next((record for record in run.artifacts if record.path == subject.path), None)
    gates = decision.decided_by if decision.exit_code else ()
    more = f" +{len(gates) - 1}" if len(gates) > 1 else ""
    return (
        file_name(subject.path, subject.name),
        _size(sum(file.size for file in record.files)) if record is not None else "",
        _bits(record),
        decision.word,
        f"{safe(gates[0])}{more}" if gates else "",
        _worst(group),
    )


def file_name(path: str, name: str) -> str:
    """What a person calls it: the last part of its path."""
    return safe(PurePath(path).name or name)


def _size(size: int) -> str:
    value, unit = float(size), 0
    while value >= 999.5 and unit + 1 < len(_UNITS):
        value, unit = value / 1000, unit + 1
    return f"{value:.3g} {_UNITS[unit]}"


def _bits(record: ArtifactRecord | None) -> str:
    return f"{8 * record.tensor_bytes / record.elements:.2f}" if record is not None and record.elements else ""


def _worst(group: Sequence[Outcome]) -> str:
    """The values furthest beyond their tolerance, else the gravest cause; where all holds, what is nearest to it."""
    causes, failing = likely(group), [outcome for outcome in order(group) if fails(outcome)]
    for outcome in failing:
        beyond = [c for c in outcome.comparisons if not c.holds and c.place.tensor and _share(c) is not None]
        if beyond:
            return _said(min(beyond, key=severity))
    if causes:
        return _said(causes[0].shown)
    bounded = [c for outcome in group for c in outcome.comparisons if c.holds and c.place.tensor and _share(c)]
    return _said(min(bounded, key=severity)) if bounded and not failing else ""


def _share(comparison: Comparison) -> float | None:
    """How much of its tolerance a comparison takes; None where it has none."""
    passing, tolerance = comparison.smallest_passing_tolerance, comparison.tolerance
    return None if passing is None or tolerance is None else passing / tolerance if tolerance else passing


def _said(comparison: Comparison) -> str:
    at = safe(comparison.place.tensor or comparison.place.key or comparison.place.file or "")
    passing = comparison.smallest_passing_tolerance
    if comparison.tolerance is not None and passing is not None:
        of = f" of {number(float(f'{comparison.tolerance:.3g}'))}"
        return f"{safe(comparison.measure)} {number(float(f'{passing:.3g}'))}{of}{f' · {at}' if at else ''}"
    return f"{safe(comparison.measure)}{f' · {at}' if at else ''}"
