"""Owns the hyper-parameters of an artifact: what it declares, where, and what readers assume elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isnan, prod
from typing import Any

from model_contracts.artifact import Artifact
from model_contracts.family import Dimension, Family, HyperParameter
from model_contracts.outcome import Place

Number = int | float | bool | str


@dataclass(frozen=True, slots=True)
class Declared:
    """A value an artifact declares, where it stands, and whether a flag beside it switches it off."""

    value: Number
    place: Place
    enabled: bool = True


def declared(artifact: Artifact, family: Family) -> dict[str, Declared]:
    """Every hyper-parameter of the family that the artifact declares with a value (null counts as undeclared)."""
    found: dict[str, Declared] = {}
    for name, parameter in family.hyperparameters.items():
        for key, lookup, file in _places(artifact, parameter):
            value = _one(_at(lookup, key))
            if _usable(value):
                flag = lookup.get(parameter.enabled_by) if parameter.enabled_by else None
                found[name] = Declared(value, Place(file=file, key=key), enabled=flag is not False)
                break
    return found


def resolved(family: Family, values: Mapping[str, Declared], vocabulary: int | None = None) -> dict[str, Number]:
    """Declared values, completed by the family's defaults; `vocabulary` stands in for an undeclared vocab_size."""
    numbers: dict[str, Number] = {name: value.value for name, value in values.items() if value.enabled}
    if vocabulary is not None:
        numbers.setdefault("vocab_size", vocabulary)
    for name, parameter in family.hyperparameters.items():
        if name not in numbers and (value := default(parameter, numbers)) is not None:
            numbers[name] = value
    return numbers


def default(parameter: HyperParameter, numbers: Mapping[str, Number]) -> Number | None:
    """What every reader assumes when nothing is declared (None: nothing)."""
    fallback = parameter.default
    if fallback is None:
        return None
    if fallback.same_as is not None:
        return numbers.get(fallback.same_as)
    if fallback.quotient is not None:
        above, below = (numbers.get(name) for name in fallback.quotient)
        if isinstance(above, int) and isinstance(below, int) and below and above % below == 0:
            return above // below
        return None
    if fallback.product is not None or fallback.total is not None:
        parts = [numbers.get(name) for name in fallback.product or fallback.total or ()]
        if all(isinstance(part, int | float) and not isinstance(part, bool) for part in parts):
            return int(prod(parts)) if fallback.product else sum(parts)  # type: ignore[arg-type]
        return None
    return fallback.value


def size_of(axis: Dimension, numbers: Mapping[str, Number]) -> int | None:
    """The size of an axis, a product of hyper-parameters and numbers; None where one of them is not known."""
    size = 1
    for factor in axis:
        value = numbers.get(factor) if isinstance(factor, str) else factor
        if not isinstance(value, int) or isinstance(value, bool):
            return None
        size *= value
    return size


def _places(artifact: Artifact, parameter: HyperParameter) -> Iterator[tuple[str, Mapping[str, Any], str | None]]:
    weights = artifact.files[0].name if artifact.files else None
    if not artifact.form.beside:
        arch = str(artifact.metadata.get(artifact.form.architecture_key, ""))
        for key in parameter.spelled(artifact.form.keys):
            yield key.replace("{arch}", arch), artifact.metadata, weights
    elif artifact.config is not None:
        sidecar = artifact.sidecars.get("config")
        for key in parameter.config:
            yield key, artifact.config, sidecar.path.name if sidecar else "config.json"


def _at(mapping: Mapping[str, Any], key: str) -> Any:
    """The value under a key; in config.json dots lead into nested objects."""
    if key in mapping:
        return mapping[key]
    value: Any = mapping
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def _one(value: Any) -> Any:
    """The value of an array that has the same one for every layer; any other value as it is."""
    if isinstance(value, list | tuple) and value and all(part == value[0] for part in value):
        return value[0]
    return value


def _usable(value: Any) -> bool:
    if isinstance(value, float):
        return not isnan(value)
    return isinstance(value, bool | int | str)
