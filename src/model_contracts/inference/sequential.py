"""Owns sequential stopping: positions are taken until a bound is kept or broken at a stated confidence, no further."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, erf, log, log1p, sqrt
from typing import Literal

import numpy as np

from model_contracts.inference.measures import Agreement

State = Literal["kept", "broken", "open"]

#: Positions under which no verdict is settled.
_FEWEST = 16
#: Nats beyond which two tokens are no tie, whatever the divergence may be.
_MOST_TIE = 0.1


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one bucket of positions is held to, and how sure the verdict must be."""

    divergence: float
    divergence_99: float
    top1: float
    confidence: float
    #: Mean NMSE of the logits (None: nothing is owed).
    nmse: float | None = None

    @property
    def tie(self) -> float:
        """Nats within which the source's two likeliest tokens are taken for one.

        Logits that are off by independent amounts of standard deviation s diverge by about s * s / 2 nats: a change of
        order within that s is what the bound on the divergence allows already. Beyond a tenth of a nat it is none:
        with the 0.35 of Q4_K_M, 94 % would agree of a model with the gates of two layers swapped, and 77 % without.
        """
        return min(_MOST_TIE, sqrt(2.0 * self.divergence))

    @property
    def agreeing(self) -> int:
        """The fewest positions that settle the agreement as kept, where all of them agree."""
        return max(_FEWEST, ceil(log1p(-self.confidence) / log(self.top1)) - 1)


@dataclass(slots=True)
class Settling:
    """The positions of one bucket so far."""

    bounds: Bounds
    divergence: list[float] = field(default_factory=list)
    nmse: list[float] = field(default_factory=list)
    same: int = 0
    #: Of these, how many have one likeliest token without any tie.
    strictly: int = 0

    def take(self, agreement: Agreement, first: int, last: int) -> None:
        """Add the positions `first` to `last` (exclusive) of one prompt."""
        self.divergence += agreement.divergence[first:last].tolist()
        self.nmse += agreement.nmse[first:last].tolist()
        self.same += int(agreement.same_within(self.bounds.tie)[first:last].sum())
        self.strictly += int(agreement.same_top[first:last].sum())

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
        """Share of positions with the same likeliest token, ties included."""
        return self.same / self.count if self.count else 0.0

    @property
    def mean_nmse(self) -> float:
        """Mean NMSE of the logits."""
        return float(np.mean(self.nmse)) if self.nmse else 0.0

    def divergence_state(self) -> State:
        """The mean divergence against its bound."""
        return self._mean_state(self.divergence, self.bounds.divergence)

    def nmse_state(self) -> State:
        """The mean NMSE against its bound; kept where nothing is owed."""
        return "kept" if self.bounds.nmse is None else self._mean_state(self.nmse, self.bounds.nmse)

    def _mean_state(self, values: list[float], bound: float) -> State:
        """The mean's one-sided confidence interval (normal) against its bound."""
        if len(values) < _FEWEST:
            return "open"
        mean = float(np.mean(values))
        reach = _normal_quantile(self.bounds.confidence) * float(np.std(values)) / sqrt(len(values))
        if mean + reach <= bound:
            return "kept"
        return "broken" if mean - reach > bound else "open"

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
        means = {state for bucket in reached for state in (bucket.divergence_state(), bucket.nmse_state())}
        if "broken" in means or "broken" in {bucket.top1_state() for bucket in (self.all, *reached)}:
            return "broken"
        return "kept" if means == {"kept"} and self.all.top1_state() == "kept" else "open"

    def far_is_open(self) -> bool:
        """Whether the divergence of a bucket behind the first is not settled yet."""
        _, *far = self.each.values()
        return any(bucket.divergence_state() == "open" for bucket in far)


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
