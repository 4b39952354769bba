"""Owns where each container declares a hyper-parameter, and what readers assume where none does, as data."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from model_contracts.outcome import Record

Scalar = int | float | bool | str


class Default(Record):
    """What readers assume of what is not declared: one field beside `where` (`leading`: and `value`)."""

    value: Scalar | None = None
    values: tuple[Scalar, ...] | None = Field(None, description="A list, as it is.")
    period: tuple[Scalar, ...] | None = Field(None, description="One value a layer: these, over and over.")
    same_as: str | None = Field(None, description="Another hyper-parameter.")
    quotient: tuple[str | int, str | int] | None = Field(
        None, description="The first divided by the second, where nothing is left over."
    )
    rounded_up: tuple[str | int, str | int] | None = Field(
        None, description="The first, or the next multiple of the second above it."
    )
    product: tuple[str | int | float, ...] | None = Field(
        None, description="Hyper-parameters and numbers multiplied, rounded down."
    )
    total: tuple[str | int, ...] | None = Field(None, description="Hyper-parameters and numbers added.")
    length: str | None = Field(None, description="How many values (or letters) a hyper-parameter has.")
    leading: tuple[str, Scalar] | None = Field(
        None,
        description="How many values of a hyper-parameter with one a layer are this, from the first on; where that is "
        "not declared, `value`.",
    )
    difference: tuple[str | int, str | int] | None = Field(None, description="The first less the second.")
    times: tuple[float, str] | None = Field(None, description="A number times a hyper-parameter, not rounded.")
    ratio: tuple[str, str] | None = Field(None, description="The first divided by the second, a fraction too.")
    kinds: dict[str, Scalar] | None = Field(
        None,
        description="One value a layer: that of the first of these hyper-parameters that is not 0 there; the one "
        "without a name (the last) is that of the other layers.",
    )
    numbered: tuple[str, int, Scalar, Scalar] | None = Field(
        None,
        description="One value a layer: a hyper-parameter that lists layers by number, the number of the first layer, "
        "the value of those that it lists, and that of the others.",
    )
    in_layers: tuple[str, str, tuple[Scalar, ...]] | None = Field(
        None,
        description="What a hyper-parameter with one value a layer is in the first layer that another one calls by one "
        "of these words; where either is not declared so, what else this default says.",
    )
    shown_by: tuple[str, Scalar, Scalar] | None = Field(
        None, description="A tensor, the value where the file has it, and where it has none of the name."
    )
    each_layer: dict[str, dict[str, str]] | None = Field(
        None,
        description="A hyper-parameter with one value a layer, and by its values (in lower case) another that this is.",
    )
    where: dict[str, tuple[Scalar, ...]] = Field(
        default_factory=dict, description="Only where each of these hyper-parameters is one of these values."
    )

    @property
    def parts(self) -> tuple[str, ...]:
        """The hyper-parameters that a product, a total or a difference is made of, the one that decides last."""
        made = (*(self.product or ()), *(self.total or ()), *(self.difference or ()), *(self.times or ()))
        return tuple(part for part in made if isinstance(part, str))


class HyperParameter(Record):
    """Where each container declares one hyper-parameter; the first key that is present counts."""

    config: tuple[str, ...] = Field((), description="Dotted paths in config.json.")
    gguf: tuple[str, ...] = Field((), description="Keys; `{arch}` is general.architecture.")
    apr: tuple[str, ...] = Field((), description="Metadata keys, typed name and aliases.")
    default: Default | None = Field(None, description="What every reader assumes when none is declared.")
    config_default: tuple[Default, ...] = Field(
        (), description="What transformers assumes where config.json is silent, if GGUF's reader assumes another."
    )
    gguf_default: tuple[Default, ...] = Field(
        (), description="What llama.cpp computes with where the GGUF is silent, or has no key: the first that holds."
    )
    gguf_written: Default | None = Field(
        None,
        description="What a conversion to GGUF states where the source declares none, as llama.cpp's converter does.",
    )
    enabled_by: str | None = Field(
        None, description="A config.json flag that must not be false for the value to count."
    )
    alone: str | None = Field(
        None, description="Why nothing is lost where one of two containers alone declares it: what else is compared."
    )
    unsettled: str | None = Field(
        None, description="Why it is not proven, and not lost, where readers compute with another value unasked."
    )
    unread: str | None = Field(
        None, description="Why it is not proven though a GGUF says it: llama.cpp does not read it there."
    )
    disabled_by: str | None = Field(None, description="A config.json flag that must not be true for it to count.")
    counts_where: dict[str, tuple[Scalar, ...]] = Field(
        default_factory=dict,
        description="A list of config.json that must hold one of these for the value to count.",
    )
    zero_where: dict[str, tuple[Scalar, ...]] = Field(
        default_factory=dict,
        description="A hyper-parameter with one value a layer: where that is one of these, this one is 0.",
    )
    zero_not_at: tuple[str, str] | None = Field(
        None, description="Of each so many layers (the second) it is 0 in all but the one at the first, from 0."
    )
    config_words: dict[str, Scalar] = Field(
        default_factory=dict, description="A value of a GGUF, as text in lower case, to what config.json calls it."
    )
    whole: bool = Field(False, description="A whole number in config.json, whatever a GGUF makes of it.")
    zero_but_in: str | None = Field(
        None, description="A hyper-parameter that lists layers by number: in all others it is 0."
    )
    owed: bool = Field(False, description="A converter that drops it has lost something (no default stands in).")

    def spelled(self, keys: Literal["config", "gguf", "apr"]) -> tuple[str, ...]:
        """Where a container of that kind of keys declares it."""
        found: tuple[str, ...] = getattr(self, keys)
        return found
