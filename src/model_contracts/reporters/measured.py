"""Owns two tables of a qualification: where the time went by gate, and what was measured on the way."""

from __future__ import annotations

from collections.abc import Iterator

from model_contracts.outcome import Evidence, Outcome, Run
from model_contracts.reporters.lines import circumstances
from model_contracts.terminal import Pen, columns, number, plural, safe

#: Rows of the table of time, and columns of its bar.
ROWS, BAR = 10, 24
#: How a metric is headed; others stand under their own names.
_HEADS = {
    "tokens_per_second": "tokens/s",
    "seconds_to_first_token": "first token s",
    "peak_memory_mb": "memory MB",
    "memory_mb": "memory MB",
}
#: What may follow a metric's name: the ends of its spread, or its half. How often it was measured is in the evidence.
_SPREADS = ("_min", "_max", "_spread")
_Row = tuple[list[Outcome], dict[str, float]]


def time(outcomes: Evidence, run: Run, pen: Pen) -> Iterator[str]:
    """Seconds by gate, largest first, with the share of the whole.

    The whole is the run's duration; where gates ran side by side they took more than that, and the whole is their sum.
    """
    spent: dict[str, float] = {}
    for outcome in outcomes:
        spent[outcome.gate_id] = spent.get(outcome.gate_id, 0.0) + outcome.duration
    gates = sum(spent.values())
    whole = max(gates, run.duration)
    if not whole > 0:
        return
    rows = sorted(spent.items(), key=lambda row: -row[1])
    shown = [(gate, seconds) for gate, seconds in rows[:ROWS] if seconds >= whole / 1000]
    rest = rows[len(shown) :]
    if (left := sum(seconds for _, seconds in rest)) > whole / 1000:
        shown.append((plural(len(rest), "gate") + " more", left))
    if whole - gates > whole / 1000:
        shown.append(("between gates", whole - gates))
    beside = f", {gates:,.1f} s of gates side by side" if gates > run.duration * 1.001 else ""
    yield pen("bold", f"Where the time went  {run.duration:,.1f} s{beside}")
    cells = [
        (safe(name), f"{seconds:,.2f} s", f"{seconds / whole:.1%}", "█" * round(BAR * seconds / whole))
        for name, seconds in shown
    ]
    yield from (f"  {line}" for line in columns(cells, (False, True, True)))
    yield ""


def metrics(outcomes: Evidence, pen: Pen, width: int) -> Iterator[str]:
    """What was measured: a row for each scenario, a column for each metric, as many as fit the width."""
    rows = _rows(outcomes)
    names = list(dict.fromkeys(name for _, row in rows for name in row if not _is_spread(name, row)))
    names.sort(key=lambda name: [*_HEADS, name].index(name))
    if not names:
        return
    yield pen("bold", "Measured")
    fit = len(names)
    while len((lines := _columns(rows, names[:fit]))[0]) + 2 > width and fit > 1:
        fit -= 1
    yield f"  {pen('dim', lines[0])}"
    yield from (f"  {line}" for line in lines[1:])
    if fit < len(names):
        yield f"  {plural(len(names) - fit, 'metric')} more in evidence.json"
    yield ""


def _columns(rows: list[_Row], names: list[str]) -> list[str]:
    """Aligned lines of the rows that have one of the metrics, under their heads."""
    cells = [["scenario", *(_HEADS.get(name, safe(name.replace("_", " "))) for name in names), "by"]]
    for seen, row in rows:
        if not row.keys() & set(names):
            continue
        where = circumstances(seen[0]) or safe(seen[0].subject.name)
        by = safe(seen[0].gate_id) + (f" +{len(seen) - 1}" if len(seen) > 1 else "")
        cells.append([where, *(_cell(name, row) for name in names), by])
    return columns(cells, (False, *(True for _ in names)))


def _rows(outcomes: Evidence) -> list[_Row]:
    """Metrics of one scenario and subject in one row, unless two gates measured the same."""
    rows: list[_Row] = []
    latest: dict[tuple[str, str], _Row] = {}
    for outcome in outcomes:
        if not outcome.metrics:
            continue
        key = (circumstances(outcome), outcome.subject.name)
        if key not in latest or latest[key][1].keys() & outcome.metrics.keys():
            latest[key] = ([], {})
            rows.append(latest[key])
        latest[key][0].append(outcome)
        latest[key][1].update(outcome.metrics)
    return rows


def _is_spread(name: str, row: dict[str, float]) -> bool:
    return any(name.endswith(end) and name.removesuffix(end) in row for end in (*_SPREADS, "_runs"))


def _cell(name: str, row: dict[str, float]) -> str:
    if name not in row:
        return "–"
    low, high, half = (row.get(name + end) for end in _SPREADS)
    if low is not None and high is not None:
        return f"{_short(row[name])} ({_short(low)}-{_short(high)})"
    return _short(row[name]) + (f" ± {number(float(f'{half:.1g}'))}" if half is not None else "")


def _short(value: float) -> str:
    """Three digits are what a measured time is worth."""
    return f"{value:,.0f}" if abs(value) >= 100 else number(float(f"{value:.3g}"))
