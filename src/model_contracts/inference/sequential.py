"""Owns sequential stopping: positions are taken until a bound is kept or broken at a stated confidence, no further."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import erf, log, log1p, sqrt
from typing import Literal

import numpy as np

from model_contracts.inference.measures import Agreement

State = Literal["kept", "broken", "open"]

#: Positions under which no verdict is settled.
_FEWEST = 16


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one bucket of positions is held to, and how sure the verdict must be."""

    divergence: float
    divergence_99: float
    top1: float
    confidence: float


@dataclass(slots=True)
class Settling:
    """The positions of one bucket so far."""

    bounds: Bounds
    divergence: list[float] = field(default_factory=list)
    same: int = 0
    nmse: float = 0.0

    def take(self, agreement: Agreement, first: int, last: int) -> None:
        """Add the positions `first` to `last` (exclusive) of one prompt."""
        self.divergence += agreement.divergence[first:last].tolist()
        self.same += int(agreement.same_top[first:last].sum())
        self.nmse += float(agreement.nmse[first:last].sum())

    @property
    def count(self) -> int:
        """Positions taken."""
        return len(self.divergence)

    @property
    def mean(self) -> float:
        """Mean KL divergence, nats."""
        return float(np.mean(self.divergence)) if self.divergence else 0.0

    @property
    def high(self) -> float:
        """99th percentile of the KL divergence, nats."""
        return float(np.quantile(self.divergence, 0.99)) if self.divergence else 0.0

    @property
    def top1(self) -> float:
        """Share of positions with the same likeliest token."""
        return self.same / self.count if self.count else 0.0

    @property
    def mean_nmse(self) -> float:
        """Mean NMSE of the logits."""
        return self.nmse / self.count if self.count else 0.0

    def divergence_state(self) -> State:
        """The mean's one-sided confidence interval (normal) against its bound."""
        if self.count < _FEWEST:
            return "open"
        spread = float(np.std(self.divergence)) / sqrt(self.count)
        reach = _normal_quantile(self.bounds.confidence) * spread
        if self.mean + reach <= self.bounds.divergence:
            return "kept"
        return "broken" if self.mean - reach > self.bounds.divergence else "open"

    def top1_state(self) -> State:
        """How likely the true share is at or above its bound, by the Beta posterior of a uniform prior."""
        if self.count < _FEWEST:
            return "open"
        above = beta_above(self.bounds.top1, self.same + 1, self.count - self.same + 1)
        if above >= self.bounds.confidence:
            return "kept"
        return "broken" if above <= 1.0 - self.bounds.confidence else "open"


class Buckets:
    """Positions by how far into a prompt they are; faults of rotary positions show only far in.

    Settled as kept: the mean divergence of every bucket that was reached, and the top-1 agreement of all positions
    together (a share of 99.5 % takes 918 agreeing positions at 99 % confidence). Settled as broken: either, in any.
    """

    def __init__(self, bounds: Bounds, edges: tuple[int, ...]) -> None:
        self.edges = edges
        self.all = Settling(bounds)
        self.each = {name: Settling(bounds) for name in self._names()}

    def _names(self) -> list[str]:
        starts = (1, *(edge + 1 for edge in self.edges))
        return [f"{a}-{b}" for a, b in zip(starts, self.edges, strict=False)] + [f"{starts[-1]}-"]

    def take(self, agreement: Agreement, start: int = 0) -> None:
        """Add the positions of one piece of a prompt; the piece begins at position `start`."""
        edges = (0, *self.edges, start + agreement.positions)
        for name, first, last in zip(self.each, edges, edges[1:], strict=False):
            a, b = max(first - start, 0), min(last - start, agreement.positions)
            if a < b:
                self.each[name].take(agreement, a, b)
        self.all.take(agreement, 0, agreement.positions)

    def state(self) -> State:
        """Whether the verdict is settled."""
        reached = [bucket for bucket in self.each.values() if bucket.count]
        divergence = {bucket.divergence_state() for bucket in reached}
        if "broken" in divergence or "broken" in {bucket.top1_state() for bucket in (self.all, *reached)}:
            return "broken"
        return "kept" if divergence == {"kept"} and self.all.top1_state() == "kept" else "open"


def beta_above(share: float, a: int, b: int) -> float:
    """P(X > share) for X ~ Beta(a, b) with whole a, b: a binomial sum (P of fewer than a successes in a + b - 1)."""
    if not 0.0 < share < 1.0:
        return float(share <= 0.0)
    n = a + b - 1
    term = n * log1p(-share)
    total = 0.0
    scale = log(share) - log1p(-share)
    logs = [term]
    for k in range(1, a):
        term += log((n - k + 1) / k) + scale
        logs.append(term)
    highest = max(logs)
    total = sum(np.exp(np.array(logs) - highest))
    return float(min(1.0, np.exp(highest) * total))


def _normal_quantile(confidence: float) -> float:
    """z with P(Z <= z) = confidence, by bisection (1e-6)."""
    low, high = 0.0, 10.0
    while high - low > 1e-6:
        middle = (low + high) / 2
        if 0.5 * (1 + erf(middle / sqrt(2))) < confidence:
            low = middle
        else:
            high = middle
    return high
