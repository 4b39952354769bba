"""Owns what does not hold or is not proven, as lists of other systems take it: bounded, a line for each kind of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from model_contracts.fingerprint import content_of, place_of
from model_contracts.outcome import Comparison, Evidence, FaultClass, Outcome, Run, Terms, Verdict
from model_contracts.reporters.lines import BAD, excuse, numbers, severity, told
from model_contracts.terminal import plural, safe

#: Comparisons of one kind that are told; the rest is counted.
WORST = 10
#: What it is to the gate: `fault` closes it, `warning` does not, `unproven` was not evaluated, `excused` has its owner,
#: `error` is the checker's own.
State = Literal["fault", "warning", "unproven", "excused", "error"]
_WORDS: dict[State, str] = {
    "fault": "falsified",
    "warning": "warning",
    "unproven": "not proven",
    "excused": "excused",
    "error": "the checker failed",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of thing at one gate that does not hold, or the gate itself where nothing was compared."""

    outcome: Outcome
    state: State
    #: Whether it closes the gate under the terms of the run.
    closes: bool
    #: The violated comparisons of one measure, the worst first, at most ten.
    comparisons: tuple[Comparison, ...]
    #: How many more there are.
    more: int

    @property
    def worst(self) -> Comparison | None:
        """The comparison that stands for all of them."""
        return self.comparisons[0] if self.comparisons else None

    @property
    def word(self) -> str:
        """`falsified`, `not proven`, `crashed` …"""
        if self.state == "fault" and self.outcome.outcome is not Verdict.FALSIFIED:
            return self.outcome.outcome.value.lower()
        return _WORDS[self.state]

    @property
    def klass(self) -> FaultClass:
        """What kind of fault it is."""
        return self.outcome.fault or "unknown"

    @property
    def place(self) -> str:
        """Fingerprint of gate and place: the same from run to run while it fails there."""
        return place_of(self.outcome, self.worst)

    @property
    def content(self) -> str:
        """Fingerprint of gate, place and numbers."""
        return content_of(self.outcome, self.worst)

    @property
    def said(self) -> str:
        """What it is in one line, with the numbers of the worst; safe on a terminal."""
        worst = self.worst
        if worst is None:
            return safe(f"{self.word}: {self.outcome.reason}")
        at = f" at {safe(str(worst.place))}" if str(worst.place) else ""
        count = len(self.comparisons) + self.more
        many = f" (worst of {plural(count, 'place')})" if count > 1 else ""
        return f"{self.word}: {safe(worst.measure)}{at}: {told(worst)}{many}"

    @property
    def lines(self) -> Iterator[str]:
        """Every number that is told, line by line; safe on a terminal."""
        yield safe(self.outcome.title)
        for comparison in self.comparisons:
            at = f"{safe(str(comparison.place))}: " if str(comparison.place) else ""
            yield at + numbers(comparison)
            if comparison.note:
                yield f"  {safe(comparison.note)}"
        if self.more:
            yield f"and {plural(self.more, 'comparison')} more"
        if not self.comparisons:
            yield safe(self.outcome.reason)
        if self.outcome.excused is not None:
            yield safe(excuse(self.outcome))


def faults(outcomes: Evidence, run: Run) -> tuple[Fault, ...]:
    """Everything that does not hold, then what is not proven; what closes the gate first, else in the run's order."""
    found = [fault for outcome in outcomes for fault in _of(outcome, run.decision.terms)]
    order: tuple[State, ...] = ("fault", "error", "unproven", "warning", "excused")
    return tuple(sorted(found, key=lambda fault: (not fault.closes, order.index(fault.state))))


def _of(outcome: Outcome, terms: Terms) -> Iterator[Fault]:
    state = _state(outcome, terms)
    if state is None:
        return
    closes = state in ("fault", "error") or (state == "unproven" and _owed(outcome, terms))
    closes &= terms.fail_on != "never" or state == "error"
    kinds: dict[str, list[Comparison]] = {}
    for comparison in sorted((c for c in outcome.comparisons if not c.holds), key=severity):
        kinds.setdefault(comparison.measure, []).append(comparison)
    unlisted = max(outcome.violated - sum(map(len, kinds.values())), 0)
    for at, alike in enumerate(kinds.values()):
        # What evidence does not list is counted under the first kind: of which kind it is nobody knows.
        more = len(alike[WORST:]) + (unlisted if at == 0 else 0)
        yield Fault(outcome, state, closes, tuple(alike[:WORST]), more)
    if not kinds:
        yield Fault(outcome, state, closes, (), unlisted)


def _state(outcome: Outcome, terms: Terms) -> State | None:
    if outcome.outcome is Verdict.ERROR:
        return "error"
    unproven = outcome.outcome is Verdict.SKIPPED and outcome.skip_cause != "not_owed"
    if outcome.excused is not None:
        return "excused" if unproven or outcome.outcome in BAD else None
    if outcome.outcome in BAD:
        counts = outcome.force == "must" or terms.fail_on in ("should", "not-proven")
        return "fault" if counts else "warning"
    return "unproven" if unproven else None


def _owed(outcome: Outcome, terms: Terms) -> bool:
    return terms.not_proven == "fail" and (outcome.force == "must" or terms.fail_on == "not-proven")
