"""Owns what exceptions are: waivers that a person answers for, and a baseline of what did not hold before."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar

from pydantic import Field

from model_contracts.invariant import GateId
from model_contracts.outcome import Record, Scenario

#: What a waiver is for: contents, so that a renamed file keeps it and another file of that name does not.
Fingerprint = Annotated[str, Field(pattern=r"^blake3:[0-9a-f]{64}$")]
_Said = Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S")]


class Waiver(Record):
    """One exception: an outcome of this gate on this subject leaves the decision alone, until the day it expires."""

    gate: GateId = Field(description="One gate: no pattern.")
    subject: Fingerprint = Field(description="The fingerprint of the artifact, as run.json and the reports have it.")
    reason: _Said = Field(description="Why it is let through.")
    owner: _Said = Field(description="Who answers for it.")
    expires: date = Field(description="The last day on which it holds, YYYY-MM-DD.")


class Waivers(Record):
    """waivers.yaml."""

    NAMES: ClassVar[tuple[tuple[str, ...], ...]] = ()

    waivers: tuple[Waiver, ...] = Field(max_length=10_000)


class KnownFault(Record):
    """One outcome that did not hold; it is known again by gate, role and content, not by the name of a file."""

    gate: str
    invariant: str
    scenario: Scenario | None = None
    subject: Fingerprint | None = Field(None, description="Of the artifact it was met on.")
    violated: int = Field(ge=0, description="Comparisons that did not hold.")
    faults: tuple[Annotated[str, Field(pattern="^[0-9a-f]{32}$")], ...] = Field(
        description="Fingerprints of the violated comparisons that were listed: gate, place, expected, observed."
    )
    said: str = Field(max_length=1000, description="What it was, for people.")


class Baseline(Record):
    """baseline.json."""

    tool: str
    version: str
    recorded: date
    faults: tuple[KnownFault, ...] = Field(max_length=100_000)
