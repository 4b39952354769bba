"""Owns the table of a run over several files: what each is, its verdict, what it lost, which one is odd."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from model_contracts.decision import decide
from model_contracts.outcome import ArtifactRecord, Comparison, Decision, Outcome, Run
from model_contracts.reporters.likely import fails, likely, order
from model_contracts.reporters.lines import coloured, severity
from model_contracts.reporters.odd import odd_ones
from model_contracts.terminal import Pen, columns, number, safe, wrap

_HEAD = ("file", "label", "size", "bits/weight", "verdict", "decided by")
_MEASURED = ("mean error", "worst error", "KL", "top-1")
_BENEATH = "worst"
_UNITS = ("bytes", "kB", "MB", "GB", "TB")
_Groups = Sequence[Sequence[Outcome]]


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file of a run: plain texts, empty where nothing is known; names are safe."""

    cells: tuple[str, ...]
    #: Mean and worst relative RMSE, mean divergence in nats, share of likeliest tokens that agree.
    measured: tuple[str, ...]
    worst: str
    cause: str
    decision: Decision
    record: ArtifactRecord | None


def file_rows(groups: _Groups, run: Run) -> list[FileRow]:
    """A row for each file, in the order of the run."""
    return [_row(group, decide(group, run.decision.terms), run) for group in groups]


def headed(rows: Sequence[FileRow]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The heads and the cells of those columns that any row fills; `worst` is not among them."""
    shown = [at for at in range(len(_MEASURED)) if any(row.measured[at] for row in rows)]
    head = (*_HEAD, *(_MEASURED[at] for at in shown))
    cells = [(*row.cells, *(row.measured[at] for at in shown)) for row in rows]
    used = [at for at in range(len(head)) if at != 1 or any(row[at] for row in cells)]
    return tuple(head[at] for at in used), [tuple(row[at] for at in used) for row in cells]


def table(groups: _Groups, run: Run, pen: Pen, width: int) -> Iterator[str]:
    """A row for each file; where a row is too long its worst comparison stands beneath it."""
    rows = file_rows(groups, run)
    if run.group_by is None or len({row.record.release for row in rows if row.record is not None}) < 2:
        yield from _table(rows, run, pen, width)
        return
    for at, (release, own) in enumerate(by_release(rows).items()):
        yield from ([""] if at else [])
        yield pen("bold", safe(release) or "without a name")
        yield from _table(own, run, pen, width)


def by_release(rows: Sequence[FileRow]) -> dict[str, list[FileRow]]:
    """Rows by the name of their release."""
    found: dict[str, list[FileRow]] = {}
    for row in rows:
        found.setdefault(row.record.release if row.record is not None else "", []).append(row)
    return found


def _table(rows: Sequence[FileRow], run: Run, pen: Pen, width: int) -> Iterator[str]:
    head, cells = headed(rows)
    sides = tuple(name not in ("file", "label", "verdict", "decided by") for name in head)
    lines = columns([(*head, _BENEATH), *((*own, row.worst) for own, row in zip(cells, rows, strict=True))], sides)
    beneath = any(len(line) > width for line in lines)
    if beneath:
        lines = columns([head, *cells], sides)
    yield pen("dim", lines[0])
    if beneath:
        yield pen("dim", "  worst: measure of tolerance · tensor")
    for line, row in zip(lines[1:], rows, strict=True):
        verdict = row.decision.word
        at = line.index(f"  {verdict}", len(row.cells[0])) + 2
        yield line[:at] + coloured(row.decision, verdict, pen) + line[at + len(verdict) :]
        if beneath and row.worst:
            yield f"  {row.worst}"
    for said in (*failed(rows), *most_lost(rows), *odd_ones([row.record for row in rows if row.record is not None])):
        yield from wrap(said, width, "  → ")


def failed(rows: Sequence[FileRow]) -> Iterator[str]:
    """Why a file is falsified: the gravest of its likely causes."""
    for row in rows:
        if row.decision.word == "falsified" and row.cause:
            yield f"{row.cells[0]} failed: {row.cause}"


def most_lost(rows: Sequence[FileRow]) -> Iterator[str]:
    """Which of several files is furthest from its source; of those that are falsified their causes are told."""
    whole = [row for row in rows if row.decision.word != "falsified"]
    found = [(row.record, row) for row in whole if row.record is not None]
    figures = [(record.figures, row) for record, row in found if record.figures is not None]
    if len(figures) < 2:
        return
    worst, row = max(figures, key=lambda pair: pair[0].mean_relative_rmse)
    at = f"{safe(worst.worst_tensor)} {_three(worst.worst_relative_rmse)}"
    yield f"{row.cells[0]} loses most: mean relative RMSE {_three(worst.mean_relative_rmse)}, worst {at}"


def _row(group: Sequence[Outcome], decision: Decision, run: Run) -> FileRow:
    subject = group[0].subject
    record = next((record for record in run.artifacts if record.path == subject.path), None)
    gates = decision.decided_by if decision.exit_code else ()
    more = f" +{len(gates) - 1}" if len(gates) > 1 else ""
    cells = (
        file_name(subject.path, subject.name),
        safe(record.label or "") if record is not None else "",
        size_of(sum(file.size for file in record.files)) if record is not None else "",
        _bits(record),
        decision.word,
        f"{safe(gates[0])}{more}" if gates else "",
    )
    cause = next((cause.statement for cause in likely(group)), "")
    return FileRow(cells, _measured(group, record), _furthest(group, record), cause, decision, record)


def _furthest(group: Sequence[Outcome], record: ArtifactRecord | None) -> str:
    """The tensor with the worst error, and what is furthest beyond its tolerance, where that is another."""
    worst, figures = _worst(group), record.figures if record is not None else None
    if figures is None or safe(figures.worst_tensor) in worst:
        return worst
    return f"worst error in {safe(figures.worst_tensor)}{f'; {worst}' if worst else ''}"


def _measured(group: Sequence[Outcome], record: ArtifactRecord | None) -> tuple[str, ...]:
    figures = record.figures if record is not None else None
    errors = (figures.mean_relative_rmse, figures.worst_relative_rmse) if figures is not None else (None, None)
    metrics = {name: value for outcome in group for name, value in outcome.metrics.items()}
    said = [_three(error) if error is not None else "" for error in errors]
    said.append(_three(metrics["mean_divergence"]) if "mean_divergence" in metrics else "")
    said.append(f"{metrics['top1_agreement']:.2%}" if "top1_agreement" in metrics else "")
    return tuple(said)


def _three(value: float) -> str:
    return f"{value:.3g}"


def file_name(path: str, name: str) -> str:
    """What a person calls it: the last part of its path."""
    return safe(PurePath(path).name or name)


def size_of(size: int) -> str:
    """`1.91 MB`, as disks are sold."""
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
