"""Owns sequential stopping: positions are taken until a bound is kept or broken at a stated confidence, no further."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import erf, log, log1p, sqrt
from typing import Literal

import numpy as np

from model_contracts.inference.measures import Agreement

State = Literal["kept", "broken", "open"]


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

    def state(self) -> State:
        """Whether both bounds are settled at the confidence asked for."""
        states = (self._divergence(), self._top1())
        if "broken" in states:
            return "broken"
        return "kept" if states == ("kept", "kept") else "open"

    def _divergence(self) -> State:
        """The mean's one-sided confidence interval (normal) against its bound."""
        if self.count < 16:
            return "open"
        spread = float(np.std(self.divergence)) / sqrt(self.count)
        reach = _normal_quantile(self.bounds.confidence) * spread
        if self.mean + reach <= self.bounds.divergence:
            return "kept"
        return "broken" if self.mean - reach > self.bounds.divergence else "open"

    def _top1(self) -> State:
        """How likely the true share is at or above its bound, by the Beta posterior of a uniform prior."""
        if self.count < 16:
            return "open"
        above = beta_above(self.bounds.top1, self.same + 1, self.count - self.same + 1)
        if above >= self.bounds.confidence:
            return "kept"
        return "broken" if above <= 1.0 - self.bounds.confidence else "open"


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
