"""Owns the hyper-parameters of an artifact: what it declares, where, and what readers assume elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan, prod
from typing import Any

from model_contracts.anatomy.families.carried import carried_config
from model_contracts.anatomy.families.multimodal import text_config, text_part
from model_contracts.artifact import Artifact
from model_contracts.family import Dimension, Family
from model_contracts.hyperparameter import Default, HyperParameter
from model_contracts.outcome import Place

#: Where an .apr keeps the config.json that it carries.
CARRIED = "hf_config"
Number = int | float | bool | str
#: Entries of a list with one value a layer, at most.
_MOST_LAYERS = 10_000


@dataclass(frozen=True, slots=True)
class Declared:
    """A value an artifact declares, where it stands, and whether a flag beside it switches it off."""

    value: Number
    place: Place
    enabled: bool = True


def declared(artifact: Artifact, family: Family) -> dict[str, Declared]:
    """Every hyper-parameter of the family that the artifact declares with a value (null counts as undeclared)."""
    found: dict[str, Declared] = {}
    along = carried_along(artifact)
    for name, parameter in family.hyperparameters.items():
        for key, lookup, file in _places(artifact, parameter, along):
            value = _one(at(lookup, key))
            if _usable(value):
                found[name] = Declared(
                    value, Place(file=file, key=key), enabled=enabled(parameter, lookup.get(CARRIED, lookup))
                )
                break
    return found


def layered(artifact: Artifact, family: Family) -> dict[str, tuple[Number, ...]]:
    """Every hyper-parameter of the family that the artifact declares with one value a layer, which may differ."""
    found: dict[str, tuple[Number, ...]] = {}
    along = carried_along(artifact)
    for name, parameter in family.hyperparameters.items():
        for key, lookup, _ in _places(artifact, parameter, along):
            value = at(lookup, key)
            if isinstance(value, list | tuple) and 0 < len(value) <= _MOST_LAYERS and all(map(_usable, value)):
                if any(part != value[0] for part in value):
                    found[name] = tuple(value)
                break
    made = [one.default for one in family.hyperparameters.values() if one.default is not None]
    if any(one.each_layer or one.numbered for one in made):
        numbers = resolved(family, declared(artifact, family))
        found |= dict(by_numbers(family, found, numbers))
        found |= dict(by_kinds(family, found, numbers))
    return found


def by_numbers(
    family: Family, lists: Mapping[str, Sequence[Number]], numbers: Mapping[str, Number]
) -> Iterator[tuple[str, tuple[Number, ...]]]:
    """What differs between the layers that a hyper-parameter lists by number and the others, where it is declared."""
    count = numbers.get("num_hidden_layers")
    for name, parameter in family.hyperparameters.items():
        said = parameter.default.numbered if parameter.default is not None else None
        if said is None or name in lists or name in numbers or not isinstance(count, int):
            continue
        listed, first, there, elsewhere = said
        among = lists.get(listed) or ((numbers[listed],) if listed in numbers else None)
        if among is not None:
            yield (
                name,
                tuple(there if layer + first in among else elsewhere for layer in range(min(count, _MOST_LAYERS))),
            )


def by_kinds(
    family: Family, lists: Mapping[str, Sequence[Number]], numbers: Mapping[str, Number]
) -> Iterator[tuple[str, tuple[Number, ...]]]:
    """What differs by the kind of a layer, where that is declared and this is not one list by itself."""
    for name, parameter in family.hyperparameters.items():
        table = parameter.default.each_layer if parameter.default is not None else None
        for kinds, values in (table or {}).items():
            each = [numbers.get(values.get(str(kind).lower(), "")) for kind in lists.get(kinds, ())]
            known = [value for value in each if value is not None]
            if name not in lists and known and len(known) == len(each):
                yield name, tuple(known)


def resolved(
    family: Family,
    values: Mapping[str, Declared],
    vocabulary: int | None = None,
    lists: Mapping[str, Sequence[Number]] | None = None,
) -> dict[str, Number]:
    """Declared values, completed by the family's defaults; `vocabulary` stands in for an undeclared vocab_size.

    Of `lists`, hyper-parameters with one value a layer, only the length counts.
    """
    numbers: dict[str, Number] = {name: value.value for name, value in values.items() if value.enabled}
    if vocabulary is not None:
        numbers.setdefault("vocab_size", vocabulary)
    for name, parameter in family.hyperparameters.items():
        if lists and parameter.default is not None and name not in numbers and _counted(parameter.default) in lists:
            made = evaluated(parameter.default, {**numbers, **lists})
            numbers |= {name: made} if made is not None else {}
    completed(family, numbers)
    return numbers


def _counted(default: Default) -> str | None:
    """The hyper-parameter with one value a layer that a default looks through."""
    if default.in_layers is not None:
        return default.in_layers[0]
    return default.leading[0] if default.leading is not None else default.length


def completed(family: Family, numbers: dict[str, Any]) -> None:
    """Add the family's defaults, also those that follow from other defaults, whatever the order they stand in."""
    before = -1
    while len(numbers) > before:
        before = len(numbers)
        for name, parameter in family.hyperparameters.items():
            if name not in numbers and (value := default(parameter, numbers)) is not None:
                numbers[name] = value


def default(parameter: HyperParameter, numbers: Mapping[str, Number]) -> Number | None:
    """What every reader assumes when nothing is declared (None: nothing, or a list)."""
    return evaluated(parameter.default, numbers) if parameter.default is not None else None


def evaluated(fallback: Default, numbers: Mapping[str, Any]) -> Number | None:
    """The one value of a default, over what else is known (None: not known, or a list)."""
    if fallback.same_as is not None:
        return numbers.get(fallback.same_as)
    for kinds, table in (fallback.each_layer or {}).items():
        if (known := table.get(str(numbers.get(kinds)).lower())) is not None:
            return numbers.get(known)
    if fallback.length is not None:
        values: Any = numbers.get(fallback.length)
        return len(values) if isinstance(values, str | list | tuple) else None
    if fallback.leading is not None and (count := _leading(*fallback.leading, numbers)) is not None:
        return count
    if fallback.in_layers is not None and (found := _in_layers(*fallback.in_layers, numbers)) is not None:
        return found
    for how in ("quotient", "rounded_up", "product", "total", "difference", "times", "ratio"):
        parts: tuple[str | int | float, ...] | None = getattr(fallback, how)
        if parts is not None:
            return _combined(how, [numbers.get(part) if isinstance(part, str) else part for part in parts])
    value: Number | None = fallback.value
    return value


def _leading(name: str, word: Number, numbers: Mapping[str, Any]) -> int | None:
    """How many layers are a word, from the first on; None where that is not declared."""
    values = numbers.get(name)
    if isinstance(values, list | tuple):
        return next((layer for layer, value in enumerate(values) if value != word), len(values))
    return values if values is None else int(numbers.get("num_hidden_layers", 0)) * (values == word)


def _in_layers(name: str, kinds: str, words: Sequence[Number], numbers: Mapping[str, Any]) -> Number | None:
    """What a value is in the first layer of a kind; None where that is not declared layer by layer."""
    values, called = numbers.get(name), numbers.get(kinds)
    if not isinstance(values, list | tuple) or not isinstance(called, list | tuple):
        return None
    return next((value for value, word in zip(values, called, strict=False) if word in words), None)


def _combined(how: str, parts: list[Number | None]) -> Number | None:
    """Numbers combined; None where one of them is not known, or not such as can be."""
    known = [part for part in parts if isinstance(part, int | float) and not isinstance(part, bool)]
    if len(known) != len(parts):
        return None
    if how == "product":
        return int(prod(known))
    if how == "times":
        return float(prod(known))
    if how == "total":
        return sum(known)
    first, second = known
    if how == "difference":
        return first - second
    if how == "ratio":
        return first / second if second else None
    if not isinstance(first, int) or not isinstance(second, int) or second <= 0:
        return None
    if how == "rounded_up":
        return -(-first // second) * second
    return first // second if first % second == 0 else None


def enabled(parameter: HyperParameter, flags: Mapping[str, Any]) -> bool:
    """Whether no flag beside a value says that it does not count."""
    on = flags.get(parameter.enabled_by) if parameter.enabled_by else None
    off = flags.get(parameter.disabled_by) if parameter.disabled_by else None
    lists = ((flags.get(key), values) for key, values in parameter.counts_where.items())
    idle = any(isinstance(found, list | tuple) and not {*map(str, found)} & {*map(str, said)} for found, said in lists)
    return on is not False and off is not True and not idle


def size_of(axis: Dimension, numbers: Mapping[str, Number]) -> int | None:
    """The size of an axis, a product of hyper-parameters and numbers; None where one of them is not known."""
    size = 1
    for factor in axis:
        value = numbers.get(factor) if isinstance(factor, str) else factor
        if not isinstance(value, int) or isinstance(value, bool):
            return None
        size *= value
    return size


def carried_along(artifact: Artifact) -> Mapping[str, Any]:
    """The config.json that a container carries, for what it has no key of its own for (dotted, behind `hf_config.`)."""
    if artifact.form.beside or artifact.form.prefixed_keys:
        return {}
    return {CARRIED: carried_config(artifact) or {}}


def _places(
    artifact: Artifact, parameter: HyperParameter, along: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any], str | None]]:
    weights = artifact.files[0].name if artifact.files else None
    if along and not parameter.apr:
        yield from ((f"{CARRIED}.{key}", along, weights) for key in parameter.config)
    elif not artifact.form.beside:
        arch = str(artifact.metadata.get(artifact.form.architecture_key, ""))
        for key in parameter.spelled(artifact.form.keys):
            yield key.replace("{arch}", arch), artifact.metadata, weights
    elif artifact.config is not None:
        sidecar = artifact.sidecars.get("config")
        file = sidecar.path.name if sidecar else "config.json"
        whole = [(key, artifact.config, file) for key in parameter.config]
        part = text_part(artifact.config)
        if part is None:
            yield from whole
            return
        merged = text_config(artifact.config)
        own = [(f"{part[0]}.{key}", merged, file) for key in parameter.config]
        # Whether the head is the embedding, the whole model says before its part does.
        yield from (*whole, *own) if "tie_word_embeddings" in parameter.config else (*own, *whole)


def at(mapping: Mapping[str, Any], key: str) -> Any:
    """The value under a key; in config.json dots lead into nested objects."""
    if key in mapping:
        return mapping[key]
    value: Any = mapping
    for part, _, rest in _parts(key):
        if not isinstance(value, Mapping):
            return None
        if part == "*":  # what every entry that has it agrees on
            every = [found for entry in value.values() if (found := at({"": entry}, f".{rest}")) is not None]
            return every[0] if every and all(found == every[0] for found in every) else None
        if part not in value:
            return None
        value = value[part]
    return value


def _parts(key: str) -> Iterator[tuple[str, str, str]]:
    while key:
        yield (whole := key.partition("."))
        key = whole[2]


def _one(value: Any) -> Any:
    """The value of an array that has the same one for every layer; any other value as it is."""
    if isinstance(value, list | tuple) and value and all(part == value[0] for part in value):
        return value[0]
    return value


def _usable(value: Any) -> bool:
    if isinstance(value, float):
        return not isnan(value)
    return isinstance(value, bool | int | str)
