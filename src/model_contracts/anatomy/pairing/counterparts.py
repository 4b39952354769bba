"""Owns what of a source answers to a tensor of the target: one tensor, or what several make under declared layouts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from model_contracts.anatomy.families.conventions import Conventions
from model_contracts.anatomy.families.names import template
from model_contracts.anatomy.families.steps import transposed
from model_contracts.anatomy.families.stored_names import NotKnown, StoredEntry, named
from model_contracts.anatomy.pairing.made import facing, is_turned, made_of, plain
from model_contracts.anatomy.view import View
from model_contracts.artifact import Tensor
from model_contracts.layout import Expr, LayoutError, Stored, simplify, stored, substitute


@dataclass(frozen=True, slots=True)
class Unmade:
    """A tensor of the target that the source's do not make, why, and those of the source that are part of it."""

    tensor: Tensor
    reason: str
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeclaredLayout:
    """A stored tensor of the target over logical weights, each of these over stored tensors of the source, and these.

    `turned` are those that are packed turned, as plain tensors; `lacking` names of tensors that the source has not.
    """

    whole: Expr
    weights: Mapping[str, Expr]
    parts: Mapping[str, Tensor]
    turned: Mapping[str, Expr]
    lacking: tuple[str, ...] = ()

    @property
    def layout(self) -> Expr:
        """It over the stored tensors."""
        return substitute(self.whole, self.weights)


@dataclass(frozen=True, slots=True)
class Lacking:
    """Why a stored tensor that a family knows is not made of the source's, and those that are part of it."""

    reason: str
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Counterparts:
    """What the tensors of a source answer to, by the logical weights they hold."""

    source: View
    #: Names of tensors that mean what one before them means.
    doubles: set[str] = field(default_factory=set)

    @cached_property
    def _plain(self) -> dict[str, Tensor]:
        """Tensors by what they are called; the tensors of a stacked or fused weight are called by themselves."""
        found: dict[str, Tensor] = {}
        for name, tensor in self.source.artifact.tensors.items():
            entry = self.source.entries[name]
            if entry is not None and entry.expert is not None:
                continue
            key = self.source.canonical[name] or self.source.bare[name]
            if found.setdefault(key, tensor) is not tensor:
                self.doubles.add(name)
        return found

    @cached_property
    def _stored(self) -> dict[StoredEntry, Tensor]:
        """Tensors by what they stand for in the family."""
        found: dict[StoredEntry, Tensor] = {}
        for name, entry in self.source.entries.items():
            if entry is not None:
                found.setdefault(entry, self.source.artifact.tensors[name])
        return found

    def of(self, target: View, tensor: Tensor) -> Tensor | Unmade | None:
        """What answers to a tensor of the target; None where nothing of the source does."""
        known, entry = self.source.conventions, target.entries[tensor.name]
        key = target.canonical[tensor.name] or target.bare[tensor.name]
        same = self._plain.get(key)
        same = facing(tensor, same) if same is not None else None
        ours = target.conventions
        if known is None or ours is None or entry is None or not _alike(ours, known, entry):
            return same
        weight = ours.family.tensors.get(entry.key)
        unchanged = weight is not None and weight.alike and not _held(known, entry)
        if unchanged or ours.way == known.way:
            return same if entry.expert is None else self._stored.get(entry)
        answer = self._answer(ours, known, entry, tensor.name, is_turned(tensor))
        if isinstance(answer, Lacking):
            return Unmade(tensor, answer.reason, answer.parts)
        if answer is None or answer.made is None:
            return answer
        return replace(answer, made=replace(answer.made, grain=tensor.dtype))

    def planned(self, ours: Conventions, entry: StoredEntry) -> Tensor | Lacking | None:
        """What makes a tensor that a convention stores, be it there or only planned; None where no part of it is."""
        known, weight = self.source.conventions, ours.family.tensors.get(entry.key)
        assert known is not None  # a plan is made by a family
        known = replace(known, computing=ours.computing)
        alike = not entry.fused and weight is not None and weight.alike and not known.holds(entry.key)
        if alike or ours.way == known.way:
            there = self._stored.get(entry)
            return plain(there) if there is not None else None
        return self._answer(ours, known, entry, ours.name(entry))

    def declared(self, target: View, tensor: Tensor) -> DeclaredLayout | None:
        """How a tensor of the target is declared to be made; None where no family says it."""
        known, ours, entry = self.source.conventions, target.conventions, target.entries.get(tensor.name)
        if known is None or ours is None or entry is None or not _alike(ours, known, entry):
            return None
        try:
            found = self._declared(ours, known, entry, is_turned(tensor))
        except (NotKnown, LayoutError, ValueError):
            return None
        return None if found.lacking else found

    def _answer(
        self, ours: Conventions, known: Conventions, entry: StoredEntry, name: str, turned: bool = False
    ) -> Tensor | Lacking | None:
        """What makes a tensor of a convention, or its packed weight that is stored turned."""
        try:
            found = self._declared(ours, known, entry, turned)
            if found.lacking and not found.parts:
                return None
            if found.lacking:
                names = ", ".join(found.lacking[:3]) + (" …" if len(found.lacking) > 3 else "")
                reason = f"the source lacks {len(found.lacking)} of its parts: {names}"
                return Lacking(reason, tuple(part.name for part in found.parts.values()))
            whole = simplify(found.layout)
            return found.parts[whole.name] if isinstance(whole, Stored) else made_of(whole, found.parts, name)
        except (NotKnown, LayoutError, ValueError) as error:
            return Lacking(f"how it is made of the source is not known: {error}", self._near(known, ours, entry))

    def _declared(self, ours: Conventions, known: Conventions, entry: StoredEntry, turned: bool) -> DeclaredLayout:
        whole = transposed(ours.stored(entry)) if turned else ours.stored(entry)
        logical = {named(key, entry.layer): key for key in ours.keys(entry)}
        weights = {leaf.name: known.expression(logical[leaf.name], entry.layer) for leaf in stored(whole)}
        parts, lacking, plainly = dict[str, Tensor](), list[str](), dict[str, Expr]()
        for leaf in {leaf.name: leaf for one in weights.values() for leaf in stored(one)}.values():
            there = known.entry(leaf.name)
            part = self._stored.get(there) if there is not None else None
            if part is None:
                lacking.append(leaf.name)
                continue
            made: Expr = Stored(leaf.name, part.shape)
            if is_turned(part):
                made = plainly[leaf.name] = transposed(made)
            if made.shape != leaf.shape and part.packed is not None:
                raise NotKnown(part.packed.unread or f"its parts make {list(part.shape)}: {part.packed.layout}")
            if made.shape != leaf.shape:
                raise ValueError(f"{part.name} is {list(part.shape)}, and {list(leaf.shape)} by its family")
            parts[leaf.name] = part
        weights = {name: substitute(one, plainly) for name, one in weights.items()}
        return DeclaredLayout(whole, weights, parts, plainly, tuple(lacking))

    def beside(self, tensor: Tensor, layer: int) -> Tensor | None:
        """What a tensor of the source is in another layer; None where there is none."""
        entry = self.source.entries.get(tensor.name)
        if entry is not None:
            return self._stored.get(replace(entry, layer=layer))
        bare, number = template(self.source.canonical.get(tensor.name) or self.source.bare.get(tensor.name, ""))
        return self._plain.get(named(bare, layer)) if number is not None else None

    def _near(self, known: Conventions, ours: Conventions, entry: StoredEntry) -> tuple[str, ...]:
        """Tensors of the source that hold a part of the same weights."""
        keys = set(ours.keys(entry))
        return tuple(
            tensor.name
            for other, tensor in self._stored.items()
            if other.layer == entry.layer and keys & set(known.keys(other))
        )


def answered_in_part(target: View, source: View) -> Iterator[str]:
    """Fused tensors of the source of which a weight stands in no tensor of the target (gate without up)."""
    ours, theirs = target.conventions, source.conventions
    if ours is None or theirs is None or ours.family.id != theirs.family.id or ours.way == theirs.way:
        return
    held = {(key, entry.layer) for entry in target.entries.values() if entry is not None for key in ours.keys(entry)}
    for name, entry in source.entries.items():
        weights = theirs.keys(entry) if entry is not None and entry.fused else ()
        owed = (key for key in weights if (weight := ours.family.tensors[key]) is not None and weight.only is None)
        if entry is not None and any((key, entry.layer) not in held for key in owed):
            yield name


def _alike(ours: Conventions, known: Conventions, entry: StoredEntry) -> bool:
    """Whether both sides say of what an entry stands for: they are of one family, or agree on one plain weight."""
    if ours.family.id == known.family.id:
        return True
    weights = (known.family.tensors.get(entry.key), ours.family.tensors.get(entry.key))
    return all(weight is not None and weight.plain for weight in weights) and not _held(known, entry)


def _held(known: Conventions, entry: StoredEntry) -> bool:
    return known.holds(entry.key)
