"""Owns what is known of declared keys, as data: counterparts, words, built-in values, keys without effect."""

from __future__ import annotations

from pydantic import Field

from model_contracts.hyperparameter import HyperParameter
from model_contracts.invariant import Definition
from model_contracts.outcome import Record


class Value(HyperParameter):
    """One value and its keys in each container, whatever the family; a family's own entry of that name comes first."""

    words: dict[str, str | bool] = Field(
        default_factory=dict, description="Spellings (lower case) that mean the same, to the one they are compared as."
    )
    none: tuple[int | float | bool | str, ...] = Field(
        ("none", "default"), description="Values that say the same as no declaration."
    )
    differs: dict[str, str] = Field(
        default_factory=dict, description="`general.architecture` to why its key holds another quantity."
    )
    carried: bool = Field(False, description="Losing it is an error whatever the architecture.")
    measured_only: bool = Field(
        False, description="Architectures disagree on it: a difference counts where theirs was measured."
    )
    padding: int | None = Field(None, description="What fills a list up at its end in one container.")
    reason: str | None = Field(None, description="Why an absent or computed value is what it is.")


class Idle(Record):
    """Keys that do not change what a model computes, or that another gate compares, and why."""

    config: tuple[str, ...] = Field((), description="Patterns of dotted keys of config.json.")
    generation_config: tuple[str, ...] = Field((), description="Patterns of keys of generation_config.json.")
    gguf: tuple[str, ...] = Field((), description="Patterns of GGUF keys, the architecture spelled `{arch}`.")
    apr: tuple[str, ...] = Field((), description="Patterns of .apr metadata keys.")
    across: bool = Field(False, description="Only between two containers; two of one kind still have to agree.")
    reason: str


class BuiltIn(Record):
    """What llama.cpp computes for an architecture without a key, and what transformers assumes where none is set."""

    key: str = Field(description="Dotted key of config.json.")
    architectures: tuple[str, ...] = Field((), description="`general.architecture`; none: all that are measured.")
    values: tuple[int | float | bool | str | None, ...]


class Keys(Definition):
    """The table of declared values."""

    title: str
    values: dict[str, Value]
    idle: tuple[Idle, ...] = ()
    built_in: tuple[BuiltIn, ...] = ()
    defaults: dict[str, int | float | bool | str] = Field(
        default_factory=dict,
        description="Dotted key of config.json or generation_config.json to what readers assume.",
    )
    per_layer: tuple[str, ...] = Field((), description="Keys whose lists have one entry a layer.")
    floats: tuple[str, ...] = Field(
        (), description="GGUF keys without their architecture that hold a number of 32 bits with a fraction."
    )
    texts: tuple[str, ...] = Field(
        (), description="Those that hold a word; the rest hold whole numbers, or yes and no."
    )
    lengths: dict[str, int] = Field(
        default_factory=dict, description="Those that hold a list of one length, filled up with its line's padding."
    )
    measured: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="`general.architecture` to the keys that its conversion by llama.cpp writes."
    )
