"""Owns what serving engines take of packed weights, as data: what one refuses, or reads otherwise than meant."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from model_contracts.invariant import Definition
from model_contracts.outcome import Record
from model_contracts.scheme import When

#: The rows, the columns or the group of a weight, to what they have to be a multiple of.
Multiples = dict[Literal["O", "I", "group"], Annotated[int, Field(ge=1)]]


class EngineFact(Record):
    """One thing that an engine takes, and what it does with others; read in a file of it."""

    schemes: tuple[str, ...] = Field(min_length=1, description="Schemes it speaks of: ids without `schemes/`.")
    layouts: tuple[str, ...] = Field((), description="Their layouts (none: all of them).")
    when: When = Field(
        default_factory=dict, description="Settings, or keys of the configuration, under which it speaks."
    )
    only: When = Field(default_factory=dict, description="Settings, or keys of the configuration, and what it takes.")
    multiples: Multiples = Field(default_factory=dict, description="What sizes of a weight have to be multiples of.")
    effect: Literal["refuses", "reads otherwise"] = "refuses"
    says: str = Field(description="What happens, in words for whoever meets it.")
    file: str = Field(description="The file it was read in, and of which state.")

    @model_validator(mode="after")
    def _asks(self) -> EngineFact:
        if not self.only and not self.multiples and not self.when:
            raise ValueError("it holds of nothing: expected only, multiples, or when it refuses")
        return self


class ServingEngine(Definition):
    """One engine, the state of it that was read, and what it asks of files and of devices."""

    title: str
    version: str = Field(description="The release or the state that was read.")
    facts: tuple[EngineFact, ...] = Field(min_length=1)
    devices: dict[str, str] = Field(default_factory=dict, description="Scheme to the device that it asks for.")
