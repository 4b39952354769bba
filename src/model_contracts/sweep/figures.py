"""Owns what a pass says of a packed weight beside its values: its scales and zero points, and how codes use them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf

#: Shared by all parts without a flaw, of which there may be a hundred thousand.
_NONE: Mapping[str, int] = {}


@dataclass(slots=True)
class PartFigures:
    """Numbers of one part that is not the values: a scale, a zero point, an order, a table.

    `minimum` and `maximum` are of finite numbers. `tiny` are subnormal in a type that has the exponents of F32.
    """

    count: int = 0
    nan: int = 0
    infinite: int = 0
    negative: int = 0
    zeros: int = 0
    tiny: int = 0
    #: Numbers whose magnitude is a power of two.
    powers: int = 0
    minimum: float = inf
    maximum: float = -inf
    #: The first stored element as a whole number, and how many equal it.
    first: int = 0
    alike: int = 0
    #: The first place of a number that is NaN, infinite, negative, tiny or zero (-1: none), by that word.
    places: Mapping[str, int] = field(default_factory=lambda: _NONE)

    @property
    def finite(self) -> int:
        """Numbers that are neither NaN nor infinite."""
        return self.count - self.nan - self.infinite


@dataclass(slots=True)
class UnitFigures:
    """How the codes of some units (values that share a scale) use their range; `looked` of `units` were looked at.

    A unit is *blank* where every code stands for zero, *flat* where all its codes are one other code, *short* where
    the largest of them stays below the end of the range, *lost* where codes are not zero and values are.
    """

    units: int = 0
    looked: int = 0
    blank: int = 0
    flat: int = 0
    short: int = 0
    lost: int = 0
    #: The largest share of the range that a unit used, over all that were looked at.
    reach: float = 0.0
    #: Units that stay below half of the range, and the first of them (row, first column).
    half: int = 0
    first_half: tuple[int, int] | None = None
    first_lost: tuple[int, int] | None = None
    first_flat: tuple[int, int] | None = None
    #: The sum of the codes of units that are not blank, and how many codes that is.
    total: float = 0.0
    codes: int = 0

    @property
    def mean(self) -> float | None:
        """The mean code, in steps of the scale (None: all are zero)."""
        return self.total / self.codes if self.codes else None

    @property
    def used(self) -> int:
        """Units that were looked at and whose codes are not all zero."""
        return self.looked - self.blank


@dataclass(slots=True)
class OrderFigures:
    """What an order of columns holds: how many columns each group has, and whether they follow each other."""

    groups: int = 0
    fewest: int = 0
    most: int = 0
    named: int = 0
    monotone: bool = False
    #: Every element is -1: the writer kept no order.
    unset: bool = False


#: Shared by the many weights that hold no order.
_NO_ORDERS: Mapping[str, OrderFigures] = {}


@dataclass(slots=True)
class PackedFigures:
    """All of one packed weight: by name of a part, and of its units (None: they are not known)."""

    parts: dict[str, PartFigures] = field(default_factory=dict)
    orders: Mapping[str, OrderFigures] = field(default_factory=lambda: _NO_ORDERS)
    units: UnitFigures | None = None
