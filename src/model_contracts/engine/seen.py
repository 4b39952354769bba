"""Owns what one step saw while its comparisons came in: all are counted, the violated and the closest are kept."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from model_contracts.outcome import Comparison, Counterexample, SkipCause, Verdict

#: Comparisons kept in an outcome: violations, and the closest of those that held.
_VIOLATIONS, _CLOSEST = 50, 5


@dataclass
class Tally:
    """Comparisons as they come: all are counted, the violated and the closest are kept."""

    compared: int = 0
    records: int = 0
    violated: int = 0
    violations: list[Comparison] = field(default_factory=list)
    closest: list[tuple[float, int, Comparison]] = field(default_factory=list)

    def take(self, comparison: Comparison) -> None:
        """Count one comparison, and keep it if it is violated or among the closest."""
        self.compared += comparison.count
        self.records += 1
        if not comparison.holds:
            self.violated += 1
            if len(self.violations) < _VIOLATIONS:
                self.violations.append(comparison)
            return
        used = (comparison.smallest_passing_tolerance or 0.0) / comparison.tolerance if comparison.tolerance else 0.0
        entry = (used, -self.records, comparison)
        if len(self.closest) < _CLOSEST:
            heapq.heappush(self.closest, entry)
        else:
            heapq.heappushpop(self.closest, entry)

    @property
    def kept(self) -> tuple[Comparison, ...]:
        """The violated ones as they came, then the closest, nearest to their tolerance first."""
        return (*self.violations, *(entry[2] for entry in sorted(self.closest, key=lambda e: e[:2], reverse=True)))


@dataclass(frozen=True, slots=True)
class Seen:
    """What one step saw, before its subject's digest is known."""

    tally: Tally
    verdict: Verdict
    cause: SkipCause | None
    reason: str
    counterexample: Counterexample | None
    duration: float
