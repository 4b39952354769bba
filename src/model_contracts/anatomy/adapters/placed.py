"""Owns where a factor of an adapter belongs in its base: the tensor that its product is added to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from model_contracts.anatomy.adapters.experts import expert_places
from model_contracts.anatomy.adapters.fits import Misfit, Placed
from model_contracts.anatomy.families.conventions import Conventions
from model_contracts.anatomy.families.stored_names import NotKnown, StoredEntry, named
from model_contracts.anatomy.pairing.made import is_turned
from model_contracts.anatomy.parts.adapter_factors import Factor
from model_contracts.anatomy.parts.adapter_settings import AdapterSettings
from model_contracts.anatomy.view import View
from model_contracts.artifact import LowRank, Made, Tensor
from model_contracts.containers import Convention
from model_contracts.layout import (
    Apply,
    Concat,
    Expr,
    LayoutError,
    Permute,
    Reshape,
    Stored,
    Take,
    stored,
    substitute,
)


@dataclass
class Places:
    """The places of one base for the factors of one adapter."""

    base: View
    settings: AdapterSettings
    #: Whether the adapter has llama.cpp's names.
    gguf: bool
    _others: dict[StoredEntry, Tensor] = field(default_factory=dict)

    @property
    def _same(self) -> bool:
        return self.base.convention == self._convention

    @property
    def _convention(self) -> Convention:
        return "gguf" if self.gguf else "huggingface"

    def called(self, name: str) -> Tensor | str | None:
        """The tensor of the base that the adapter calls so; None for none; why it is not known, where it is not."""
        tensors = self.base.artifact.tensors
        if name in tensors:
            return tensors[name]
        if not self._same:
            return "its base has names and row orders of another convention"
        return self._by_bare.get(name) or self.base.by_canonical.get(self.base.find(name) or "")

    @cached_property
    def _by_bare(self) -> Mapping[str, Tensor]:
        return {bare: self.base.artifact.tensors[name] for name, bare in self.base.bare.items()}

    def may_have(self, name: str) -> bool:
        """Whether the family of the base knows a tensor that the base leaves out (the head of a tied model)."""
        return self.base.family is not None and self._same and self.base.find(name) is not None

    def of(self, factor: Factor) -> Iterator[Placed | Misfit]:
        """Where a factor and its bias belong."""
        if len(factor.halves) < 2:
            if factor.halves or factor.magnitude is not None:
                yield Misfit(factor.first, "a half of it is missing")
            return
        axes = {len(half.shape) for half in factor.halves.values()}
        if axes not in ({2}, {3}) or not all(half.elements for half in factor.halves.values()):
            yield Misfit(factor.first, "its halves are no two matrices, nor two stacks of them")
            return
        if axes == {3} and not self._same:
            yield Misfit(factor.first, "a stack of another convention than the base's is not computed here")
            return
        if factor.magnitude is not None and not self._same:
            yield Misfit(factor.first, "magnitudes of another convention than the base's are not computed here")
            return
        scale = self.settings.scale(factor.name, _rank(factor))
        if isinstance(scale, str):
            yield Misfit(factor.first, scale)
            return
        if self._same and not self.gguf and (experts := expert_places(self.base, self.settings, factor)):
            yield from experts
            return
        yield self._weight(factor, scale) if self._same else self._elsewhere(factor, scale)
        if factor.bias is not None:
            yield self._bias(factor, factor.bias, scale)

    def _weight(self, factor: Factor, scale: float) -> Placed | Misfit:
        name = factor.name if self.gguf else f"{factor.name}.weight"
        base = self.called(name)
        if base is None and not self.gguf:
            return self._parameter(factor)
        if not isinstance(base, Tensor):
            reason = "the base has no such tensor" if base is None else base
            return Misfit(factor.first, reason, False if base is None else None, name)
        if len(base.shape) != len(factor.first.shape):
            return Misfit(factor.first, f"{base.name} has {len(base.shape)} axes: what is added is not computed here")
        if len(base.shape) == 3:
            return self._stack(factor, base, scale)
        turned = self._turned(base) ^ is_turned(base)
        low = product(factor, scale, turned)
        if shape_of(low) != base.shape:
            reason = f"{base.name} is {list(base.shape)}"
            return Misfit(factor.first, reason, False, list(base.shape))
        added = added_to(base, low)
        across = turned or factor.embedding
        return Placed(base, factor.first, added, factor, factor.magnitude, across)

    def _stack(self, factor: Factor, base: Tensor, scale: float) -> Placed | Misfit:
        """A product for each index of the first axis, as llama.cpp's converter stacks those of experts."""
        a, b = factor.halves["A"], factor.halves["B"]
        fits = (
            a.shape[0] == b.shape[0] and a.shape[1] == b.shape[2] and (a.shape[0], b.shape[1], a.shape[2]) == base.shape
        )
        if not fits:
            return Misfit(factor.first, f"{base.name} is {list(base.shape)}", False, list(base.shape))
        return Placed(base, factor.first, added_to(base, LowRank(b, a, scale, experts=base.shape[0])), factor)

    def _turned(self, base: Tensor) -> bool:
        """Whether the base stores the matrix [in, out]: by its family, else as the configuration says."""
        entry, family = self.base.entries.get(base.name), self.base.family
        weight = family.tensors.get(entry.key) if family is not None and entry is not None else None
        if self.gguf:
            return False
        if weight is None:
            return self.settings.turned
        return any(step.transpose is not None for step in weight.huggingface_steps)

    def _parameter(self, factor: Factor) -> Placed | Misfit:
        """A parameter of three axes, a product for each index of the first (PEFT's target_parameters)."""
        a, b = factor.halves["A"], factor.halves["B"]
        found = []
        for name, base in self.base.artifact.tensors.items():
            if len(base.shape) != 3 or name.rpartition(".")[0] != factor.name or a.shape[0] % base.shape[0]:
                continue
            if (a.shape[1], b.shape[0]) in ((base.shape[2], base.shape[1]), (base.shape[1], base.shape[2])):
                found.append(base)
        if len(found) != 1:
            reason = (
                f"the base has no {factor.name}.weight" if not found else "several parameters of its shape are there"
            )
            known = not found and not self.settings.said.get("target_parameters")
            return Misfit(factor.first, reason, False if known else None, f"{factor.name}.weight")
        base = found[0]
        if base.shape[1] == base.shape[2]:
            return Misfit(factor.first, f"whether {base.name} is kept turned its square shape does not say")
        turned = (a.shape[1], b.shape[0]) != (base.shape[2], base.shape[1])
        rank = a.shape[0] // base.shape[0]
        scale = self.settings.scale(factor.name, rank)
        if isinstance(scale, str):
            return Misfit(factor.first, scale)
        low = LowRank(b, a, scale, turned, turned, base.shape[0])
        return Placed(base, factor.first, added_to(base, low), factor)

    def _bias(self, factor: Factor, bias: Tensor, scale: float) -> Placed | Misfit:
        name = f"{factor.name}.bias" if not self.gguf else f"{factor.name.removesuffix('.weight')}.bias"
        base = self.called(name)
        if not isinstance(base, Tensor):
            return Misfit(bias, base or "the base has no such bias", None if base else False, name)
        if bias.shape != base.shape:
            return Misfit(bias, f"{base.name} is {list(base.shape)}", False, list(base.shape))
        return Placed(base, bias, added_to(base, LowRank(bias, None, scale)), factor)

    def _elsewhere(self, factor: Factor, scale: float) -> Placed | Misfit:
        """A factor of the other convention: its product in the order in which the base has the weight."""
        other = self._conventions
        if other is None:
            return Misfit(factor.first, f"{self.base.unknown}: what its base calls it is not known")
        name = factor.name if self.gguf else f"{factor.name}.weight"
        entry = other.entry(name)
        if entry is None:
            return Misfit(factor.first, "the family of the base has no such tensor", False, name)
        try:
            return self._reordered(factor, scale, other, entry)
        except (NotKnown, LayoutError, ValueError) as error:
            return Misfit(factor.first, f"how it stands in its base is not known: {error}")

    def _reordered(self, factor: Factor, scale: float, other: Conventions, entry: StoredEntry) -> Placed | Misfit:
        ours = self.base.conventions
        assert ours is not None
        leaf = other.stored_shape(entry)
        turned = leaf == shape_of(product(factor, scale, True)) and leaf != shape_of(product(factor, scale, False))
        turned = turned or (not self.gguf and self._steps_turn(entry))
        low = product(factor, scale, turned)
        if shape_of(low) != leaf:
            return Misfit(factor.first, f"{other.name(entry)} is {list(leaf)}", False, list(leaf))
        key = other.keys(entry)[0]
        home = next(iter(one for one in ours.homes(key, entry.layer) if entry.expert in (None, one.expert)), None)
        base = next((self.base.artifact.tensors[n] for n, e in self.base.entries.items() if e == home), None)
        if home is None or base is None or entry.fused:
            return Misfit(factor.first, "which tensor of the base holds it is not known")
        whole = ours.stored(home)
        logical = {named(one, home.layer): other.expression(one, home.layer) for one in ours.keys(home)}
        whole = linear(substitute(whole, logical))
        if whole.shape != base.shape:
            return Misfit(factor.first, f"{base.name} is {list(base.shape)}, and {list(whole.shape)} by its family")
        self._others[entry] = added_to(replace(base, shape=leaf, packed=None), low)
        parts = {}
        for one in stored(whole):
            nothing = replace(base, shape=one.shape, packed=None, computed="zeros")
            known = other.entry(one.name)
            parts[one.name] = self._others.get(known, nothing) if known is not None else nothing
        added = replace(base, computed=None, packed=None, row_bytes=None, made=Made(whole, parts))
        return Placed(base, factor.first, added, factor, anew=True)

    def _steps_turn(self, entry: StoredEntry) -> bool:
        weight = self.base.family.tensors.get(entry.key) if self.base.family is not None else None
        return weight is not None and any(step.transpose is not None for step in weight.huggingface_steps)

    @cached_property
    def _conventions(self) -> Conventions | None:
        """How the adapter's convention stores the weights of the base's family."""
        ours = self.base.conventions
        return Conventions(ours.family, self._convention, ours.numbers) if ours is not None else None


def _rank(factor: Factor) -> int:
    a = factor.halves["A"]
    return a.shape[1] if len(a.shape) == 3 else factor.rank or 0


def product(factor: Factor, scale: float, turned: bool) -> LowRank:
    """The product of a factor; turned: [in, out]. Rows of an embedding are looked up: [tokens, width]."""
    a, b = factor.halves["A"], factor.halves["B"]
    if factor.by_rows:
        return LowRank(a, b, scale, False, True)
    if factor.embedding or turned:
        return LowRank(a, b, scale, True, True)
    return LowRank(b, a, scale)


def shape_of(low: LowRank) -> tuple[int, ...] | None:
    """The shape of a product of two matrices; None where their ranks differ."""
    if low.right is None:
        return low.left.shape
    left = low.left.shape[::-1] if low.left_turned else low.left.shape
    right = low.right.shape[::-1] if low.right_turned else low.right.shape
    return (left[0], right[1]) if left[1] == right[0] else None


def added_to(base: Tensor, low: LowRank) -> Tensor:
    """A product as a tensor beside its base."""
    return replace(base, computed=low, packed=None, made=None, row_bytes=None)


def linear(layout: Expr) -> Expr:
    """A layout of what was added: what it adds to every value is left out. Raises LayoutError for other functions."""
    match layout:
        case Stored():
            return layout
        case Reshape():
            return Reshape(linear(layout.of), layout.shape)
        case Permute():
            return Permute(linear(layout.of), layout.axes)
        case Take():
            return Take(linear(layout.of), layout.axis, layout.start, layout.stop, layout.step)
        case Concat():
            return Concat(tuple(linear(part) for part in layout.parts), layout.axis)
        case Apply():
            if layout.step.name == "add":
                return linear(layout.of)
            if layout.step.name in ("scale", "unscale"):
                return Apply(linear(layout.of), layout.step.name, layout.step.value)
    raise LayoutError(f"what {layout.step.name} makes of a sum is not that of its parts")
