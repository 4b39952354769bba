"""Owns which layers a weight stands in, and what a hyper-parameter with one value a layer is in one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model_contracts.anatomy.hyperparameters import Number
from model_contracts.family import Layers


def in_layer(numbers: Mapping[str, Any], layer: int | None) -> Mapping[str, Number]:
    """Hyper-parameters as one layer has them; those with one value a layer are not there where no layer is meant."""
    if not any(isinstance(value, list | tuple) for value in numbers.values()):
        return numbers
    found: dict[str, Number] = {}
    for name, value in numbers.items():
        if not isinstance(value, list | tuple):
            found[name] = value
        elif layer is not None and layer < len(value) and isinstance(value[layer], bool | int | float | str):
            found[name] = value[layer]
    return found


def layers_of(chosen: Layers | None, numbers: Mapping[str, Any], count: int) -> range | tuple[int, ...]:
    """The layers that a weight stands in, of `count`. What is not declared leaves none out by itself."""
    every = range(count)
    if chosen is None:
        return every
    return tuple(layer for layer in every if _stands(chosen, numbers, layer))


def _stands(chosen: Layers, numbers: Mapping[str, Any], layer: int) -> bool:
    return _by_number(chosen, numbers, layer) and all(_by_value(chosen, numbers, layer))


def _by_number(chosen: Layers, numbers: Mapping[str, Any], layer: int) -> bool:
    first, before = _size(chosen.first, numbers), _size(chosen.before, numbers)
    every, not_every = _size(chosen.every, numbers), _size(chosen.not_every, numbers)
    if (first is not None and layer < first) or (before is not None and layer >= before):
        return False
    if (every and (layer + 1) % every) or (not_every and not (layer + 1) % not_every):
        return False
    for said, wanted in ((chosen.at, True), (chosen.not_at, False)):
        offset, period = (_size(size, numbers) for size in said or (None, None))
        if offset is not None and period and (layer % period == offset) is not wanted:
            return False
    return True


def _by_value(chosen: Layers, numbers: Mapping[str, Any], layer: int) -> list[bool]:
    """What each hyper-parameter that is known says; one False where none is known."""
    said: list[bool] = []
    values = numbers.get(chosen.where) if chosen.where is not None else None
    if isinstance(values, list | tuple):
        said.append(layer < len(values) and values[layer] in chosen.has)
    elif values is not None:
        said.append(values in chosen.has)
    for name, wanted in ((chosen.zero, True), (chosen.positive, False)):
        values = numbers.get(name) if name is not None else None
        if isinstance(values, list | tuple):
            said.append(layer < len(values) and (values[layer] == 0) is wanted)
    asked = any(name is not None for name in (chosen.where, chosen.zero, chosen.positive))
    return said or [not asked]


def _size(size: str | int | None, numbers: Mapping[str, Any]) -> int | None:
    value = numbers.get(size) if isinstance(size, str) else size
    return value if isinstance(value, int) and not isinstance(value, bool) else None
