"""Owns all that one artifact declares: its keys, the values of the table they stand for, and what no line knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, Literal

from model_contracts.anatomy.declared.declared_words import MOST_KEYS, Plain, alike, leaves, normal, plain
from model_contracts.anatomy.families.hyperparameters import (
    CARRIED,
    Number,
    at,
    carried_along,
    default,
    enabled,
    evaluated,
)
from model_contracts.anatomy.families.layers import by_kinds
from model_contracts.anatomy.families.multimodal import TEXT_CONFIGS, text_config
from model_contracts.anatomy.view import View
from model_contracts.containers import ContainerForm
from model_contracts.hyperparameter import Default
from model_contracts.keys import Keys, Value
from model_contracts.outcome import Place

#: How many layers there are.
_LAYERS = "num_hidden_layers"


@dataclass(frozen=True, slots=True)
class Said:
    """One declared value and where it stands; `enabled` is False where a flag beside it switches it off."""

    value: Plain
    place: Place
    enabled: bool = True


@dataclass(frozen=True)
class DeclaredSide:
    """One artifact of a pair, read through the table of keys."""

    view: View
    keys: Keys
    table: Mapping[str, Value]
    #: The document of safetensors that is looked at.
    document: Literal["config", "generation_config"] = "config"
    _claimed: set[str] = field(default_factory=set)
    #: Further spellings of a value that was taken, where they say the same.
    _again: set[str] = field(default_factory=set)

    @property
    def form(self) -> ContainerForm:
        """The container that declares them."""
        return self.view.artifact.form

    @property
    def kind(self) -> Literal["config", "gguf", "apr"]:
        """The kind of keys."""
        return self.form.keys

    @cached_property
    def architecture(self) -> str:
        """What a GGUF or .apr calls its architecture, by which its readers build it (empty for config.json)."""
        key = self.form.architecture_key
        return str(self.view.artifact.metadata.get(key, "")) if key else ""

    @cached_property
    def all(self) -> dict[str, Plain | None]:
        """Every key and its value; those of config.json dotted, the text model's own without its part's name."""
        artifact = self.view.artifact
        if self.kind != "config":
            keys = {key: plain(value) for key, value in list(artifact.metadata.items())[:MOST_KEYS]}
            return keys | dict(list(leaves(carried_along(artifact), "", 0))[:MOST_KEYS])
        document = artifact.config if self.document == "config" else artifact.generation_config
        found = dict(list(leaves(document or {}, "", 0))[:MOST_KEYS])
        for part in TEXT_CONFIGS:
            for key in [key for key in found if key.startswith(f"{part}.")]:
                own = key.removeprefix(f"{part}.")
                found[own] = value if (value := found.pop(key)) is not None else found.get(own)
        return found

    def place(self, key: str) -> Place:
        """Where a key stands."""
        artifact = self.view.artifact
        sidecar = artifact.sidecars.get(self.document) if self.kind == "config" else None
        name = sidecar.path.name if sidecar else f"{self.document}.json" if self.kind == "config" else None
        return Place(file=name or (artifact.files[0].name if artifact.files else artifact.path.name), key=key)

    def spelled(self, value: Value) -> tuple[str, ...]:
        """The keys of this container that hold a value."""
        if self.form.prefixed_keys:
            arch = self.architecture
            general = () if arch in value.differs else [key for key in value.gguf if "{arch}" in key]
            own = [key for key in value.gguf if key.startswith(f"{arch}.")]
            return (*(key.replace("{arch}", arch) for key in general), *own)
        if self.kind == "config":
            return value.config
        return value.apr or tuple(f"{CARRIED}.{key}" for key in value.config)

    @cached_property
    def said(self) -> dict[str, Said]:
        """Name of the table to what this artifact declares; its first key that has a value counts."""
        return self._read[0]

    @cached_property
    def silenced(self) -> dict[str, Said]:
        """Name of the table to what is written out and says the same as no declaration (`none`, a window of 0)."""
        return {name: said for name, said in self._read[1].items() if name not in self.said}

    def _written(self, key: str) -> Plain | None:
        """The value of a key; of one with a `*`, what all that match it agree on."""
        if "*" not in key:
            return self.all.get(key)
        value = plain(at(text_config(self.view.artifact.config), key)) if self.kind == "config" else None
        if value is not None:
            self._claimed.add(key.partition(".*")[0])
        return value

    @cached_property
    def _read(self) -> tuple[dict[str, Said], dict[str, Said]]:
        found: dict[str, Said] = {}
        silent: dict[str, Said] = {}
        for name, value in self.table.items():
            for key in self.spelled(value):
                written = self._written(key)
                if written is None:
                    continue
                there = normal(written, value)
                if name in found:
                    if alike(there, found[name].value):
                        self._again.add(key)
                    continue
                self._claimed.add(key)
                if there is None:
                    silent.setdefault(name, Said(written, self.place(key)))
                    continue
                found[name] = Said(there, self.place(key), enabled=enabled(value, self._flags(key)))
        for name, value in self.table.items():
            said = found.get(name)
            if said is not None and (there := _with_zeros(said.value, value, found, self.table)) is not None:
                found[name] = replace(said, value=there)
        return found, silent

    def _flags(self, key: str) -> Mapping[str, Any]:
        """The keys beside one, by their own names, of which one may say that it does not count."""
        before = f"{CARRIED}."
        if not key.startswith(before):
            return self.all
        return {flag.removeprefix(before): value for flag, value in self.all.items() if flag.startswith(before)}

    @cached_property
    def numbers(self) -> dict[str, Number]:
        """Declared scalars, completed by what readers assume."""
        numbers: dict[str, Number] = {}
        lists: dict[str, Plain] = {}
        for name, said in self.said.items():
            if said.enabled and not isinstance(said.value, tuple):
                numbers[name] = said.value
            elif said.enabled:
                lists[name] = said.value
        for _ in range(3):  # a default may rest on a default
            for name, value in self.table.items():
                assumed = self._one(value, {**lists, **numbers}) if name not in numbers else None
                if assumed is not None and not isinstance(assumed, tuple):
                    numbers[name] = assumed
        return numbers

    def _one(self, line: Value, numbers: Mapping[str, Any]) -> Plain | None:
        own = _holding(self._own(line), numbers)
        return default(line, numbers) if own is None else evaluated(own, numbers)

    def reads_alike(self, name: str) -> bool:
        """Whether the readers of config.json and of GGUF take the same unasked, as far as both are known."""
        line = self.table[name]
        one, other = (_holding(own, self.numbers) for own in (line.config_default, line.gguf_default))
        return one == other

    def taken_unasked(self, name: str) -> bool:
        """Whether the readers of config.json take of themselves what those of this container build in."""
        line = self.table[name]
        held = _holding(self._own(line), self.numbers)
        return held is not None and held == next(iter(line.config_default), None)

    def _own(self, line: Value) -> tuple[Default, ...]:
        """What the readers of this container alone assume."""
        return {"config": line.config_default, "gguf": line.gguf_default}.get(self.kind, ())

    def builds(self, name: str) -> bool:
        """Whether it is known what the readers of this container alone compute with, where it is silent."""
        return name not in self.silenced and _holding(self._own(self.table[name]), self.numbers) is not None

    def assumed(self, name: str) -> Plain | None:
        """What readers of this container take where it declares none (None: nothing, or it is not known)."""
        value = self.unasked(name)
        return None if value is None else normal(value, self.table[name])

    def unasked(self, name: str) -> Plain | None:
        """The same in the words that the table of its family gives it."""
        line = self.table[name]
        if name in self.silenced and name not in self.said:
            return None
        own = _holding((*self._own(line), *((line.default,) if line.default else ())), self.numbers)
        layers = self.numbers.get("num_hidden_layers")
        value: Plain | None = self.numbers.get(name)
        if own is not None and own.values is not None:
            value = own.values
        if own is not None and own.period is not None and isinstance(layers, int):
            value = tuple(own.period[layer % len(own.period)] for layer in range(min(layers, MOST_KEYS)))
        if own is not None and own.shown_by is not None:
            weight, there, absent = own.shown_by
            value = there if weight in self.view.weights else absent
        if own is not None and (own.each_layer is not None or own.numbered is not None):
            value = self.view.layered.get(name, value)
        if own is not None and own.kinds is not None and isinstance(layers, int):
            value = by_kinds(own.kinds, self.view.layered, min(layers, MOST_KEYS))
        if value is None and self.kind == "config" and self.table[name].config:
            value = self.keys.defaults.get(name)
        return value

    def makes(self, name: str) -> bool:
        """Whether another value than the one that is written is made of others, where a flag says so."""
        line = self.table[name]
        return line.disabled_by is not None and line.default is not None and self.numbers.get(name) is not None

    def computes(self, name: str) -> bool:
        """Whether a value is made of others, one of which is declared."""
        line = self.table[name]
        return line.default is not None and any(part in self.said for part in line.default.parts)

    def made(self, name: str) -> Said | None:
        """A value that other values give (a rotary width of a rotary share), where the one that decides is declared."""
        line, value = self.table[name], self.numbers.get(name)
        parts = line.default.parts if line.default is not None else ()
        if value is None or not parts or parts[-1] not in self.said:
            return None
        return Said(value, self.said[parts[-1]].place)

    def rest(self, across: bool) -> dict[str, Plain | None]:
        """Keys that no line of the table took and that are not known to change nothing."""
        patterns = [pattern for idle in self.keys.idle if across or not idle.across for pattern in self._patterns(idle)]
        self.said  # noqa: B018 - takes its keys
        return {
            key: value
            for key, value in self.all.items()
            if key not in self._claimed
            and not (across and key in self._again)
            and not any(fnmatchcase(name, pattern) for pattern in patterns for name in (key, self.neutral(key)))
        }

    def _patterns(self, idle: Any) -> tuple[str, ...]:
        found: tuple[str, ...] = getattr(idle, self.document if self.kind == "config" else self.kind)
        return found

    def neutral(self, key: str) -> str:
        """A key with the architecture taken out."""
        prefix = f"{self.architecture}."
        return "{arch}." + key.removeprefix(prefix) if self.form.prefixed_keys and key.startswith(prefix) else key


def _with_zeros(value: Plain, line: Value, found: Mapping[str, Said], table: Mapping[str, Value]) -> Plain | None:
    """One number as a list with one a layer, where layers of a kind that is declared have none of it."""
    if isinstance(value, tuple):
        return None
    for kinds, none in line.zero_where.items():
        layers = found[kinds].value if kinds in found else None
        if isinstance(layers, tuple | str):
            without = [*none, *(normal(kind, table[kinds]) for kind in none)]
            return tuple(0 if kind in without else value for kind in layers)
    count = found[_LAYERS].value if _LAYERS in found else None
    if line.zero_but_in is not None and line.zero_but_in in found and isinstance(count, int):
        among = found[line.zero_but_in].value
        within = among if isinstance(among, tuple) else (among,)
        return tuple(value if layer in within else 0 for layer in range(min(count, MOST_KEYS)))
    if line.zero_not_at is not None:
        at, period = (found[name].value if name in found else None for name in line.zero_not_at)
        if isinstance(at, int) and isinstance(period, int) and isinstance(count, int) and period > 0:
            return tuple(value if layer % period == at else 0 for layer in range(min(count, MOST_KEYS)))
    return None


def _holding(defaults: tuple[Default, ...], numbers: Mapping[str, Number]) -> Default | None:
    """The first default whose conditions hold."""
    holding = (one for one in defaults if all(numbers.get(name) in values for name, values in one.where.items()))
    return next(holding, None)
