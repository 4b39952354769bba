"""Owns symbolic shapes of the parts of a weight: what they come to for a weight, and the weight they come from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from math import prod

from model_contracts.artifact import Tensor
from model_contracts.scheme import PartShape, Value, When

#: Names to what they stand for: O, I, N, `width`, and the settings.
Symbols = Mapping[str, Value]
_LARGEST = 1 << 62


def meets(when: When, settings: Mapping[str, Value]) -> bool:
    """Whether settings have one of the values given for each name."""
    return all(settings.get(name) in values for name, values in when.items())


def allowed(shapes: tuple[PartShape, ...], symbols: Symbols, lead: tuple[int, ...]) -> list[tuple[int, ...]] | None:
    """The shapes that a part may have; None where a setting that they depend on is not known."""
    found: list[tuple[int, ...]] = []
    for shape in shapes:
        if not meets(shape.when, symbols):
            continue
        axes = [value_of(axis, symbols) for axis in shape.axes]
        if all(axis is not None for axis in axes):
            found.append((*lead, *(axis for axis in axes if axis is not None)))
    return list(dict.fromkeys(found)) or None


@lru_cache(1024)
def _factors(axis: str) -> tuple[tuple[str, str], ...]:
    """The factors of a product, each with the sign before it."""
    return tuple(re.findall(r"([*/]?)(\w+)", axis))


def value_of(axis: str, symbols: Symbols) -> int | None:
    """A product divided by others, each division rounded up; None where a name is not known.

    Divided by a number below 1 (a group size of -1: all of the row) it is 1.
    """
    size = 1
    for sign, word in _factors(axis):
        number = _number(word, symbols)
        if number is None:
            return None
        if sign != "/":
            size *= number
        elif number < 1:
            size = 1
        else:
            size = -(-size // number)
    return size if 0 <= size < _LARGEST else None


def solved(axes: tuple[str, ...], tensor: Tensor, symbols: Symbols) -> tuple[int, ...] | None:
    """The shape of the weight whose part has this shape, axes before it included; None where it does not say."""
    if len(tensor.shape) < len(axes):
        return None
    split = len(tensor.shape) - len(axes)
    known: dict[str, int] = {}
    for axis, size in zip(axes, tensor.shape[split:], strict=True):
        if not (unknown := {"O", "I"} & {word for _, word in _factors(axis)}):
            continue
        ratio = _ratio(axis, symbols)
        if len(unknown) > 1 or ratio is None or size * ratio[1] % ratio[0]:
            return None
        known[unknown.pop()] = size * ratio[1] // ratio[0]
    if known.keys() != {"O", "I"}:
        return None
    shape = (*tensor.shape[:split], known["O"], known["I"])
    return shape if prod(shape) < _LARGEST else None


def _ratio(axis: str, symbols: Symbols) -> tuple[int, int] | None:
    above = below = 1
    for sign, word in _factors(axis):
        number = 1 if word in ("O", "I") else _number(word, symbols)
        if number is None or number < 1:
            return None
        above, below = (above, below * number) if sign == "/" else (above * number, below)
    return above, below


def _number(word: str, symbols: Symbols) -> int | None:
    value = int(word) if word.isdigit() else symbols.get(word)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST else None
