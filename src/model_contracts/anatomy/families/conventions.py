"""Owns how a convention stores the logical weights of a family: expressions both ways, of one artifact."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

from model_contracts.anatomy.families.steps import stepped
from model_contracts.anatomy.families.stored_names import MOST_EXPERTS, NotKnown, StoredEntry, StoredNames, named
from model_contracts.family import Family, FamilyTensor, Fused
from model_contracts.layout import Concat, Expr, Reshape, Stored, Take, inverse, stored, substitute


@dataclass(frozen=True)
class Conventions(StoredNames):
    """One family under one convention, with the hyper-parameters of one artifact: its weights as expressions."""

    #: Whether only shapes are asked for, which no multiplier changes.
    shapes_only: bool = False
    #: Whether ternarised weights are taken as they stand, for a model that computes with them.
    computing: bool = False

    def stored(self, entry: StoredEntry) -> Expr:
        """A stored tensor over logical weights. Raises NotKnown, and ValueError where sizes do not fit."""
        if entry.fused:
            return self._whole(self._fused[entry.key], entry.layer)
        weight = self.family.tensors[entry.key]
        assert weight is not None
        whole: Expr = Stored(named(entry.key, entry.layer), self.shape(entry.key, entry.layer))
        if entry.expert is not None:
            if not 0 <= entry.expert < whole.shape[0]:
                raise ValueError(f"index {entry.expert} of {whole.shape[0]}")
            whole = Reshape(Take(whole, 0, entry.expert, entry.expert + 1), whole.shape[1:])
        return self._stepped(whole, entry.key, weight, entry.layer)

    def expression(self, key: str, layer: int | None) -> Expr:
        """A logical weight over stored tensors. Raises NotKnown, ValueError."""
        held = self._held.get(key)
        if held is not None:
            return inverse(self._whole(self._fused[held], layer), named(held, layer))[named(key, layer)]
        weight, shape = self.family.tensors[key], self.shape(key, layer)
        assert weight is not None
        name = self._template(key, weight)
        if name is None:
            raise NotKnown(f"{self.convention} stores no {key}")
        if "{e}" in name:
            return self._stacked(name, key, weight, shape, layer)
        logical, stored_name = named(key, layer), named(name, self._numbered(key, layer))
        return inverse(self._stepped(Stored(logical, shape), key, weight, layer), stored_name)[logical]

    def otherwise(
        self, keys: Sequence[str], layer: int | None, heads: Mapping[str, int]
    ) -> Iterator[tuple[str, Callable[[str], Expr | None]]]:
        """What else may be said of the fused tensors that hold some logical weights, and each weight by that saying."""
        for held in dict.fromkeys(self._held[key] for key in keys if key in self._held):
            fused = self._fused[held]
            for first, second in combinations(fused.of, 2):
                if {first, second} & {*keys}:
                    of = tuple({first: second, second: first}.get(key, key) for key in fused.of)
                    words = f"{named(second, layer)} and {named(first, layer)} exchanged in {named(held, layer)}"
                    yield words, self._said(held, fused.model_copy(update={"of": of}), layer)
            if fused.groups:
                plain = fused.model_copy(update={"groups": ()})
                yield f"pieces of {named(held, layer)} not grouped", self._said(held, plain, layer)
            for name, count in heads.items():
                if fused.groups not in ((name,), (count,)):
                    other = fused.model_copy(update={"groups": (count,)})
                    words = f"pieces of {named(held, layer)} in {count} groups ({name})"
                    yield words, self._said(held, other, layer)

    def _said(self, held: str, fused: Fused, layer: int | None) -> Callable[[str], Expr | None]:
        def weight(key: str) -> Expr | None:
            try:
                if key in fused.of:
                    return inverse(self._whole(fused, layer), named(held, layer))[named(key, layer)]
                return self.expression(key, layer)
            except (NotKnown, ValueError):
                return None

        return weight

    def _stacked(self, name: str, key: str, weight: FamilyTensor, shape: tuple[int, ...], layer: int | None) -> Expr:
        if shape[0] > MOST_EXPERTS:
            raise NotKnown(f"{shape[0]:,} tensors make one weight, more than {MOST_EXPERTS:,}")
        one = inverse(self._stepped(Stored("", shape[1:]), key, weight, layer), "\0")[""]
        stacked = (1, *shape[1:])
        parts = (named(name, layer, index) for index in range(shape[0]))
        return Concat(tuple(Reshape(_renamed(one, part), stacked) for part in parts), 0)

    def _whole(self, fused: Fused, layer: int | None) -> Expr:
        parts = [self._part(key, layer) for key in fused.of]
        axis = fused.axis
        if fused.groups:
            groups = self.size(fused.groups, layer)
            parts = [_grouped(part, axis, groups) for part in parts]
            joined: Expr = Concat(tuple(parts), axis + 1)
            shape = joined.shape
            joined = Reshape(joined, (*shape[:axis], shape[axis] * shape[axis + 1], *shape[axis + 2 :]))
        else:
            joined = Concat(tuple(parts), axis) if len(parts) > 1 else parts[0]
        return stepped(joined, fused.steps, lambda size: self.size((size,), layer), self._value)

    def _part(self, key: str, layer: int | None) -> Expr:
        """A logical weight with its own steps done, as a fused tensor holds it."""
        weight = self.family.tensors[key]
        assert weight is not None
        whole = Stored(named(key, layer), self.shape(key, layer))
        if self._dialect is not None and any(key in fused.of for fused in self._dialect.fused.values()):
            return whole
        return self._stepped(whole, key, weight, layer)

    def _stepped(self, whole: Expr, key: str, weight: FamilyTensor, layer: int | None) -> Expr:
        steps = weight.gguf_steps if self._by_key else weight.huggingface_steps
        steps = self._own[key][1].steps if key in self._own else steps
        if self.computing:
            steps = tuple(step for step in steps if step.ternarise is None)
        return stepped(whole, steps, lambda size: self.size((size,), layer), self._value)

    def _value(self, said: str | float) -> float:
        """What a step multiplies by (`name.1`: the second of a list); 1 where only shapes matter. Raises NotKnown."""
        if self.shapes_only:
            return 1.0
        value: object = said
        if isinstance(said, str):
            name, _, at = said.partition(".")
            value = self.numbers.get(name)
            if at and isinstance(value, list | tuple) and int(at) < len(value):
                value = value[int(at)]
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise NotKnown(f"{said}, by which it is multiplied, is not declared")
        return float(value)

    @cached_property
    def _shapes(self) -> Conventions:
        return replace(self, shapes_only=True)

    def stored_shape(self, entry: StoredEntry) -> tuple[int, ...]:
        """The shape of a stored tensor; what its values are multiplied by need not be known. Raises as `stored`."""
        return self._shapes.stored(entry).shape


def multipliers(family: Family) -> frozenset[str]:
    """Hyper-parameters that values of a family are multiplied by."""
    weights = (weight for weight in family.tensors.values() if weight is not None)
    steps = (step for weight in weights for step in (*weight.huggingface_steps, *weight.gguf_steps))
    return frozenset(step.scale.partition(".")[0] for step in steps if isinstance(step.scale, str))


def _renamed(expression: Expr, name: str) -> Expr:
    (leaf,) = stored(expression)
    return substitute(expression, {leaf.name: Stored(name, leaf.shape)})


def _grouped(part: Expr, axis: int, groups: int) -> Expr:
    shape = part.shape
    if axis >= len(shape) or groups <= 0 or shape[axis] % groups:
        raise ValueError(f"{shape[axis] if axis < len(shape) else 0:,} do not divide into {groups} groups")
    return Reshape(part, (*shape[:axis], groups, shape[axis] // groups, *shape[axis + 1 :]))
