"""Owns whose evidence a JSON value is, ours or the founding system's, and where in it the records lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Form = Literal["ours", "founding"]

#: Keys that every record of one form has and no record of the other.
_OURS = {"invariant", "contract", "subject", "compared"}
_FOUNDING = {"output", "stderr", "exit_code"}
_LOOKED_AT = 100


@dataclass(frozen=True, slots=True)
class Records:
    """The records of a value, the JSON pointer of the array that holds them, and the run they came with."""

    form: Form
    base: str
    items: list[Any]
    run: object = None


def records_of(value: object) -> Records | None:
    """The records of an array, a JSON report (`run`, `evidence`) or the founding schema's object; None: it is none."""
    if isinstance(value, list):
        return Records(_form(value), "", value)
    if not isinstance(value, dict) or not isinstance(items := value.get("evidence"), list):
        return None
    if value.keys() == {"run", "evidence"}:
        return Records("ours", "/evidence", items, value["run"])
    return Records("founding", "/evidence", items) if value.keys() == {"evidence", "metadata"} else None


def _form(items: list[Any]) -> Form:
    """By the keys of the first records: a file of which some are damaged is still known."""
    records = [item for item in items[:_LOOKED_AT] if isinstance(item, dict)]
    founding = sum(len(_FOUNDING & record.keys()) for record in records)
    return "founding" if founding > sum(len(_OURS & record.keys()) for record in records) else "ours"
