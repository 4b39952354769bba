"""Owns what a command converter is: a program that somebody else wrote, and how it is asked to convert one model."""

from __future__ import annotations

from string import Formatter
from typing import Literal

from pydantic import Field, model_validator

from model_contracts.containers import Format
from model_contracts.invariant import Definition
from model_contracts.outcome import Record

#: What an argument may name: where the source and the target are, the tokenizer.json, the element types asked for.
PLACES = ("source", "target", "tokenizer", "dtype")


class Words(Record):
    """Arguments that are added where something was asked for."""

    tokenizer: tuple[str, ...] = Field((), description="Where a tokenizer was given: `--tokenizer {tokenizer}`.")
    dtype: tuple[str, ...] = Field((), description="Where element types were asked for: `--quantize {dtype}`.")


class CommandConverter(Definition):
    """A converter as a list of arguments: no shell sees it, and every argument stays one."""

    title: str
    program: str = Field(description="The executable, found on PATH; or a path.")
    arguments: tuple[str, ...] = Field(description="`{source}` and `{target}` stand for paths, in any argument.")
    asked: Words = Field(default_factory=Words)
    sources: tuple[Format, ...] = Field(min_length=1)
    targets: tuple[Format, ...] = Field(min_length=1)
    source_is: Literal["weights", "folder"] = Field(
        "weights", description="What it takes of a Hugging Face directory: the weights file, or the folder."
    )
    dtypes: dict[str, str] = Field(default_factory=dict, description="Our label to its word; others are as they are.")
    seconds: float = Field(600.0, gt=0, description="Time limit; its whole process group ends then.")
    unanswered: tuple[int, ...] = Field((), description="Exit codes that say: this question cannot be answered here.")
    how_to_get: str = Field(description="What to do where the program is not installed, in one line.")
    documentation: tuple[str, ...] = Field((), description="Where its arguments are described.")

    @model_validator(mode="after")
    def _places_are_known(self) -> CommandConverter:
        for argument in (*self.arguments, *self.asked.tokenizer, *self.asked.dtype):
            for _, name, form, conversion in Formatter().parse(argument):
                if name is not None and (name not in PLACES or form or conversion):
                    raise ValueError(f"{{{name}}} in an argument; expected one of {', '.join(PLACES)}")
        joined = " ".join(self.arguments)
        for name in ("source", "target"):
            if f"{{{name}}}" not in joined:
                raise ValueError(f"arguments without {{{name}}}")
        return self
