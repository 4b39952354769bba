"""Owns what a contract is: a list of clauses, each an invariant with its force and its parameters."""

from __future__ import annotations

from pydantic import Field, JsonValue

from model_contracts.invariant import Definition, GateId, Name
from model_contracts.outcome import Force, Record


class Clause(Record):
    """One invariant inside a contract."""

    invariant: Name
    force: Force = "must"
    gates: tuple[GateId, ...] = Field((), description="Only these gates of the invariant; empty: all of them.")
    parameters: dict[str, JsonValue] = Field(default_factory=dict, description="Replaces parameters of those gates.")


class Contract(Definition):
    """A promise about a class of artifacts."""

    title: str
    description: str = ""
    extends: tuple[Name, ...] = Field((), description="Contracts whose clauses come first.")
    clauses: tuple[Clause, ...] = ()
