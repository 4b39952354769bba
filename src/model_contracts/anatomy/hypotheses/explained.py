"""Owns what shape a packed weight is to have, and which other setting would explain the shapes of its parts."""

from __future__ import annotations

from itertools import product

from model_contracts.anatomy.families.hyperparameters import size_of
from model_contracts.anatomy.storage.packed import PackedWeight
from model_contracts.anatomy.storage.part_shapes import solved
from model_contracts.anatomy.view import View
from model_contracts.scheme import Value


def family_shape(view: View, weight: PackedWeight) -> tuple[int, ...] | None:
    """The shape that the family and the hyper-parameters give the weight; None where they do not say."""
    canonical = view.canonical.get(weight.name)
    role = view.role(canonical) if canonical is not None else None
    if role is None or len(role.shape) < 2:
        return None
    sizes = [size_of(axis, view.numbers) for axis in role.shape]
    known = tuple(size for size in sizes if size is not None)
    if (entry := view.entries.get(weight.name)) is not None and entry.expert is not None:
        known, sizes = known[1:], sizes[1:]  # one expert by itself
    return known if len(known) == len(sizes) and all(size > 0 for size in known) else None


def fits(view: View, weight: PackedWeight) -> str | None:
    """The setting with another value under which every part has its shape, in words; None where there is none."""
    tried = {name: setting for name, setting in weight.layout.settings.items() if setting.choices}
    for size in range(1, min(len(tried), 2) + 1):
        for names in _subsets(list(tried), size):
            for values in product(*(tried[name].choices for name in names)):
                other = dict(zip(names, values, strict=True))
                if _explains(view, weight, other):
                    return _words(weight, other)
    return None


def _subsets(names: list[str], size: int) -> list[tuple[str, ...]]:
    if size == 1:
        return [(name,) for name in names]
    return [(first, second) for at, first in enumerate(names) for second in names[at + 1 :]]


def _explains(view: View, weight: PackedWeight, other: dict[str, Value]) -> bool:
    shape = family_shape(view, weight)
    if shape is None:
        part = weight.layout.parts[0]
        tensor = weight.part(part)
        if weight.layout.shape is not None:
            shape = weight.shape
        elif tensor is not None and part.shapes:
            shape = solved(part.shapes[0].axes, tensor, {**weight.settings, **other, "codes": 1})
    if shape is None:
        return False
    for part in weight.layout.parts:
        tensor = weight.part(part)
        if tensor is not None and part.shapes and tensor.shape not in (weight.shapes(part, shape, **other) or ()):
            return False
    return True


def _words(weight: PackedWeight, other: dict[str, Value]) -> str:
    place = str(weight.entry.place) if weight.entry is not None else "the configuration"
    said = [f"{_key(weight, name)} {weight.settings.get(name)}" for name in other]
    held = [f"{_key(weight, name)} {value}" for name, value in other.items()]
    return f"{place} says {', '.join(said)}; the stored shapes are those of {', '.join(held)}"


def _key(weight: PackedWeight, name: str) -> str:
    return next(iter(weight.layout.settings[name].keys), name)
