"""Owns the ledger a reader keeps while it parses: what it compared, by topic, and what did not hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from model_contracts.outcome import Comparison, Place, jsonable

#: format: the container's own grammar. sizes: bytes owed against bytes there. names: tensor and key names.
#: dtypes: every element type known. shards: index, shard headers and files. portability: valid by the
#: specification but refused by a reference reader, or the reverse.
Topic = Literal["format", "sizes", "names", "dtypes", "shards", "portability"]

#: Violations kept a topic and measure; the rest is counted (a hostile header can violate a million times).
KEPT = 20


@dataclass(slots=True)
class Ledger:
    """Comparisons by topic: those that held are tallied, those that did not are kept (the first 20 a measure)."""

    held: Counter[tuple[Topic, str]] = field(default_factory=Counter)
    violated: Counter[tuple[Topic, str]] = field(default_factory=Counter)
    violations: list[tuple[Topic, Comparison]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def compare(
        self,
        topic: Topic,
        measure: str,
        holds: bool,
        *,
        expected: Any = None,
        observed: Any = None,
        place: Place | None = None,
        note: str | None = None,
        source: str | None = None,
    ) -> bool:
        """Record one comparison and say whether it held. `source` names the specification section."""
        if holds:
            self.held[topic, measure] += 1
            return True
        self.violated[topic, measure] += 1
        if self.violated[topic, measure] <= KEPT:
            comparison = Comparison(
                measure=measure,
                place=place or Place(),
                expected=jsonable(expected),
                observed=jsonable(observed),
                holds=False,
                note=note,
                bound_from=source,
            )
            self.violations.append((topic, comparison))
        return False

    def note(self, text: str) -> None:
        """Say a fact that is no failure (a missing footer, an output head of 0 bytes)."""
        self.notes.append(text)

    def merge(self, other: Ledger) -> None:
        """Take in what another reader recorded (one shard of a set)."""
        self.held.update(other.held)
        self.violated.update(other.violated)
        self.violations.extend(other.violations)
        self.notes.extend(other.notes)

    def comparisons(self, topic: Topic) -> Iterator[Comparison]:
        """Yield the violations of a topic, then one record a measure for what held, with its count."""
        for at, comparison in self.violations:
            if at == topic:
                beyond = self.violated[topic, comparison.measure] - KEPT
                yield comparison
                if beyond > 0 and comparison is self._last(topic, comparison.measure):
                    yield comparison.model_copy(update={"count": beyond, "note": f"and {beyond:,} more like it"})
        for (at, measure), count in self.held.items():
            if at == topic:
                yield Comparison(measure=measure, holds=True, count=count, expected="holds", observed="holds")

    def _last(self, topic: Topic, measure: str) -> Comparison:
        return [c for at, c in self.violations if at == topic and c.measure == measure][-1]
