"""Owns what a gate of a qualification is: a function from the workshop and a scenario to comparisons."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from model_contracts.checks.interface import Where
from model_contracts.invariant import Gate, Invariant
from model_contracts.outcome import Comparison, Force, Outcome, Record, Scenario, Uncompared
from model_contracts.qualification.chains import Chain

if TYPE_CHECKING:
    from model_contracts.qualification.matrix import Settled
    from model_contracts.qualification.workshop import Workshop


@dataclass(frozen=True, slots=True)
class QualificationStep:
    """One gate in one scenario."""

    gate: Gate
    invariant: Invariant
    force: Force
    parameters: Record
    where: Where
    scenario: Scenario
    #: The artifacts it looks at; what nobody looks at any more is taken away.
    chains: tuple[Chain, ...]

    @property
    def key(self) -> str:
        """What a step is called in the journal: its gate and its scenario."""
        scenario = self.scenario
        parts = (self.gate.id, scenario.format, scenario.modality, scenario.backend, ">".join(scenario.chain))
        return " ".join(part for part in parts if part)


@dataclass(slots=True)
class Seeing:
    """What a gate may add to its comparisons."""

    metrics: dict[str, float] = field(default_factory=dict)
    #: The artifact that it was about, by the chain that made it; the source where none is set.
    subject: Chain | None = None
    against: Chain | None = None
    #: An outcome that was concluded elsewhere and stands as it is (a gate of an invariant).
    concluded: Outcome | None = None


@dataclass(frozen=True, slots=True)
class GateKind:
    """A kind of gate: its parameters, the scenarios it is evaluated in, and the comparisons."""

    parameters: type[Record]
    run: Callable[[Workshop, QualificationStep, Any, Seeing], Iterator[Comparison | Uncompared]]
    #: Scenarios with the chains of artifacts that each looks at.
    scenarios: Callable[[Settled, Any], Iterator[tuple[Scenario, tuple[Chain, ...]]]]
