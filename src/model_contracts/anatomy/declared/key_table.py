"""Owns the table that a pair is read through: what its families say of keys, then what holds everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model_contracts.family import Family
from model_contracts.hyperparameter import HyperParameter
from model_contracts.keys import Keys, Value

_PARTS = ("config", "gguf", "apr")


def key_table(keys: Keys, *families: Family | None) -> dict[str, Value]:
    """The lines of the table; a later family's own line stands before an earlier one's.

    A key that a family places in a line of its own stands in no other line: what GGUF calls the width of an expert is
    one quantity in most architectures, and another in Llama 4.
    """
    own: dict[str, HyperParameter] = {}
    for family in families:
        own |= family.hyperparameters if family is not None else {}
    table = {name: _without(line, name, own) for name, line in keys.values.items()}
    return table | {name: _merged(parameter, table.get(name)) for name, parameter in own.items()}


def _without(line: Value, name: str, own: Mapping[str, HyperParameter]) -> Value:
    """A line without the keys that families place elsewhere."""
    others = [parameter for other, parameter in own.items() if other != name]
    left: dict[str, Any] = {
        part: tuple(key for key in getattr(line, part) if not any(key in getattr(other, part) for other in others))
        for part in _PARTS
    }
    return line.model_copy(update=left)


def _merged(own: HyperParameter, line: Value | None) -> Value:
    """A family's own line, with the further spellings and the words that are known of it everywhere."""
    if line is None:
        return Value.model_validate(own.model_dump(exclude_unset=True))
    said: dict[str, Any] = {field: getattr(own, field) for field in own.model_fields_set if field not in _PARTS}
    spelled: dict[str, Any] = {
        part: tuple(dict.fromkeys((*getattr(own, part), *getattr(line, part)))) for part in _PARTS
    }
    placed: dict[str, Any] = {"differs": {}} if own.gguf else {}
    return line.model_copy(update={**said, **spelled, **placed})
