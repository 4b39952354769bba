"""Owns how a binary reader tells its ledger: what failed with its place, what held by count, what ended the reading."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from model_contracts.ledger import KEPT, Ledger, Topic
from model_contracts.outcome import Place

#: Names are cut to this many characters in a place.
_SHOWN = 400
#: Said where a count or a length passes a bound of ours that the format does not set.
OURS = "(a bound of this reader, not of the format)"


class HeaderRefused(Exception):
    """Nothing past this point of the file can be read: the comparison that failed, for the ledger."""

    def __init__(
        self,
        measure: str,
        expected: object,
        observed: object,
        offset: int | None = None,
        *,
        topic: Topic = "format",
        note: str | None = None,
    ) -> None:
        super().__init__(measure)
        self.measure, self.expected, self.observed, self.offset = measure, expected, observed, offset
        self.topic, self.note = topic, note


@dataclass(slots=True)
class FormatTally:
    """A ledger with the specification its comparisons come from; violations past the kept ones cost only a count."""

    ledger: Ledger
    specification: str

    def compare(
        self,
        topic: Topic,
        measure: str,
        holds: bool,
        expected: object,
        observed: object,
        *,
        tensor: str | None = None,
        key: str | None = None,
        offset: int | None = None,
        note: str | None = None,
    ) -> bool:
        """Record one comparison and say whether it held."""
        if holds:
            self.ledger.held[topic, measure] += 1
            return True
        if self.ledger.violated[topic, measure] >= KEPT:
            self.ledger.violated[topic, measure] += 1
            return False
        place = Place(tensor=tensor and tensor[:_SHOWN], key=key and key[:_SHOWN], offset=offset)
        source = self.specification
        self.ledger.compare(
            topic, measure, False, expected=expected, observed=observed, place=place, note=note, source=source
        )
        return False

    def hold(self, topic: Topic, measure: str, count: int) -> None:
        """Count comparisons that held, at once."""
        if count > 0:
            self.ledger.held[topic, measure] += count

    def hold_rest(self, topic: Topic, measure: str, count: int) -> None:
        """Count those of `count` comparisons that were not recorded as violated."""
        self.hold(topic, measure, count - self.ledger.violated[topic, measure])

    @contextmanager
    def refusals(self) -> Iterator[None]:
        """Record a refusal that ends the block, and go on after it."""
        try:
            yield
        except HeaderRefused as refused:
            self.compare(
                refused.topic,
                refused.measure,
                False,
                refused.expected,
                refused.observed,
                offset=refused.offset,
                note=refused.note,
            )
