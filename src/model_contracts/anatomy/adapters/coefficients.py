"""Owns how much of a change is in a target: the coefficient of each tensor of the base, its error, and the rest.

The target is taken as base + c x change + rest. c is the least-squares coefficient; its error is that of the rest,
which holds the rounding of the types. Where blocks are quantised a gain of the whole is fitted beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf, sqrt

from model_contracts.sweep.interface import Pairing, Projection, Sweep

#: Standard errors within which a coefficient counts as a number.
SIGMAS = 4.0


@dataclass(frozen=True, slots=True)
class Coefficient:
    """Of one tensor of the base: how often what was added is in the target, and what of the target that leaves."""

    name: str
    value: float
    #: The standard error of the coefficient.
    deviation: float
    #: RMS of the rest, and of what was added, divided by that of what is expected.
    rest: float
    change: float
    count: int
    pairings: tuple[Pairing, ...]

    def near(self, number: float, tolerance: float) -> bool:
        """Whether the coefficient is a number, within a share of it and the error."""
        return abs(self.value - number) <= tolerance * max(abs(number), 1.0) + SIGMAS * self.deviation

    @property
    def error(self) -> float:
        """The error that is told of: four standard errors."""
        return SIGMAS * self.deviation


def coefficients(sweep: Sweep, pairings: Mapping[str, Pairing]) -> Iterator[Coefficient]:
    """One for each tensor of the base that something was added to, in the order of the target."""
    sums: dict[str, Projection] = {}
    where: dict[str, list[Pairing]] = {}
    for target, found in sweep.projections.items():
        pairing = pairings[target]
        assert pairing.added is not None
        names = pairing.added.of if pairing.added.runs or len(pairing.added.of) == 1 else (pairing.added.of[0],)
        for name, one in zip(names, found, strict=False):
            sums[name] = sums[name].plus(one) if name in sums else one
            where.setdefault(name, []).append(pairing)
    for name, one in sums.items():
        quantised = any(pairing.target.kind == "quantised" for pairing in where[name])
        yield _coefficient(name, one, quantised, tuple(where[name]))


def _coefficient(name: str, sums: Projection, quantised: bool, where: tuple[Pairing, ...]) -> Coefficient:
    if sums.aa <= 0.0:
        return Coefficient(name, 0.0, inf, 0.0, 0.0, sums.count, where)
    alone = sums.aa - (sums.xa * sums.xa / sums.xx if quantised and sums.xx else 0.0)
    if quantised and sums.xx and alone > 1e-9 * sums.aa:
        less = (sums.ea - sums.xa * sums.ex / sums.xx) / alone
        gain = (sums.ex - less * sums.xa) / sums.xx
        left = sums.ee - less * sums.ea - gain * sums.ex
    else:
        alone, less = sums.aa, sums.ea / sums.aa
        left = sums.ee - less * sums.ea
    left = max(left, 0.0)
    deviation = sqrt(left / max(sums.count - 2, 1) / alone)
    scale = sums.xx or 1.0
    return Coefficient(name, 1.0 + less, deviation, sqrt(left / scale), sqrt(sums.aa / scale), sums.count, where)
