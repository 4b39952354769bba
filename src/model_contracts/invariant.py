"""Owns what an invariant is: a statement that must hold, the gates it is reported under, and the check of each gate."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue, PrivateAttr

from model_contracts.outcome import FaultClass, Record

#: What a person calls something: any text without control characters (spaces, dots, signs and all letters are names).
Name = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=200)]
GateId = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]*(-[A-Za-z0-9]+)+$", max_length=60)]


class Definition(Record):
    """Anything that YAML defines. It knows the file it came from and the line of each of its values."""

    #: Values that are names: `id: 2024` or `size: 1.10` needs no quotes to be the text that it looks like.
    NAMES: ClassVar[tuple[tuple[str, ...], ...]] = (("id",),)

    id: Name = Field(description="Of a shipped one: the path of its file below its folder, without `.yaml`.")
    _origin: Origin | None = PrivateAttr(None)

    def where(self, *pointer: str | int) -> str:
        """`file:line` of a value, of the nearest value above it that has a line, or of the definition."""
        return self._origin.where(*pointer) if self._origin else self.id


class Origin:
    """The file of a definition and the line of each value, by its path of keys and indices."""

    def __init__(self, file: str, lines: dict[tuple[str | int, ...], int], digest: str) -> None:
        self.file, self.lines, self.digest = file, lines, digest

    def where(self, *pointer: str | int) -> str:
        """`file:line`; falls back to the nearest enclosing value."""
        for end in range(len(pointer), -1, -1):
            if (line := self.lines.get(pointer[:end])) is not None:
                return f"{self.file}:{line}"
        return self.file


class Guard(Record):
    """A fault that a gate is there to see, and the bound at which it would see it no more."""

    fault: str = Field(description="The fault, as `catches` or a page of measurements tells it.")
    parameter: tuple[str, ...] = Field(min_length=1, description="The bound: keys into the gate's parameters.")
    passes_at: float = Field(description="The bound at which the fault passes; the gate's own lies on the other side.")


class Gate(Record):
    """The stable id of an outcome, and the check that decides it."""

    id: GateId
    title: str = Field(description="What holds when the gate is green, in one line.")
    check: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")] = Field(description="Kind of check (`contracts list`).")
    parameters: dict[str, JsonValue] = Field(default_factory=dict, description="Typed by the kind of check.")
    fault: FaultClass | None = Field(None, alias="class", description="In place of its invariant's class.")
    guards: tuple[Guard, ...] = Field(
        (), description="Faults it is there to see: contracts lint holds clauses to them."
    )


class Invariant(Definition):
    """A statement that must hold, with one gate a way of looking at it."""

    version: int = Field(1, ge=1, description="Raised when a verdict may change; part of the seed of generated inputs.")
    title: str
    statement: str = Field(description="What must hold, in a sentence a maintainer can act on.")
    subject: Literal["artifact", "pair", "qualification"]
    fault: FaultClass = Field(
        "unknown", alias="class", description="What kind of fault it is where it does not hold: scripts act on it."
    )
    classes: dict[str, FaultClass] = Field(
        default_factory=dict, description="The same, by measure that does not hold, or by why it was skipped."
    )
    gates: tuple[Gate, ...] = Field(min_length=1)
    parameters: dict[str, JsonValue] = Field(default_factory=dict, description="Shared by every gate that knows them.")
    catches: tuple[str, ...] = Field((), description="Faults that shipped and that this sees, with their source.")
    sources: tuple[str, ...] = Field((), description="Specification sections, papers, measurements.")


class Pinned(Record):
    """An input on which a property once did not hold, or is known to be hard to hold."""

    check: Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")] = Field(description="The property whose input it is.")
    input: JsonValue = Field(description="As a counterexample stores it in the evidence.")
    why: str | None = Field(None, description="Where it was met.")


class Corpus(Definition):
    """The inputs of one invariant's properties that run before anything is generated."""

    invariant: Name
    inputs: tuple[Pinned, ...] = Field(min_length=1)

    def of(self, check: str) -> tuple[JsonValue, ...]:
        """The inputs of one property."""
        return tuple(pinned.input for pinned in self.inputs if pinned.check == check)
