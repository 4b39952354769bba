"""Owns what a label such as Q4_K_M promises of the types of each role, as data."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from model_contracts.invariant import Definition
from model_contracts.outcome import Record


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
    types: tuple[str, ...] = Field(("F32",), description="The types that they may have.")
    converted: bool = Field(False, description="A conversion to GGUF writes them in F32, whatever was asked.")
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
        default_factory=dict,
        description="A type to those that ggml's quantiser takes instead where a row is no whole number of blocks.",
    )

    @model_validator(mode="after")
    def _one_recipe_a_file_type(self) -> Recipes:
        seen: dict[int, str] = {}
        for name, recipe in self.recipes.items():
            if recipe.file_type is not None and (first := seen.setdefault(recipe.file_type, name)) != name:
                raise ValueError(f"file_type {recipe.file_type} is given to {first} and to {name}")
        return self
