"""Kind `scheme_engines`: serving engines whose facts are known take the settings that packed weights have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from model_contracts.anatomy.storage.packed import PackedWeight
from model_contracts.anatomy.storage.quantization import lookup
from model_contracts.checks.interface import (
    Comparisons,
    Examination,
    NoParameters,
    Where,
    not_owed,
    owed_to_schemes,
    static,
)
from model_contracts.definitions.loading import load_engines
from model_contracts.outcome import Comparison, Place
from model_contracts.scheme import When
from model_contracts.serving import EngineFact, ServingEngine

#: What is not said is not known: a fact about it is passed over.
_UNSAID = object()


@dataclass
class _Told:
    """One fact about weights that are read alike, and the first of them."""

    weight: PackedWeight
    engine: ServingEngine
    fact: EngineFact
    asked: str
    observed: str | None
    count: int = 0


def scheme_engines(examination: Examination, parameters: NoParameters, where: Where) -> Comparisons:
    """Compare settings and shapes with what each engine takes, once for all weights that are alike."""
    weights = owed_to_schemes(examination.view).weights
    told: dict[tuple[object, ...], _Told] = {}
    for engine in load_engines():
        for weight in weights:
            for number, fact in enumerate(engine.facts):
                for asked, observed in _asked(fact, weight) if weight.certain else ():
                    key = (engine.id, number, weight.title, asked, observed)
                    told.setdefault(key, _Told(weight, engine, fact, asked, observed)).count += 1
    if not told:
        raise not_owed("no fact of an engine speaks of how its weights are packed")
    yield from map(_compared, told.values())


def _asked(fact: EngineFact, weight: PackedWeight) -> Iterator[tuple[str, str | None]]:
    """What a fact asks of a weight, and what it has instead (None: what is asked)."""
    scheme = weight.scheme.id.rpartition("schemes/")[2]
    layouts = [name for name in fact.layouts if weight.scheme.layouts.get(name) is weight.layout]
    if scheme not in fact.schemes or (fact.layouts and not layouts) or not _speaks(fact.when, weight):
        return
    for name, values in fact.only.items():
        value = _value(name, weight)
        if value is _UNSAID or (value is None and None not in values):
            continue
        asked = f"{name} {' or '.join(map(_word, values))}"
        yield asked, None if value in values else f"{name} {_word(value)}"
    sizes = {"O": weight.shape[-2], "I": weight.shape[-1]} if weight.shape is not None else {}
    group = weight.settings.get("group")
    for axis, step in fact.multiples.items():
        size = group if axis == "group" else sizes.get(axis)
        if isinstance(size, int) and size > 0:
            yield f"{axis} a multiple of {step}", None if size % step == 0 else f"{axis} {size:,}"


def _speaks(when: When, weight: PackedWeight) -> bool:
    return all(_value(name, weight) in values for name, values in when.items())


def _value(name: str, weight: PackedWeight) -> object:
    """A setting of the layout, or what the configuration says under a key."""
    if name in weight.settings:
        return weight.settings[name]
    if weight.entry is None:
        return _UNSAID
    own = lookup(weight.entry.settings, name)
    return own if own is not None or weight.block is None else lookup(weight.block.block, name)


def _word(value: object) -> str:
    return "unset" if value is None else str(value).lower() if isinstance(value, bool) else str(value)[:80]


def _compared(told: _Told) -> Comparison:
    weight, engine, fact = told.weight, told.engine, told.fact
    entry = weight.entry
    place = entry.place if entry is not None else Place(tensor=weight.name)
    does = "refuses it" if fact.effect == "refuses" else "reads it otherwise"
    return Comparison(
        measure="engine_takes",
        place=place,
        expected=f"{engine.title}: {told.asked}",
        observed="as asked" if told.observed is None else told.observed,
        holds=told.observed is None,
        count=told.count,
        note=None if told.observed is None else f"{engine.title} ({engine.version}) {does}: {fact.says} [{fact.file}]",
    )


SCHEME_ENGINES = static(NoParameters, scheme_engines)
