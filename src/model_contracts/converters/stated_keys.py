"""Owns the hyper-parameters of a model as GGUF states them: which keys, by what llama.cpp's converter writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from model_contracts.anatomy.declared.declared_keys import DeclaredSide
from model_contracts.anatomy.declared.declared_words import Plain
from model_contracts.anatomy.declared.key_table import key_table
from model_contracts.anatomy.families.hyperparameters import evaluated
from model_contracts.anatomy.view import View
from model_contracts.converters import rope
from model_contracts.converters.interface import ConversionRefused
from model_contracts.keys import Keys, Value
from model_contracts.outcome import Place, jsonable

#: What readers of every architecture compute with, where it follows from what a config.json declares.
_MADE = ("rope_dimension_count",)
#: The largest number of 32 bits.
_LARGEST = 3.4028234663852886e38


def stated(view: View, config: Mapping[str, Any], architecture: str, keys: Keys) -> dict[str, Any]:
    """Key to value, in the order of the table. Raises ConversionRefused for what GGUF cannot hold."""
    artifact = view.artifact
    if artifact.form.prefixed_keys:
        return {key: value for key, value in artifact.metadata.items() if key.startswith(f"{architecture}.")}
    found = _side(view, config, keys)
    return dict(_Statement(found, architecture, rope.kind_of(rope.scaling_of(config) or {})).all())


def stated_apr(view: View, config: Mapping[str, Any], keys: Keys) -> dict[str, Any]:
    """Key of .apr to value: all that config.json declares, or that follows from it, and that .apr has a key for."""
    side = _side(view, config, keys)
    found: dict[str, Any] = {}
    for name, line in side.table.items():
        said = side.said.get(name) or side.made(name)
        if line.apr and said is not None and said.enabled:
            found[line.apr[0]] = list(said.value) if isinstance(said.value, tuple) else said.value
    return found


def _side(view: View, config: Mapping[str, Any], keys: Keys) -> DeclaredSide:
    """A config.json read through the table of keys, whichever container the model comes from."""
    artifact = view.artifact
    named = {"config": artifact.sidecars["config"]} if "config" in artifact.sidecars else {}
    folder = View(
        replace(artifact, format="safetensors", layout="directory", config=config, sidecars=named), view.families
    )
    return DeclaredSide(folder, keys, key_table(keys, folder.family))


@dataclass(frozen=True)
class _Statement:
    """What one config.json is in the keys of one architecture of GGUF."""

    side: DeclaredSide
    architecture: str
    scaling: str | None

    @cached_property
    def _measured(self) -> tuple[str, ...]:
        return self.side.keys.measured.get(self.architecture, ())

    def all(self) -> Iterator[tuple[str, Any]]:
        """Every key that the converter of llama.cpp writes of such a model, and what must not be lost."""
        for name, line in self.side.table.items():
            key = self._key(line)
            if key is None or not self._wanted(name, line, key):
                continue
            value, place = self._value(name, key)
            if value is None:
                self._refuse_silence(name)
            else:
                yield f"{self.architecture}.{key}", _typed(key, value, place, line, self.side.keys)
        if (factors := rope.longrope(self.side.view.artifact.config or {}, self.architecture)) is not None:
            yield f"{self.architecture}.rope.scaling.attn_factor", factors[1]

    def _key(self, line: Value) -> str | None:
        """The key of a line without its prefix: the first that was measured, else its first."""
        prefix, general = f"{self.architecture}.", self.architecture not in line.differs
        found = [key.removeprefix("{arch}.") for key in line.gguf if general and key.startswith("{arch}.")]
        found += [key.removeprefix(prefix) for key in line.gguf if key.startswith(prefix)]
        return next((key for key in found if key in self._measured), found[0] if found else None)

    def _wanted(self, name: str, line: Value, key: str) -> bool:
        if rope.is_scaling(key):
            return line.gguf_written is not None or rope.states(self.scaling, key)
        family = self.side.view.family
        own = family.hyperparameters.get(name) if family is not None else None
        declared = name in self.side.said or self.side.made(name) is not None
        if not self._measured and (own is not None or (declared and name in _MADE) or not line.measured_only):
            return True
        if key in self._measured or line.carried or line.gguf_written is not None:
            return True
        return (declared and own is not None and own.owed) or self._unlike(name, line)

    def _unlike(self, name: str, line: Value) -> bool:
        """Whether readers of config.json take a value unasked that llama.cpp does not: silence would change it.

        Not one a layer: not every reader of such a key takes a list.
        """
        assumed = self.side.assumed(name) if line.config_default else None
        return assumed is not None and not isinstance(assumed, tuple) and not self.side.reads_alike(name)

    def _value(self, name: str, key: str) -> tuple[Plain | None, Place | str]:
        line = self.side.table[name]
        if (said := self.side.said.get(name)) is not None and said.enabled:
            return said.value, said.place
        if (made := self.side.made(name)) is not None:
            return made.value, made.place
        if (each := self.side.view.layered.get(name)) is not None and name not in self.side.silenced:
            return each, name
        if (written := line.gguf_written) is not None:
            return evaluated(written, self.side.numbers), name
        assumed = (
            key in self._measured
            or self._unlike(name, line)
            or (not self._measured and name in ("num_key_value_heads", "rope_theta"))
        )
        return (self.side.assumed(name), name) if assumed and not rope.is_scaling(key) else (None, name)

    def _refuse_silence(self, name: str) -> None:
        family = self.side.view.family
        owed = family is not None and name in family.hyperparameters and family.hyperparameters[name].owed
        if owed and name not in self.side.silenced and name not in self.side.said:
            raise ConversionRefused(f"{name}: GGUF needs it and the source declares none")


def _typed(key: str, value: Plain, place: Place | str, line: Value, keys: Keys) -> Any:
    """A value in the type that llama.cpp reads under its key."""
    if isinstance(value, tuple):
        filled = (*value, *(line.padding for _ in range(keys.lengths.get(key, 0) - len(value))))
        return [_typed(key, part, place, line, keys) for part in filled]
    if key in keys.floats:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LARGEST:
            raise _refused(place, "a positive number of 32 bits", value)
        return float(value)
    if key in keys.texts or isinstance(value, bool):
        return value
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32:
        raise _refused(place, "a whole number below 2^32", value)
    return value


def _refused(place: Place | str, held: str, value: Any) -> ConversionRefused:
    return ConversionRefused(f"{place}: GGUF holds {held}, not {jsonable(value)!r}")
