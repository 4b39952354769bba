"""Owns one artifact of a run: what it is held to, and what was seen of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_contracts.checks.interface import Examination
from model_contracts.engine.plan import CheckRequest, Plan
from model_contracts.engine.record import digested
from model_contracts.outcome import ArtifactRecord, Evidence, Outcome

if TYPE_CHECKING:
    from model_contracts.tables import TensorTable


@dataclass(slots=True)
class Examined:
    """One artifact of a run, what it is held to, and what was seen of it."""

    request: CheckRequest
    plan: Plan
    examination: Examination
    outcomes: dict[int, Outcome]
    #: The target's record, and the source's where there is one; None: not all is known yet.
    records: tuple[ArtifactRecord, ...] | None = None
    #: Its tensors, where somebody wants them and its bytes were read.
    table: TensorTable | None = None

    @property
    def evidence(self) -> Evidence:
        """The outcomes in the order of the plan, each with the digests of what it stands on."""
        outcomes = [self.outcomes[at] for at in sorted(self.outcomes)]
        return tuple(digested(outcome, self.records or ()) for outcome in outcomes)
