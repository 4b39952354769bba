"""Owns which layers a weight stands in, and what a hyper-parameter with one value a layer is in one of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from model_contracts.anatomy.families.hyperparameters import Number
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


def by_kinds(kinds: Mapping[str, Number], numbers: Mapping[str, Any], count: int) -> tuple[Number, ...] | None:
    """What each layer is by the first of its hyper-parameters that is not 0 there; None where none has one a layer."""
    lists = {name: numbers[name] for name in kinds if isinstance(numbers.get(name), list | tuple)}
    if not lists:
        return None

    def kind(layer: int) -> Number:
        given = (name for name, values in lists.items() if layer < len(values) and values[layer])
        return kinds[next(given, "")]

    return tuple(kind(layer) for layer in range(count))


def layers_of(chosen: Layers | None, numbers: Mapping[str, Any], count: int) -> range | tuple[int, ...]:
    """The layers that a weight stands in, of `count`. What is not declared leaves none out by itself."""
    every = range(count)
    if chosen is None:
        return every
    return tuple(layer for layer in every if _stands(chosen, numbers, layer))


def _stands(chosen: Layers, numbers: Mapping[str, Any], layer: int) -> bool:
    return _by_bounds(chosen, numbers, layer) and all(_by_kind(chosen, numbers, layer))


def _by_bounds(chosen: Layers, numbers: Mapping[str, Any], layer: int) -> bool:
    first, before = _size(chosen.first, numbers), _size(chosen.before, numbers)
    every, not_every = _size(chosen.every, numbers), _size(chosen.not_every, numbers)
    if (first is not None and layer < first) or (before is not None and layer >= before):
        return False
    return not (every and (layer + 1) % every) and not (not_every and not (layer + 1) % not_every)


def _by_kind(chosen: Layers, numbers: Mapping[str, Any], layer: int) -> list[bool]:
    """What each hyper-parameter that is known says of the kind of a layer; one False where none is known."""
    said = [at == layer % period for at, period in _places(chosen.at, numbers)]
    said += [at != layer % period for at, period in _places(chosen.not_at, numbers)]
    values = numbers.get(chosen.where) if chosen.where is not None else None
    if isinstance(values, list | tuple):
        said.append(layer < len(values) and values[layer] in chosen.has)
    elif values is not None:
        lettered = isinstance(values, str) and layer < len(values) and values[layer] in chosen.has
        said.append(lettered or values in chosen.has)
    if (listed := numbers.get(chosen.listed or "")) is not None:
        said.append(layer in (listed if isinstance(listed, list | tuple) else (listed,)))
    for names, wanted in ((chosen.zero, True), (chosen.positive, False)):
        listed = (values for name in names if isinstance(values := numbers.get(name), list | tuple))
        said += [layer < len(values) and (values[layer] == 0) is wanted for values in listed]
    asked = (chosen.where, chosen.listed, *chosen.zero, *chosen.positive, chosen.at, chosen.not_at)
    return said or [not any(one is not None for one in asked)]


def _places(said: tuple[str | int, str | int] | None, numbers: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    at, period = (_size(size, numbers) for size in said or (None, None))
    if at is not None and period:
        yield at, period


def _size(size: str | int | None, numbers: Mapping[str, Any]) -> int | None:
    value = numbers.get(size) if isinstance(size, str) else size
    return value if isinstance(value, int) and not isinstance(value, bool) else None
