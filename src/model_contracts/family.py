"""Owns what is known of an architecture and of a recipe, as data: names, symbolic shapes, row orders, types."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from model_contracts.invariant import Definition, Name
from model_contracts.outcome import Record


class Default(Record):
    """What a reader assumes when a hyper-parameter is not declared; exactly one field is set."""

    value: int | float | bool | None = None
    same_as: str | None = Field(None, description="Another hyper-parameter.")
    quotient: tuple[str, str] | None = Field(None, description="The first hyper-parameter divided by the second.")
    product: tuple[str, ...] | None = Field(None, description="Hyper-parameters multiplied, rounded down.")
    total: tuple[str, ...] | None = Field(None, description="Hyper-parameters added.")


class HyperParameter(Record):
    """Where each container declares one hyper-parameter; the first key that is present counts."""

    config: tuple[str, ...] = Field((), description="Dotted paths in config.json.")
    gguf: tuple[str, ...] = Field((), description="Keys; `{arch}` is general.architecture.")
    apr: tuple[str, ...] = Field((), description="Metadata keys, typed name and aliases.")
    default: Default | None = Field(None, description="What every reader assumes when none is declared.")
    enabled_by: str | None = Field(
        None, description="A config.json flag that must not be false for the value to count."
    )
    owed: bool = Field(False, description="A converter that drops it has lost something (no default stands in).")

    def spelled(self, keys: Literal["config", "gguf", "apr"]) -> tuple[str, ...]:
        """Where a container of that kind of keys declares it."""
        found: tuple[str, ...] = getattr(self, keys)
        return found


Dimension = tuple[str | int, ...]  # a product of hyper-parameter names and numbers


class FamilyTensor(Record):
    """One tensor (or one a layer, `{n}`) of an architecture."""

    huggingface: str = Field(description="Its Hugging Face name, `{n}` for the layer.")
    shape: tuple[Dimension, ...] = Field(description="Row-major; each axis is a product of hyper-parameters.")
    presence: Literal["required", "optional", "unless_tied"] = "required"
    required_by: str | None = Field(None, description="A config.json flag that makes it required.")
    vocabulary_rows: bool = Field(False, description="Rows are tokens: more rows than tokens is padding, not an error.")
    may_be_constant: bool = Field(False, description="One value in every place is legitimate (a norm of ones).")
    may_be_zero: bool = Field(False, description="All zeros is legitimate (a bias never trained).")
    gguf_rope_heads: str | None = Field(
        None,
        description="The hyper-parameter that counts the heads within which llama.cpp stores the rows permuted.",
    )


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
    hyperparameters: dict[str, HyperParameter] = Field(default_factory=dict)
    tensors: dict[str, FamilyTensor | None] = Field(
        default_factory=dict, description="By GGUF name; null takes a tensor of the base away."
    )
    converter_only: tuple[str, ...] = Field((), description="GGUF names a converter adds from the config (rope_freqs).")
    computed: tuple[str, ...] = Field(
        (), description="Ends of the names of buffers that readers compute: a file loses nothing without them."
    )


class RoleTypes(Record):
    """The types a recipe may give one role."""

    role: str = Field(
        description="GGUF name without `blk.N.` and `.weight`: attn_v, ffn_down (its experts too), output, token_embd …"
    )
    types: tuple[str, ...]


class Recipe(Record):
    """What a label such as Q4_K_M promises of each role."""

    file_type: int | None = Field(None, description="GGUF `general.file_type`.")
    types: tuple[str, ...] = Field(description="Types a matrix may have when its role has no line of its own.")
    roles: tuple[RoleTypes, ...] = ()
    vectors: tuple[str, ...] = Field(("F32",), description="Types of 1-D tensors (norms, biases).")
    bits_per_weight: float | None = Field(None, description="Published file-level figure.")
    aliases: tuple[str, ...] = Field((), description="Other spellings in file names and metadata, lower case.")
    formats: tuple[Literal["safetensors", "gguf", "apr"], ...] = ("gguf", "apr")


class Kept(Record):
    """Tensors that no converter and no quantiser of llama.cpp takes below F32, whatever the label."""

    names: tuple[str, ...] = Field(min_length=1, description="Patterns (`*`) of GGUF or Hugging Face tensor names.")
    reason: str


class Mix(Record):
    """How a name says that its label is only the base of a mix of types."""

    pattern: str = Field(description="Regular expression, searched for in the lower-case name.")
    reason: str


class Recipes(Definition):
    """Every label that is understood, and what replaces a type whose rows do not divide into its blocks."""

    title: str
    recipes: dict[str, Recipe]
    kept: tuple[Kept, ...] = Field((), description="Tensors that may be F32 under every label.")
    mixes: tuple[Mix, ...] = Field((), description="Names that promise no recipe tensor by tensor.")
    fallbacks: dict[str, tuple[str, ...]] = Field(
        description="A type to those that ggml's quantiser takes instead where a row is no whole number of blocks."
    )

    @model_validator(mode="after")
    def _one_recipe_a_file_type(self) -> Recipes:
        seen: dict[int, str] = {}
        for name, recipe in self.recipes.items():
            if recipe.file_type is not None and (first := seen.setdefault(recipe.file_type, name)) != name:
                raise ValueError(f"file_type {recipe.file_type} is given to {first} and to {name}")
        return self
