"""Owns the six expressions of which a declared layout is made, and what of them is refused when one is built.

A layout says how a tensor is made of stored ones: `Stored | Reshape | Permute | Take | Concat | Apply`. Every
expression knows its shape, outermost axis first; the values of each are numbered row-major. Bounds are of this module.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from typing import Any, ClassVar

from model_contracts.layout.steps import ValueStep

#: Axes of a shape, values of a tensor, steps above a stored tensor, and parts of one expression.
MOST_AXES, MOST_VALUES, MOST_DEPTH, MOST_NODES = 64, 1 << 48, 64, 65_536

Shape = tuple[int, ...]


class LayoutError(ValueError):
    """An expression that says nothing possible; the message names the step, what it expected and what it found."""


class NotInvertible(LayoutError):
    """The stored tensors cannot be made from the whole: values are left out, used twice or changed for good."""


def _checked(step: str, shape: object) -> Shape:
    if not isinstance(shape, tuple) or not all(type(size) is int for size in shape):
        raise LayoutError(f"{step}: expected a shape of whole numbers, found {_short(shape)}")
    sizes: Shape = shape
    if len(sizes) > MOST_AXES:
        raise LayoutError(f"{step}: expected at most {MOST_AXES} axes, found {len(sizes)}")
    if not all(1 <= size <= MOST_VALUES for size in sizes) or prod(sizes) > MOST_VALUES:
        raise LayoutError(f"{step}: expected sizes from 1 and at most 2^48 values, found {_short(sizes)}")
    return sizes


def _short(value: object) -> str:
    """A value of unknown size in at most 80 characters; a number of thousands of digits is not written out."""
    if isinstance(value, int) and value.bit_length() > 200:
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, tuple):
        return f"({', '.join(_short(part) for part in value[:8])}{', ..' if len(value) > 8 else ''})"
    return repr(value)[:80]


def _axis(step: str, axis: object, shape: Shape) -> int:
    if type(axis) is not int or not 0 <= axis < len(shape):
        raise LayoutError(f"{step}: expected an axis from 0 to {len(shape) - 1}, found {_short(axis)}")
    return axis


@dataclass(frozen=True)
class _Node:
    """What every expression knows: its shape, how deep it is and how many expressions it is made of."""

    #: What compiled.py worked out of it and kept; no part of what it says.
    known: ClassVar[Any] = None

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "known"}

    def _know(self, step: str, shape: object, parts: tuple[Expr, ...] = ()) -> None:
        depth = 1 + max((part.depth for part in parts), default=0)
        nodes = 1 + sum(part.nodes for part in parts)
        if depth > MOST_DEPTH or nodes > MOST_NODES:
            raise LayoutError(f"{step}: expected at most {MOST_DEPTH} steps and {MOST_NODES} parts, found more")
        for name, value in (("shape", _checked(step, shape)), ("depth", depth), ("nodes", nodes)):
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Stored(_Node):
    """A tensor as it is stored, or a logical weight: the leaf of every expression."""

    name: str
    shape: Shape
    depth: int = field(init=False, repr=False, compare=False)
    nodes: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._know(f"Stored {str(self.name)[:80]}", self.shape)


@dataclass(frozen=True)
class Reshape(_Node):
    """The same values in the same order under another shape."""

    of: Expr
    shape: Shape
    depth: int = field(init=False, repr=False, compare=False)
    nodes: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._know("Reshape", self.shape, (self.of,))
        if prod(self.shape) != prod(self.of.shape):
            raise LayoutError(f"Reshape to {self.shape}: expected as many values as in {self.of.shape}")


@dataclass(frozen=True)
class Permute(_Node):
    """Axes in another order: axis i of the result is axis `axes[i]` of the operand."""

    of: Expr
    axes: tuple[int, ...]
    shape: Shape = field(init=False, repr=False, compare=False)
    depth: int = field(init=False, repr=False, compare=False)
    nodes: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        known, axes = self.of.shape, self.axes
        if not all(type(axis) is int for axis in axes) or sorted(axes) != list(range(len(known))):
            raise LayoutError(f"Permute: expected each axis of {known} once, found {_short(axes)}")
        self._know("Permute", tuple(known[axis] for axis in axes), (self.of,))


@dataclass(frozen=True)
class Take(_Node):
    """Every `step`-th place from `start` up to `stop` of one axis."""

    of: Expr
    axis: int
    start: int
    stop: int
    step: int = 1
    shape: Shape = field(init=False, repr=False, compare=False)
    depth: int = field(init=False, repr=False, compare=False)
    nodes: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        axis, known = _axis("Take", self.axis, self.of.shape), self.of.shape
        found = (self.start, self.stop, self.step)
        if not all(type(number) is int for number in found):
            raise LayoutError(f"Take: expected whole numbers, found {_short(found)}")
        if not (0 <= self.start < self.stop <= known[axis] and self.step >= 1):
            raise LayoutError(f"Take on axis {axis}: expected a part of 0..{known[axis]}, found {_short(found)}")
        size = len(range(self.start, self.stop, self.step))
        object.__setattr__(self, "stop", self.start + (size - 1) * self.step + 1)
        self._know("Take", (*known[:axis], size, *known[axis + 1 :]), (self.of,))


@dataclass(frozen=True)
class Concat(_Node):
    """Parts one after the other along one axis; all other axes agree."""

    parts: tuple[Expr, ...]
    axis: int = 0
    shape: Shape = field(init=False, repr=False, compare=False)
    depth: int = field(init=False, repr=False, compare=False)
    nodes: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.parts:
            raise LayoutError("Concat: expected at least one part, found none")
        known = self.parts[0].shape
        axis = _axis("Concat", self.axis, known)
        for number, part in enumerate(self.parts):
            if (*part.shape[:axis], *part.shape[axis + 1 :]) != (*known[:axis], *known[axis + 1 :]) or len(
                part.shape
            ) != len(known):
                expected = f"{known} but for axis {axis}"
                raise LayoutError(f"Concat: expected part {number} to be {expected}, found {part.shape}")
        size = sum(part.shape[axis] for part in self.parts)
        self._know("Concat", (*known[:axis], size, *known[axis + 1 :]), self.parts)


@dataclass(frozen=True)
class Apply(_Node):
    """Every value changed by one elementwise step (`steps.py` has the names)."""

    of: Expr
    name: str
    value: float | None = None
    exact: bool = False
    shape: Shape = field(init=False, repr=False, compare=False)
    depth: int = field(init=False, repr=False, compare=False)
    nodes: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._know("Apply", self.of.shape, (self.of,))
        try:
            ValueStep(self.name, self.value, self.exact)
        except ValueError as error:
            raise LayoutError(str(error)) from None

    @property
    def step(self) -> ValueStep:
        """What is done to every value."""
        return ValueStep(self.name, self.value, self.exact)


Expr = Stored | Reshape | Permute | Take | Concat | Apply


def steps_of(expr: Expr) -> Iterator[ValueStep]:
    """Every elementwise step of an expression."""
    match expr:
        case Stored():
            return
        case Concat():
            for part in expr.parts:
                yield from steps_of(part)
        case Apply():
            yield expr.step
            yield from steps_of(expr.of)
        case _:
            yield from steps_of(expr.of)


def stored(expr: Expr) -> Iterator[Stored]:
    """Every stored tensor of an expression, as often as it stands there, in order."""
    match expr:
        case Stored():
            yield expr
        case Concat():
            for part in expr.parts:
                yield from stored(part)
        case _:
            yield from stored(expr.of)
