"""Owns the plan of a target's tensors: each that its convention stores, and what of the source makes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from model_contracts.anatomy.families.conventions import Conventions
from model_contracts.anatomy.families.names import template
from model_contracts.anatomy.families.stored_names import NotKnown, StoredEntry, named
from model_contracts.anatomy.pairing.counterparts import Counterparts, Lacking
from model_contracts.anatomy.pairing.made import plain
from model_contracts.anatomy.view import View
from model_contracts.artifact import Tensor
from model_contracts.containers import FORMS, ContainerForm, Convention, Format
from model_contracts.converters.interface import ConversionRefused

HEAD, EMBEDDING, FREQUENCIES = "output.weight", "token_embd.weight", "rope_freqs.weight"
#: Factors of scaled positions: config.json has them as numbers, and a target that keeps them in tensors gets them anew.
_FACTORS = (FREQUENCIES, "rope_factors_long.weight", "rope_factors_short.weight")
#: Tensors that llama.cpp computes itself.
_COMPUTED = ("blk.{n}.attn_rot_embd",)


@dataclass(frozen=True, slots=True)
class Meant:
    """One tensor of the target: its name, its GGUF name (None: nothing knows it), and what makes it."""

    name: str
    canonical: str | None
    source: Tensor


@dataclass
class TensorPlan:
    """The tensors of a target whose source is of a shipped family, or known by name alone."""

    view: View
    format: Format
    #: Whether the output head is left out, for the embedding stands for it.
    tied: bool
    #: Whether Hugging Face's class is the base model, which is saved without the prefix of its names.
    alone: bool = False
    #: How many layers the target states (None: it does not): what stands beyond them is no part of it.
    layers: int | None = None
    #: Stored names that the target's convention has no place for.
    left_out: list[str] = field(default_factory=list)

    @property
    def convention(self) -> Convention:
        """The convention that the target is written in."""
        return FORMS[self.format].convention or "huggingface"

    def tensors(self) -> Iterator[Meant]:
        """Each tensor, in the order of the source. Raises ConversionRefused for what cannot be made."""
        known = self.view.conventions
        if known is None or known.convention == self.convention:
            yield from self._copied(known)
            return
        ours = Conventions(known.family, self.convention, known.numbers)
        counterparts, seen, unknown = Counterparts(self.view), set[StoredEntry](), list[str]()
        for name, tensor in self._owed():
            entry = self.view.entries[name]
            within = entry is not None and (self.layers is None or entry.layer is None or entry.layer < self.layers)
            homes = list(self._homes(ours, known.keys(entry), entry, name)) if entry is not None and within else []
            if not homes:
                (unknown if entry is None else self.left_out).append(name)
            for home in homes:
                if home not in seen:
                    seen.add(home)
                    yield from self._made(ours, counterparts, home, tensor)
        _refuse(unknown)

    def _made(self, ours: Conventions, counterparts: Counterparts, home: StoredEntry, part: Tensor) -> Iterator[Meant]:
        name, made = ours.name(home), counterparts.planned(ours, home)
        if isinstance(made, Lacking):
            raise ConversionRefused(
                f"{part.name}: {name}, which the convention {self.convention} stores, cannot be made: {made.reason}"
            )
        if made is not None:
            yield Meant(self._spelled(self._beside(home) or name), named(home.key, home.layer), made)

    def _beside(self, home: StoredEntry) -> str | None:
        """The name that a weight has because of another weight in its layer (None: none has a say in it)."""
        weight = self.view.family.tensors.get(home.key) if self.view.family is not None else None
        if weight is None or home.fused or not weight.named_beside or _gguf(FORMS[self.format]):
            return None
        there = {entry for entry in self.view.entries.values() if entry is not None and entry.layer == home.layer}
        names = (name for key, name in weight.named_beside.items() if StoredEntry(key, home.layer) in there)
        return next((named(name, home.layer) for name in names), None)

    def _homes(self, ours: Conventions, keys: tuple[str, ...], entry: StoredEntry, name: str) -> Iterator[StoredEntry]:
        try:
            for key in keys:
                yield from ours.homes(key, entry.layer)
        except NotKnown as error:
            raise ConversionRefused(
                f"{name}: how the convention {self.convention} stores it is not known: {error}"
            ) from None

    def _owed(self) -> Iterator[tuple[str, Tensor]]:
        """The tensors of the source that are to have a place in the target."""
        for name, tensor in self.view.artifact.tensors.items():
            canonical = self.view.canonical[name]
            if (canonical == HEAD and self.tied) or tensor.placeholder:
                continue
            if canonical in _FACTORS and self.view.convention != self.convention:
                continue
            if _gguf(FORMS[self.format]):
                bare = template(canonical)[0] if canonical is not None else None
                if bare in _COMPUTED or (canonical is None and name.endswith(self.view.computed)):
                    continue
            yield name, tensor

    def _copied(self, known: Conventions | None) -> Iterator[Meant]:
        """The tensors of a source that stores them as the target does, or whose names alone are known."""
        unknown = []
        for name, tensor in self._owed():
            canonical, entry = self.view.canonical[name], self.view.entries[name]
            if canonical is None and (_gguf(FORMS[self.format]) or _gguf(self.view.artifact.form)):
                unknown.append(name)
            elif known is not None and entry is not None:
                yield Meant(self._spelled(self._beside(entry) or known.name(entry)), canonical, plain(tensor))
            else:
                yield Meant(self._called(name, canonical), canonical, plain(tensor))
        _refuse(unknown)

    def _spelled(self, name: str) -> str:
        """A name of a family as the target's class bears it."""
        family = self.view.family
        alone = self.alone and self.convention == "huggingface" and family is not None
        return name.removeprefix(family.base_prefix) if alone and family is not None else name

    def _called(self, name: str, canonical: str | None) -> str:
        """The name of a tensor that no family knows."""
        if canonical is None:
            return name
        if _gguf(FORMS[self.format]):
            return canonical
        if name == canonical:
            raise ConversionRefused(f"{canonical}: no family is shipped that says its Hugging Face name")
        return name


def _gguf(form: ContainerForm) -> bool:
    """Whether the names in a container are llama.cpp's, whatever the model."""
    return form.convention == "gguf"


def _refuse(unknown: list[str]) -> None:
    if unknown:
        names = ", ".join(unknown[:3]) + (" …" if len(unknown) > 3 else "")
        raise ConversionRefused(f"{names}: no family and no map knows what {len(unknown)} tensors are called elsewhere")
