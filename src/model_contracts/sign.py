"""Owns what a sign is: how a record of evidence looks whose verdict is worth nothing, and what a person is told of it.

Signs are data (`contracts/audit/*.yaml`). A condition has one of a few forms, each of which takes time in proportion
to the text it looks at: no expressions, and no pattern that could backtrack.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated, Literal

from pydantic import Field, model_validator

from model_contracts.invariant import Definition
from model_contracts.outcome import Record

Scalar = bool | int | float | str | None
FieldPath = Annotated[str, Field(pattern=r"^[a-z_]+(\.([a-z_]+|\*))*$", max_length=80)]
Text = Annotated[str, Field(min_length=1, max_length=200)]
#: The forms of a condition: each condition has one of them.
FORMS = ("equals", "differs", "blank", "contains", "ends_with", "line_like", "only_lines_like", "name_cut_after")


@cache
def literal(pattern: str) -> str:
    """The longest text of a pattern that stands for itself: what a line lacks it in need not be looked at."""
    return max(re.split(r"[*?]|\[[^]]*\]", pattern), key=len)


class Condition(Record):
    """One thing that is so of a record: it holds where one of the fields is as its form says."""

    fields: tuple[FieldPath, ...] = Field(
        min_length=1, description="Paths of keys in the record; `*` is every item of a list."
    )
    equals: tuple[Scalar, ...] = Field((), description="The field is one of these values.")
    differs: tuple[Scalar, ...] = Field((), description="The field is there, not null, and none of these values.")
    blank: Literal[True] | None = Field(None, description="The field is absent, null, or without text or items.")
    contains: tuple[Text, ...] = Field((), description="The field's text contains one of these.")
    ends_with: tuple[Text, ...] = Field((), description="The field's text ends with one of these, space aside.")
    line_like: tuple[Text, ...] = Field(
        (), description="A line of the text is like one of these, where `*`, `?` and `[…]` stand for what they match."
    )
    only_lines_like: tuple[Text, ...] = Field((), description="Every line that is not blank is like one of these.")
    name_cut_after: Text | None = Field(
        None, description="After this text stands a path whose file lost what follows a dot in the model's name."
    )

    @model_validator(mode="after")
    def _one_form(self) -> Condition:
        if len(self.forms()) != 1:
            raise ValueError(f"exactly one of {', '.join(FORMS)}")
        if not all(literal(pattern) for pattern in self.line_like):
            raise ValueError("a line with some text of its own, beside what `*`, `?` and `[…]` stand for")
        return self

    def forms(self) -> list[str]:
        """The forms that are given."""
        return [form for form in FORMS if getattr(self, form) not in ((), None)]


Conditions = Annotated[tuple[Condition, ...], Field(min_length=1)]
Verdicts = Literal["green", "red"]
Form = Literal["ours", "founding"]


class Sign(Definition):
    """How a record looks that is green and proves nothing, or red through the checker's own fault."""

    title: str = Field(description="What such a record is, in one line.")
    verdict: Verdicts = Field(description="green: proves nothing; red: the checker's own fault.")
    evidence: tuple[Form, ...] = Field(min_length=1, description="Whose evidence it is looked for in.")
    gates: tuple[Text, ...] = Field(("*",), description="The gate ids it speaks about, `*` and `[…]` as in file names.")
    any: tuple[Conditions, ...] = Field(min_length=1, description="Lists of conditions; all of one list must hold.")
    unless: tuple[Condition, ...] = Field((), description="Where one of these holds, the record is not accused.")
    reason: str = Field(description="What a person is told, in a sentence.")
    source: str = Field(description="Where it was seen, or why it follows.")
