"""Owns a declared value in the words of the table: spellings, silence, padding, and what JSON and GGUF make of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isclose, isinf, isnan
from typing import Any

from model_contracts.keys import Value

Scalar = int | float | bool | str
Plain = Scalar | tuple[Any, ...]
#: Nested objects and keys that are followed; a config.json of people has a few hundred keys.
_DEPTH, MOST_KEYS = 8, 20_000


def normal(value: Plain, line: Value) -> Plain | None:
    """A value in the words of the table; None where it says the same as no declaration."""
    if isinstance(value, tuple):
        parts = tuple(_word(part, line) for part in value)
        while line.padding is not None and parts and parts[-1] == line.padding:
            parts = parts[:-1]
        if not parts or all(_silent(part, line) for part in parts):
            return None
        return parts
    value = _word(value, line)
    return None if _silent(value, line) else value


def alike(one: Any, other: Any) -> bool:
    """Whether two spellings say the same: one container keeps a number in 32 and in 64 bits."""
    numbers = all(isinstance(value, float) for value in (one, other))
    return isclose(one, other, rel_tol=1e-6) if numbers else bool(one == other)


def _word(value: Any, line: Value) -> Any:
    if isinstance(value, str):
        return line.words.get(value.lower(), value.lower())
    if line.words and not isinstance(value, bool) and (word := line.words.get(str(value))) is not None:
        return word
    return value


def _silent(value: Any, line: Value) -> bool:
    return any(value == none and isinstance(value, bool) == isinstance(none, bool) for none in line.none)


def leaves(document: Mapping[str, Any], prefix: str, depth: int) -> Iterator[tuple[str, Plain | None]]:
    """Every key of a document, dotted, and its value."""
    for key, value in document.items():
        if isinstance(value, Mapping) and value and depth < _DEPTH and not all(str(k).isdigit() for k in value):
            yield from leaves(value, f"{prefix}{key}.", depth + 1)
        else:
            yield f"{prefix}{key}", plain(value)


def plain(value: Any) -> Plain | None:
    """A value as it is compared: lists as tuples, objects as their text, NaN and null as nothing."""
    if isinstance(value, float):
        return None if isnan(value) else value
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, list | tuple):
        return tuple(_part(part) for part in value[:MOST_KEYS])
    return str(value)[:2000]


def _part(value: Any) -> Any:
    """One entry of a list; an infinite number as its word, which transformers writes as an object of one key."""
    if isinstance(value, Mapping) and isinstance(word := value.get("__float__"), str):
        return word[:200]
    if isinstance(value, float) and isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value if isinstance(value, bool | int | float | str) else str(value)[:200]
