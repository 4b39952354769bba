"""Owns what is known of an architecture, as data: names, symbolic shapes, and how each convention stores weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol

from pydantic import Field, model_validator

from model_contracts.hyperparameter import HyperParameter
from model_contracts.invariant import Definition, Name
from model_contracts.outcome import Record

Dimension = tuple[str | int, ...]  # a product of hyper-parameter names and numbers
Size = str | int


class LayoutStep(Record):
    """One step from a logical weight to what is stored; one field is set. `ternarise` alone has no way back."""

    rows_within_heads: Size | None = Field(
        None, description="Rows of this many heads, each from two halves to pairs (llama.cpp's rotary order)."
    )
    transpose: Literal[True] | None = Field(None, description="The last two axes are exchanged.")
    split: Size | None = Field(None, description="The first axis becomes two: this many, and what is left of it.")
    insert_axis: int | None = Field(None, description="An axis of 1 before this one (-1: behind the last).")
    tile: tuple[Size, Size] | None = Field(
        None,
        description="Axis 0 as [a, b, rest] becomes [b, a, rest]: heads of groups one after another, not together.",
    )
    tile_columns: tuple[Size, Size] | None = Field(None, description="The same of the last axis.")
    cut_columns: tuple[Size, ...] | None = Field(None, description="The last axis becomes several of these sizes.")
    add: float | None = Field(None, description="This number is added to every value.")
    scale: str | float | None = Field(
        None,
        description="Every value is multiplied by this: a number, or a hyper-parameter (`name.1`: its second).",
    )
    negative_exp: Literal[True] | None = Field(None, description="x becomes -exp(x).")
    ternarise: Literal[True] | None = Field(
        None, description="x becomes -s, 0 or s, the nearest, with s the mean of the magnitudes of the whole tensor."
    )

    @model_validator(mode="after")
    def _one(self) -> LayoutStep:
        if (said := len(self.model_fields_set)) != 1:
            raise ValueError(f"a step says one thing, not {said}")
        return self


class Fused(Record):
    """One stored tensor that holds several logical weights, each with its own steps done."""

    of: tuple[str, ...] = Field(min_length=1, description="Logical weights, `{n}` for the layer, in order.")
    axis: int = Field(0, description="The axis along which they stand one behind another.")
    groups: Dimension = Field(
        (), description="How many groups the axis is cut into, a piece of each weight in each; none: one after another."
    )
    steps: tuple[LayoutStep, ...] = Field((), description="What is done to the whole.")
    presence: Literal["required", "optional"] = "required"


class Spelled(Record):
    """A logical weight under another name than its convention's own, and what is done to it there."""

    key: str = Field(description="The logical weight.")
    steps: tuple[LayoutStep, ...] = Field((), description="From its shape to how it is stored; those, and no other.")


class Dialect(Record):
    """How some files of a convention name and store weights otherwise: Meta's own, MLX's, older GGUF files."""

    of: Literal["huggingface", "gguf"]
    alone: bool = Field(False, description="No other name of the convention stands beside these.")
    names: dict[str, Spelled] = Field(
        default_factory=dict, description="Stored names; with `{e}` a tensor for each index of axis 0."
    )
    fused: dict[str, Fused] = Field(
        default_factory=dict, description="Stored tensors of several weights, to which nothing is done before."
    )


class Layers(Record):
    """Which layers a weight stands in; what is given all holds."""

    first: Size | None = Field(None, description="The first of them (a number or a hyper-parameter).")
    before: Size | None = Field(None, description="They are below this one.")
    every: Size | None = Field(None, description="Of each so many layers the last.")
    not_every: Size | None = Field(None, description="Of each so many layers all but the last.")
    where: str | None = Field(None, description="A hyper-parameter with one value (or letter) a layer …")
    has: tuple[str | int | bool, ...] = Field((), description="… that is one of these.")
    zero: tuple[str, ...] = Field((), description="Hyper-parameters: where one has one value a layer, that is 0.")
    positive: tuple[str, ...] = Field((), description="The same, and it is not 0.")
    at: tuple[Size, Size] | None = Field(
        None, description="Of each so many layers (the second) the one with this number (the first, from 0)."
    )
    not_at: tuple[Size, Size] | None = Field(None, description="Of each so many layers all but the one at this number.")
    listed: str | None = Field(None, description="A hyper-parameter that lists them by number.")


class FamilyTensor(Record):
    """One tensor (or one a layer, `{n}`) of an architecture."""

    huggingface: str | None = Field(
        None,
        description="Its Hugging Face name, `{n}` for the layer; with `{e}` a tensor for each index of axis 0 (an "
        "expert). None: it only stands in a fused one.",
    )
    names: tuple[str, ...] = Field((), description="Other Hugging Face names that files of the family bear.")
    numbered_by: str | None = Field(
        None,
        description="A hyper-parameter that lists layers by number: `{n}` in a Hugging Face name is a place in it.",
    )
    named_beside: dict[str, str] = Field(
        default_factory=dict,
        description="Another weight to the one of those names that it bears where that weight stands beside it.",
    )
    shape: tuple[Dimension, ...] = Field(description="Row-major; each axis is a product of hyper-parameters.")
    huggingface_steps: tuple[LayoutStep, ...] = Field((), description="From this shape to how Hugging Face stores it.")
    gguf_steps: tuple[LayoutStep, ...] = Field((), description="From this shape to how GGUF stores it.")
    layers: Layers | None = Field(None, description="The layers that have it (null: all).")
    presence: Literal["required", "optional", "unless_tied"] = "required"
    only: Literal["huggingface", "gguf"] | None = Field(
        None, description="The one convention that stores it: a converter to the other leaves it out."
    )
    gguf_key: str | None = Field(
        None,
        description="The key under which a GGUF has its one value, in a list with one a layer, in place of a tensor.",
    )
    required_by: str | None = Field(None, description="A config.json flag that makes it required.")
    vocabulary_rows: bool = Field(False, description="Rows are tokens: more rows than tokens is padding, not an error.")
    may_be_constant: bool = Field(False, description="One value in every place is legitimate (a norm of ones).")
    may_be_zero: bool = Field(False, description="All zeros is legitimate (a bias never trained).")

    @property
    def heads(self) -> Size | None:
        """The heads within which llama.cpp stores the rows permuted, where that is all that it does to them."""
        steps = self.gguf_steps
        return steps[0].rows_within_heads if len(steps) == 1 and not self.huggingface_steps else None

    @property
    def plain(self) -> bool:
        """Whether each convention stores it as one tensor, in this shape, its rows in one order or the other."""
        return self.alike or (self._one_here and self.heads is not None)

    @property
    def alike(self) -> bool:
        """Whether each convention stores it as one tensor with the same values in the same order."""
        return self._one_here and not self.gguf_steps

    @property
    def _one_here(self) -> bool:
        """Whether Hugging Face stores it as one tensor, in this shape."""
        return self.huggingface is not None and "{e}" not in self.huggingface and not self.huggingface_steps


class Family(Definition):
    """One architecture: what its files are called, what they hold, and what a converter may do to them."""

    title: str
    extends: Name | None = None
    abstract: bool = Field(False, description="Only a base for others.")
    architectures: tuple[str, ...] = Field((), description="Hugging Face classes.")
    model_types: tuple[str, ...] = Field((), description="config.json `model_type`, .apr `architecture`.")
    gguf: tuple[str, ...] = Field((), description="`general.architecture` of its GGUF files.")
    not_with: tuple[str, ...] = Field(
        (), description="GGUF keys that, declared above 0, mean another architecture under the same word."
    )
    only_with: tuple[str, ...] = Field(
        (), description="GGUF keys that, declared above 0, mean this architecture and no other of the same word."
    )
    only_with_tensors: tuple[str, ...] = Field(
        (), description="GGUF tensors without which another architecture of the same word is meant."
    )
    not_where: dict[str, tuple[str | int | bool, ...]] = Field(
        default_factory=dict,
        description="config.json values that mean another architecture under the same class (none: any above 0).",
    )
    only_where: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Words of config.json (dotted paths) of which one must stand there; an empty one: where none does.",
    )
    runs_without_config: bool = Field(
        False,
        description="Whether its class of transformers was built from what a GGUF or .apr declares, and answers so.",
    )
    next_token: bool = Field(True, description="Whether it gives a distribution of the next token: encoders do not.")
    base_prefix: str = Field(
        "model.", description="What Hugging Face names begin with, and a base model saved alone leaves out."
    )
    hyperparameters: dict[str, HyperParameter] = Field(default_factory=dict)
    tensors: dict[str, FamilyTensor | None] = Field(
        default_factory=dict, description="By GGUF name; null takes a tensor of the base away."
    )
    fused: dict[Literal["huggingface", "gguf"], dict[str, Fused | None]] = Field(
        default_factory=dict, description="By convention and stored name: tensors that hold several weights."
    )
    dialects: dict[str, Dialect | None] = Field(
        default_factory=dict, description="Other ways to store it, by name; a file whose names are of one is read so."
    )
    converter_only: tuple[str, ...] = Field((), description="GGUF names a converter adds from the config (rope_freqs).")
    computed: tuple[str, ...] = Field(
        (), description="Ends of the names of buffers that readers compute: a file loses nothing without them."
    )


class Families(Protocol):
    """Families that can be asked for; one that nobody asks for need not be read."""

    def saying(self, word: str) -> Iterable[Family]:
        """Every family that bears a word (a class, a model type, a GGUF architecture), and maybe others."""

    def called(self, name: str) -> Family:
        """The family of an id."""
