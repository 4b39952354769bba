"""Owns what each named step of a convention is in the algebra of layouts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from model_contracts.family import LayoutStep, Size
from model_contracts.layout import Apply, Expr, Permute, Reshape

Sized = Callable[[Size], int]
#: The number that a step multiplies by.
Valued = Callable[[str | float], float]


def stepped(whole: Expr, steps: Sequence[LayoutStep], size: Sized, value: Valued) -> Expr:
    """An expression after the steps. Raises ValueError where a size does not fit, and what `size` and `value` raise."""
    for step in steps:
        whole = _one(whole, step, size) if step.scale is None else Apply(whole, "scale", value(step.scale))
    return whole


def _one(whole: Expr, step: LayoutStep, size: Sized) -> Expr:
    shape = whole.shape
    if step.rows_within_heads is not None:
        return within_heads(whole, size(step.rows_within_heads))
    if step.transpose is not None:
        return transposed(whole)
    if step.split is not None:
        first = size(step.split)
        return Reshape(whole, (first, _part(shape[0], first), *shape[1:]))
    if step.insert_axis is not None:
        at = step.insert_axis if step.insert_axis >= 0 else len(shape) + 1 + step.insert_axis
        return Reshape(whole, (*shape[:at], 1, *shape[at:]))
    if step.tile is not None:
        a, b = map(size, step.tile)
        return _exchanged(whole, (a, b, _part(shape[0], a * b)), (1, 0, 2))
    if step.tile_columns is not None:
        a, b = map(size, step.tile_columns)
        back = Reshape(whole, (-(-prod(shape) // shape[-1]), a, b, _part(shape[-1], a * b)))
        return Reshape(Permute(back, (0, 2, 1, 3)), shape)
    if step.cut_columns is not None:
        sizes = tuple(map(size, step.cut_columns))
        if prod(sizes) != shape[-1]:
            raise ValueError(f"{shape[-1]:,} are not {' x '.join(map(str, sizes))}")
        return Reshape(whole, (*shape[:-1], *sizes))
    if step.add is not None:
        return Apply(whole, "add", step.add)
    return Apply(whole, "neg_exp" if step.ternarise is None else "ternarise")


def transposed(whole: Expr) -> Expr:
    """The last two axes exchanged. Raises ValueError for an axis alone."""
    shape = whole.shape
    if len(shape) < 2:
        raise ValueError(f"an axis alone cannot be transposed: {list(shape)}")
    axes = list(range(len(shape)))
    axes[-2:] = axes[-1], axes[-2]
    return Permute(whole, tuple(axes))


def within_heads(whole: Expr, heads: int, back: bool = False) -> Expr:
    """Rows of each head from two halves to pairs, as llama.cpp has Q and K of rotary families; or back.

    Raises ValueError where the rows are not so many heads of two halves.
    """
    half = _part(whole.shape[0] if whole.shape else 1, 2 * heads)
    return _exchanged(whole, (heads, half, 2) if back else (heads, 2, half), (0, 2, 1))


def _exchanged(whole: Expr, digits: tuple[int, int, int], order: tuple[int, int, int]) -> Expr:
    """Axis 0 as three, exchanged, and one again."""
    rest = whole.shape[1:]
    cut = Reshape(whole, (*digits, *rest))
    return Reshape(Permute(cut, (*order, *range(3, 3 + len(rest)))), whole.shape)


def _part(length: int, by: int) -> int:
    if by <= 0 or length % by:
        raise ValueError(f"{length:,} do not divide by {by:,}")
    return length // by
