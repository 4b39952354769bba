"""Owns the table of a qualification's gates: a line an outcome, with its scenario and the causes that closed it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from model_contracts.outcome import Evidence, Outcome, Verdict
from model_contracts.reporters.causes import CauseGroup, fails, violations
from model_contracts.reporters.lines import circumstances, mark
from model_contracts.terminal import Pen, cut, safe, wrap

_FAMILY = re.compile(r"G0|F-A(?=\d)|F-[A-Z]+")
#: Families of one or two gates stand with their like.
_WITH = {"F-GOLDEN": "F-CONTRACT", "F-PROFILE": "F-PERF"}


def gates(outcomes: Evidence, groups: tuple[CauseGroup, ...], pen: Pen, width: int) -> Iterator[str]:
    """A line an outcome, those of a gate and of a family together, each in the order of the run."""
    if not outcomes:
        return
    order: dict[str, int] = {}
    for at, outcome in enumerate(outcomes):
        order.setdefault(outcome.gate_id, at)
        order.setdefault(f"family {_family(outcome.gate_id)}", at)
    rows = sorted(outcomes, key=lambda o: (order[f"family {_family(o.gate_id)}"], order[o.gate_id]))
    because: dict[str, list[int]] = {}
    for number, group in enumerate(groups, 1):
        for outcome in group.outcomes:
            because.setdefault(outcome.id, []).append(number)
    where = [(safe(outcome.gate_id), circumstances(outcome)) for outcome in rows]
    first, second = (max(len(cell) for cell in column) for column in zip(*where, strict=True))
    often = Counter(where)
    family = None
    yield pen("bold", "Gates")
    for outcome, (gate, scenario) in zip(rows, where, strict=True):
        if (now := _family(outcome.gate_id)) != family and family is not None:
            yield ""
        family = now
        sign, colour = mark(outcome)
        name = f"{safe(outcome.subject.name)}: " if often[gate, scenario] > 1 else ""
        head = f"  {sign} {gate:<{first}}  {scenario:<{second}}  "
        said = name + _said(outcome, because.get(outcome.id, []))
        # Why a gate was skipped stands in full under `Not evaluated`; what a gate is about, in `contracts explain`.
        whole = fails(outcome) or not (outcome.outcome is Verdict.SKIPPED or _titled(outcome))
        for at, line in enumerate(wrap(said, width, head) if whole else [head + cut(said, width - len(head))]):
            yield line.replace(f" {sign} ", f" {pen(colour, sign)} ", 1) if at == 0 else line
    yield ""


def _family(gate: str) -> str:
    found = _FAMILY.match(gate)
    return _WITH.get(found[0], found[0]) if found else ""


def _said(outcome: Outcome, because: list[int]) -> str:
    reason = safe(outcome.reason)
    if outcome.outcome is Verdict.SKIPPED:
        return f"{'not owed' if outcome.skip_cause == 'not_owed' else 'not proven'}: {reason}"
    if not fails(outcome):
        return (
            f"{reason.removeprefix(safe(outcome.title) + ': ')} · {safe(outcome.title)}" if _titled(outcome) else reason
        )
    why = f"cause {_ranges(because)}" + (", warning" if outcome.force == "should" else "")
    if outcome.outcome is Verdict.ERROR:
        return f"{why}: the checker failed: {reason}"
    if not violations(outcome):
        return f"{why}: {outcome.outcome.value.lower()}: {reason}"
    return f"{why}: {outcome.violated:,} violated, {outcome.compared:,} compared"


def _ranges(numbers: list[int]) -> str:
    """`1-3, 5` of 1, 2, 3 and 5."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def _titled(outcome: Outcome) -> bool:
    """Whether the reason is the gate's title and a count, as that of a gate that holds is: the count stands first."""
    return outcome.outcome is Verdict.CORROBORATED and outcome.reason.startswith(f"{outcome.title}: ")
