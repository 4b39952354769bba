"""Owns what each axis of a tensor is made of: numbers of a configuration, found by changing one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

from model_contracts.drafting.classes import NotDrafted, Shapes

#: A factor of an axis: a key of the configuration, or a number.
Factor = str | int
#: Keys whose numbers are no sizes.
_NO_SIZES = ("_token_id", "_token_index", "_layers", "_layer", "_index", "_id")


@dataclass(frozen=True, slots=True)
class Axis:
    """The factors of one axis, and what is not certain about them (None: nothing)."""

    factors: tuple[Factor, ...]
    doubt: str | None = None


class Symbols:
    """A class under one configuration, and under those that have one number doubled."""

    def __init__(self, build: Callable[[Mapping[str, Any]], Shapes], config: Mapping[str, Any]) -> None:
        self.sizes = {key: value for key, value in config.items() if _may_be_size(key, value)}
        self.shapes = build(config)
        self.refused: list[str] = []
        self.changed: dict[str, Shapes] = dict(self._doubled(build, config))

    def _doubled(
        self, build: Callable[[Mapping[str, Any]], Shapes], config: Mapping[str, Any]
    ) -> Iterator[tuple[str, Shapes]]:
        for key, value in self.sizes.items():
            try:
                yield key, build({**config, key: 2 * value})
            except NotDrafted:
                self.refused.append(key)

    def axes(self, name: str) -> tuple[Axis, ...]:
        """What each axis of a tensor is made of."""
        return tuple(self._axis(name, at, size) for at, size in enumerate(self.shapes[name]))

    def _axis(self, name: str, at: int, size: int) -> Axis:
        above, below, added = [], [], []
        for key, shapes in self.changed.items():
            other = shapes.get(name, ())
            ratio = Fraction(other[at], size) if len(other) > at and size else Fraction(1)
            if ratio == 2:
                above.append(key)
            elif ratio == Fraction(1, 2):
                below.append(key)
            elif ratio != 1:
                added.append(key)
        if added:
            return Axis((size,), f"a sum or a share of {', '.join((*added, *above))}")
        rest = Fraction(size * prod(self.sizes[key] for key in below), prod(self.sizes[key] for key in above))
        factors: list[Factor] = sorted(above, key=lambda key: key == "head_dim")
        if below:
            if "hidden_size" in above and below == ["num_attention_heads"] and rest == 1:
                return Axis((*(key for key in above if key != "hidden_size"), "head_dim"))
            return Axis((size,), f"{' x '.join(above) or 'a number'} over {' x '.join(below)}")
        if rest.denominator != 1:
            return Axis((size,), f"{rest} of {' x '.join(above)}")
        if rest != 1 or not factors:
            factors.append(int(rest))
        return Axis(tuple(factors), None if above or size == 1 else self._no_reason(size))

    def _no_reason(self, size: int) -> str:
        near = [key for key in self.refused if self.sizes[key] == size]
        why = f"{', '.join(near)}, whose double the class refuses"
        return why if near else "no number of the configuration moves it"


def _may_be_size(key: str, value: object) -> bool:
    return type(value) is int and value > 1 and not key.endswith(_NO_SIZES)
