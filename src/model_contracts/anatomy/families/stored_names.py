"""Owns what a convention calls the weights of a family: names to logical weights and back, of one artifact."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from model_contracts.anatomy.families.hyperparameters import Number, size_of
from model_contracts.anatomy.families.layers import in_layer, layers_of
from model_contracts.containers import Convention
from model_contracts.family import Dialect, Dimension, Family, FamilyTensor, Fused, Spelled

_NUMBER = re.compile(r"(?<=\.)(\d{1,5})(?=\.|$)")
#: Experts that are looked for, at most.
MOST_EXPERTS = 4096


class NotKnown(Exception):
    """A size that an expression needs and that nothing declares; says which."""


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """One stored tensor, understood: the key of its family's table, the layer and the index of axis 0 it stands for."""

    key: str
    layer: int | None = None
    expert: int | None = None
    fused: bool = False


@dataclass(frozen=True)
class StoredNames:
    """One family under one convention, with the hyper-parameters of one artifact: what its weights are called."""

    family: Family
    convention: Convention
    numbers: Mapping[str, Number]
    #: The name of the dialect of the convention that the artifact is in (None: the convention itself).
    dialect: str | None = None

    @property
    def _by_key(self) -> bool:
        """Whether weights are stored under the keys of the family's table: these are GGUF's names."""
        return self.convention == "gguf"

    @property
    def way(self) -> tuple[str, str | None]:
        """The convention and the dialect: two artifacts of one way store every weight alike."""
        return self.convention, self.dialect

    @cached_property
    def _dialect(self) -> Dialect | None:
        return self.family.dialects.get(self.dialect) if self.dialect is not None else None

    @cached_property
    def _own(self) -> dict[str, tuple[str, Spelled]]:
        """A logical weight to its name in the dialect."""
        found = self._dialect.names if self._dialect is not None else {}
        return {one.key: (name, one) for name, one in found.items() if self.family.tensors.get(one.key) is not None}

    def entry(self, name: str) -> StoredEntry | None:
        """What a stored name stands for; None where the family does not know it."""
        bare = name.removesuffix(".")
        found = _NUMBER.findall(bare)
        for count in range(len(found), -1, -1):
            taken = found[:count]
            known = self._table.get(_blank(bare, count))
            if known is not None:
                key, fused, order = known
                at = dict(zip(order, map(int, taken), strict=True))
                layer = at.get("n")
                if layer is not None and (listed := self._listed(key)) is not None:
                    if layer >= len(listed):
                        return None
                    layer = listed[layer]
                return StoredEntry(key, layer, at.get("e"), fused)
        return None

    def _listed(self, key: str) -> tuple[int, ...] | None:
        """The layers by whose place in a list a weight is numbered here (None: it bears the number of its layer)."""
        weight = self.family.tensors.get(key)
        if weight is None or weight.numbered_by is None or self._by_key:
            return None
        said: object = self.numbers.get(weight.numbered_by)
        listed = said if isinstance(said, list | tuple) else (said,)
        return tuple(one for one in listed if isinstance(one, int) and not isinstance(one, bool))

    def _numbered(self, key: str, layer: int | None) -> int | None:
        """The number that a weight of a layer bears. Raises NotKnown where the list has no such layer."""
        listed = self._listed(key) if layer is not None else None
        if listed is None or layer is None:
            return layer
        if layer not in listed:
            raise NotKnown(f"layer {layer} is not listed")
        return listed.index(layer)

    @cached_property
    def _table(self) -> dict[str, tuple[str, bool, str]]:
        """A name with its numbers taken out, to its key, whether that is of a fused one, and what the numbers count."""
        table: dict[str, tuple[str, bool, str]] = {}
        for key, (name, _) in self._own.items():
            table.setdefault(*_opened(name, key, False))
        for key, weight in self.family.tensors.items():
            for name in self._names(key, weight):
                table.setdefault(*_opened(name, key, False))
        for key in self._fused:
            for name in (key, self._alone(key)) if not self._by_key else (key,):
                table.setdefault(*_opened(name, key, True))
        return table

    def _names(self, key: str, weight: FamilyTensor | None) -> Iterator[str]:
        if weight is None or weight.only not in (None, self.convention) or key in self._own:
            return
        if self._dialect is not None and (self._dialect.alone or self.holds(key)):
            return
        if self._by_key:
            if not any(key in fused.of for fused in self._fused.values()):
                yield key
            return
        if weight.huggingface is not None:
            yield weight.huggingface
            yield self._alone(weight.huggingface)
        for name in weight.names:
            yield name
            yield self._alone(name)

    def _alone(self, name: str) -> str:
        """A name as a base model saved alone has it (aprender, January 2026, writes such names too)."""
        return name.removeprefix(self.family.base_prefix)

    @cached_property
    def _fused(self) -> dict[str, Fused]:
        found = {key: one for key, one in self.family.fused.get(self.convention, {}).items() if one is not None}
        if self._dialect is None:
            return found
        own = {part for fused in self._dialect.fused.values() for part in fused.of} | self._own.keys()
        left = {key: one for key, one in found.items() if not own & {*one.of} and not self._dialect.alone}
        known = self.family.tensors
        return left | {
            key: one for key, one in self._dialect.fused.items() if all(known.get(part) is not None for part in one.of)
        }

    @cached_property
    def _held(self) -> dict[str, str]:
        """A logical weight to the fused tensor that holds it."""
        return {part: key for key, fused in self._fused.items() for part in fused.of}

    def shape(self, key: str, layer: int | None) -> tuple[int, ...]:
        """The shape of a logical weight. Raises NotKnown."""
        weight = self.family.tensors[key]
        assert weight is not None
        return tuple(self.size(axis, layer) for axis in weight.shape)

    def size(self, axis: Dimension, layer: int | None) -> int:
        """The size of an axis in a layer. Raises NotKnown."""
        size = size_of(axis, in_layer(self.numbers, layer))
        if size is None or size < 0:
            raise NotKnown(f"{' x '.join(map(str, axis))} is not declared")
        return size

    def keys(self, entry: StoredEntry) -> tuple[str, ...]:
        """The logical weights that a stored tensor holds (a part of)."""
        return self._fused[entry.key].of if entry.fused else (entry.key,)

    def holds(self, key: str) -> bool:
        """Whether a logical weight stands in a fused tensor."""
        return key in self._held

    def homes(self, key: str, layer: int | None) -> Iterator[StoredEntry]:
        """The stored tensors that hold a logical weight; none where the other convention alone stores it.

        Raises NotKnown where they are one for each index of axis 0, and nothing says how many.
        """
        if (held := self._held.get(key)) is not None:
            yield StoredEntry(held, layer, fused=True)
            return
        weight = self.family.tensors.get(key)
        if weight is None or weight.only not in (None, self.convention):
            return
        if self._by_key or (weight.huggingface is not None and "{e}" not in weight.huggingface):
            yield StoredEntry(key, layer)
        elif weight.huggingface is not None:
            count = self.shape(key, layer)[0]
            if count > MOST_EXPERTS:
                raise NotKnown(f"{count:,} tensors make one weight, more than {MOST_EXPERTS:,}")
            yield from (StoredEntry(key, layer, index) for index in range(count))

    def name(self, entry: StoredEntry) -> str:
        """What the convention calls a stored tensor."""
        weight = self.family.tensors.get(entry.key)
        said = None if entry.fused or self._by_key or weight is None else weight.huggingface
        number = self._numbered(entry.key, entry.layer) if not entry.fused else entry.layer
        return named(said or entry.key, number, entry.expert)

    def _template(self, key: str, weight: FamilyTensor) -> str | None:
        """What a weight that stands alone is called."""
        if key in self._own:
            return self._own[key][0]
        return key if self._by_key else weight.huggingface

    def owed(self, layers: int) -> Iterator[tuple[str, str, FamilyTensor | Fused, range | tuple[int, ...]]]:
        """Stored names (templates) that the convention has, their key, what the family says, and their layers."""
        for key, weight in self.family.tensors.items():
            if weight is not None and key not in self._held and weight.only in (None, self.convention):
                name = self._template(key, weight)
                if name is not None:
                    yield name, key, weight, layers_of(weight.layers, self.numbers, layers)
        for key, fused in self._fused.items():
            first = self.family.tensors.get(fused.of[0])
            yield key, key, fused, layers_of(first.layers if first is not None else None, self.numbers, layers)


def named(template: str, layer: int | None, expert: int | None = None) -> str:
    """A template with its numbers."""
    name = template if layer is None else template.replace("{n}", str(layer))
    return name if expert is None else name.replace("{e}", str(expert))


def _blank(name: str, count: int) -> str:
    """A name with its first numbers taken out."""
    return _NUMBER.sub("{}", name, count=count) if count else name


def _opened(template: str, key: str, fused: bool) -> tuple[str, tuple[str, bool, str]]:
    order = "".join(one[1] for one in re.findall(r"\{[ne]\}", template))
    return re.sub(r"\{[ne]\}", "{}", template), (key, fused, order)
