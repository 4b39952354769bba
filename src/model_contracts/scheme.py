"""Owns how a weight may be stored as several tensors, as data: what shows it, its parts, their shapes, its settings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from model_contracts.invariant import Definition
from model_contracts.outcome import Record

Value = str | int | float | bool | None
#: Conditions on settings or on keys of a configuration: each has one of the values (null: not set).
When = dict[str, tuple[Value, ...]]
#: One axis: a product of names and numbers, divided by others, rounded up (`I*bits/32`, `I/group`, `1`).
#: O and I are the rows and columns of the weight, N its values; `width` is the bytes of one stored element.
Axis = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+(\*[A-Za-z0-9_]+)*(/[A-Za-z0-9_]+)*$", max_length=60)]


#: What a part is to the decoder; the first part of a layout is `values` without saying it.
Role = Literal[
    "values",
    "scale",
    "zero",
    "offset",
    "global",
    "order",
    "codebook",
    "nested",
    "nested_codebook",
    "inputs",
    "residual",
    "mask",
    "offsets",
]


class PartShape(Record):
    """One shape that a part may have; axes before it (experts) are those of the weight."""

    axes: tuple[Axis, ...]
    when: When = Field(default_factory=dict, description="Settings under which it may have this shape.")


class WeightPart(Record):
    """One stored tensor of a weight."""

    names: tuple[str, ...] = Field(
        min_length=1, description="What follows the module's name, separator and all; alternatives."
    )
    types: tuple[str, ...] = Field((), description="Element types it may have (none: any).")
    shapes: tuple[PartShape, ...] = Field((), description="Shapes it may have (none: any, and nothing is said of it).")
    role: Role | None = Field(None, description="What it is to the decoder (none: nothing).")
    optional: bool = Field(False, description="A weight is complete without it.")
    unless: When = Field(default_factory=dict, description="Settings under which a weight is complete without it.")
    signed: bool = Field(False, description="A scale whose numbers may be of either sign.")
    fused: bool = Field(False, description="Readers that fuse q, k and v (gate and up) take one number of it for all.")


class Setting(Record):
    """One number or word that says how a weight is packed."""

    keys: tuple[str, ...] = Field(description="Dotted paths in the configuration; the first that is set counts.")
    default: Value = None
    only: tuple[Value, ...] = Field((), description="Values that the layout can have at all (none: any).")
    choices: tuple[Value, ...] = Field((), description="Values that are tried to explain shapes that do not fit.")
    state: str | None = Field(
        None, description="Dotted path in what the weight says of itself, which counts before keys; `?`: is it there."
    )


class StoredShape(Record):
    """The part that holds the shape of the weight, and in which form.

    `metadata` is no part: the entry of the weight's name in `__metadata__` of its file; the values give its shape.
    """

    part: str = ""
    form: Literal["integers", "json", "metadata"]


class StorageLayout(Record):
    """One way of storing a weight: the first part holds the values."""

    title: str = Field(description="What the layout is called; settings in braces.")
    when: When = Field(default_factory=dict, description="Keys of the configuration that declare this layout.")
    weight: str = Field(".weight", description="What follows the module's name in the name of the weight.")
    signs: tuple[str, ...] = Field((), description="Parts whose presence shows the layout without any configuration.")
    settings: dict[str, Setting] = Field(default_factory=dict)
    shape: StoredShape | None = None
    turned: bool = Field(False, description="What it unpacks to has the last two axes of the weight exchanged.")
    parts: tuple[WeightPart, ...] = Field(min_length=1)
    decoder: str | None = Field(
        None, description="What of `sweep/schemes` decodes it (none: values are not evaluated)."
    )


#: How an entry of a list of modules names them: the module itself, any part of its dotted path, a shell pattern.
Naming = Literal["exact", "inside", "glob"]


#: Kinds of modules that are no linear layer between others.
Stays = Literal["embedding", "head", "router"]


class Scheme(Definition):
    """What one writer of quantised files does: how its configuration is known, and its layouts."""

    title: str
    methods: tuple[str, ...] = Field(description="Values of quant_method.")
    ignore: tuple[str, ...] = Field((), description="Keys that list modules which stay as they are.")
    naming: Naming = "inside"
    groups: str | None = Field(None, description="The key of named groups, each with targets and settings of its own.")
    modules: tuple[str, ...] = Field((), description="Keys of objects that give single modules settings of their own.")
    every_linear: bool = Field(
        False, description="Readers expect every linear layer packed that no list names; others go by what is there."
    )
    self_described: bool = Field(False, description="The parts say all that a reader needs; no configuration is owed.")
    stays: tuple[Stays, ...] = Field((), description="Modules that its writers leave as they are.")
    cache: tuple[str, ...] = Field(
        (), description="Keys that promise scales of the key-value cache where they are set."
    )
    dense: When = Field(default_factory=dict, description="Keys of the configuration that say nothing is packed.")
    beside: tuple[str, ...] = Field((), description="Ends of names of tensors that belong to it and to no weight.")
    layouts: dict[str, StorageLayout] = Field(min_length=1)

    @model_validator(mode="after")
    def _signs_are_parts(self) -> Scheme:
        for name, layout in self.layouts.items():
            known = {end for part in layout.parts for end in part.names}
            for sign in (*layout.signs, *([layout.shape.part] if layout.shape and layout.shape.part else [])):
                if sign not in known:
                    raise ValueError(f"{name}: {sign} is none of its parts ({', '.join(sorted(known))})")
        return self
