"""Owns what a contract is: a list of clauses, each an invariant with its force and its parameters."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, JsonValue, model_validator

from model_contracts.invariant import Definition, GateId, Name
from model_contracts.outcome import Force, Record


class Clause(Record):
    """One invariant inside a contract."""

    invariant: Name
    force: Force = "must"
    gates: tuple[GateId, ...] = Field((), description="Only these gates of the invariant; empty: all of them.")
    parameters: dict[str, JsonValue] = Field(default_factory=dict, description="Replaces parameters of those gates.")


#: A path below the folder of the file that says it: no root, no step up, no other system's separator.
BelowHere = Annotated[str, Field(pattern=r"^[^/\\\x00-\x1f:][^\\\x00-\x1f:]*$", max_length=300)]


class ArtifactEntry(Record):
    """What one model of a repository is held to, when `contracts check` finds that a branch touched it."""

    file: Annotated[str, Field(pattern=r"^[^*\\\x00-\x1f]*(\*[^*\\\x00-\x1f]*){0,8}$", max_length=300)] = Field(
        description="Its path from the folder of this file; * is any run of characters."
    )
    against: BelowHere | None = Field(None, description="The model that it was made from.")
    contract: Name | None = Field(None, description="An id, or the path of a file that ends in .yaml.")
    dtype: Name | None = Field(None, description="The element types that were asked for.")
    tokenizer: BelowHere | None = Field(None, description="The tokenizer.json that stands for the source's own.")

    @model_validator(mode="after")
    def _inside(self) -> ArtifactEntry:
        told = (self.file, self.against, self.contract, self.tokenizer)
        if any(step in ("", ".", "..") for text in told if text is not None for step in text.split("/")):
            raise ValueError("paths without steps up")
        return self


class Contract(Definition):
    """A promise about a class of artifacts."""

    title: str
    description: str = ""
    extends: tuple[Name, ...] = Field((), description="Contracts whose clauses come first.")
    clauses: tuple[Clause, ...] = ()
    artifacts: tuple[ArtifactEntry, ...] = Field(
        (),
        max_length=10_000,
        description="Of a contracts.yaml: what its models are held to when a branch touches them.",
    )
