"""Owns what one step saw while its comparisons came in: all are counted; the violated, the closest, the gaps kept."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from model_contracts.checks.drafts import Draft, Gap, share
from model_contracts.checks.interface import Told
from model_contracts.outcome import Comparison, Counterexample, SkipCause, Uncompared, Verdict

#: Comparisons kept in an outcome: violations, and the closest of those that held.
_VIOLATIONS, _CLOSEST = 50, 5
#: Places that were not compared, kept in an outcome; reasons told with their counts.
_GAPS, _REASONS = 20, 50
#: The place of a comparison that speaks of all positions: of several files these stand in one table.
WHOLE = "positions all"


@dataclass
class Tally:
    """Comparisons as they come: all are counted, the violated and the closest are kept."""

    compared: int = 0
    records: int = 0
    violated: int = 0
    violations: list[Comparison] = field(default_factory=list)
    closest: list[tuple[float, int, Comparison]] = field(default_factory=list)
    #: Values owed and not compared, the first places, and by reason: (places, values).
    missed: int = 0
    gaps: list[Uncompared] = field(default_factory=list)
    #: What was measured over all positions of all prompts, by measure.
    metrics: dict[str, float] = field(default_factory=dict)
    reasons: dict[str, tuple[int, int]] = field(default_factory=dict)

    def take(self, seen: Told) -> None:
        """Count what a check yields; keep violations, the closest comparisons, and the first gaps."""
        if isinstance(seen, Draft):
            self._compare(seen)
        elif isinstance(seen, Comparison):
            if seen.place.key == WHOLE and isinstance(seen.observed, float):
                self.metrics[seen.measure] = seen.observed
            used = share(seen.smallest_passing_tolerance or 0.0, seen.tolerance or 0.0)
            self._compare(Draft(seen.holds, lambda: seen, seen.count, used))
        elif isinstance(seen, Gap):
            self._miss(seen)
        else:
            self._miss(Gap(seen.reason, lambda: seen, seen.count))

    def _miss(self, gap: Gap) -> None:
        self.missed += gap.values
        if len(self.gaps) < _GAPS:
            self.gaps.append(gap.write())
        reason = gap.reason if gap.reason in self.reasons or len(self.reasons) < _REASONS else "other reasons"
        places, values = self.reasons.get(reason, (0, 0))
        self.reasons[reason] = places + 1, values + gap.values

    def _compare(self, draft: Draft) -> None:
        self.compared += draft.values * draft.times
        self.records += draft.times
        if not draft.holds:
            self.violated += draft.times
            if len(self.violations) < _VIOLATIONS:
                self.violations.append(draft.write())
            return
        # Of equally close ones the first are kept, so that a later one has to be closer.
        if len(self.closest) < _CLOSEST:
            heapq.heappush(self.closest, (draft.used, -self.records, draft.write()))
        elif draft.used > self.closest[0][0]:
            heapq.heapreplace(self.closest, (draft.used, -self.records, draft.write()))

    @property
    def owed(self) -> int:
        """Values compared and values that stayed uncompared."""
        return self.compared + self.missed

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
