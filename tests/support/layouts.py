"""Owns layouts for tests: the values of one, built as arrays, and random ones over stored tensors of small shapes."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st

from model_contracts.layout import Apply, Concat, Expr, Permute, Reshape, Stored, Take, leaves
from model_contracts.sweep.made import changed

#: Values of a random tensor, at most.
_MOST = 96


def evaluated(expr: Expr, arrays: Mapping[str, Any]) -> Any:
    """The values of a layout as numpy builds them, step by step; what is under test builds nothing."""
    match expr:
        case Stored():
            return arrays[expr.name].reshape(expr.shape)
        case Reshape():
            return evaluated(expr.of, arrays).reshape(expr.shape)
        case Permute():
            return evaluated(expr.of, arrays).transpose(expr.axes)
        case Take():
            part = (slice(None),) * expr.axis + (slice(expr.start, expr.stop, expr.step),)
            return evaluated(expr.of, arrays)[part]
        case Concat():
            return np.concatenate([evaluated(part, arrays) for part in expr.parts], expr.axis)
        case Apply():
            return changed(evaluated(expr.of, arrays), (expr.step,))


def numbered(*exprs: Expr) -> dict[str, Any]:
    """For every stored tensor values that no other place of any has; small enough that sums with them are exact."""
    found: dict[str, Any] = {}
    for number, (name, shape) in enumerate(leaves(exprs).items()):
        found[name] = np.arange(prod(shape), dtype=np.float64).reshape(shape) + 10_000 * (number + 1)
    return found


@st.composite
def expressions(draw: st.DrawFn, parts: bool = True, steps: bool = True) -> Expr:
    """A random layout: with `parts`, of parts of tensors and of tensors used twice too (without, it has an inverse)."""
    names = count()
    return draw(_below(draw(_shapes()), draw(st.integers(0, 5)), names, parts, steps))


@st.composite
def _shapes(draw: st.DrawFn, values: int | None = None) -> tuple[int, ...]:
    """A shape; of so many values exactly, where that is given."""
    if values is None:
        values = draw(st.sampled_from([n for n in range(1, _MOST + 1) if n % 2 == 0 or n % 3 == 0 or n < 8]))
    shape = []
    while values > 1 and len(shape) < 4:
        size = draw(st.sampled_from([n for n in range(1, values + 1) if values % n == 0]))
        shape.append(size)
        values //= size
    return (*shape, values) if values > 1 else tuple(shape)


@st.composite
def _below(draw: st.DrawFn, shape: tuple[int, ...], depth: int, names: Any, parts: bool, steps: bool) -> Expr:
    """A layout of the shape given, built from the outermost step inwards."""
    kinds = ["stored"] if not depth else ["reshape", "permute", "concat"] + ["apply"] * steps + ["take"] * parts
    kind = draw(st.sampled_from(kinds))

    def below(inner: tuple[int, ...]) -> Expr:
        return draw(_below(inner, depth - 1, names, parts, steps))

    if kind == "reshape" or (kind not in {"apply", "stored"} and not shape):
        return Reshape(below(draw(_shapes(prod(shape)))), shape)
    if kind == "permute":
        axes = tuple(draw(st.permutations(range(len(shape)))))
        back = sorted(range(len(axes)), key=axes.__getitem__)
        return Permute(below(tuple(shape[axis] for axis in back)), axes)
    if kind == "apply":
        return Apply(below(shape), *draw(st.sampled_from([("add", 1.0), ("add", -1.0), ("scale", 2.0)])))
    axis = draw(st.integers(0, max(len(shape) - 1, 0)))
    if kind == "take":
        start, step, rest = draw(st.integers(0, 3)), draw(st.integers(1, 3)), draw(st.integers(0, 3))
        stop = start + (shape[axis] - 1) * step + 1
        return Take(below((*shape[:axis], stop + rest, *shape[axis + 1 :])), axis, start, stop, step)
    if kind == "concat" and shape[axis] > 1:
        first = draw(st.integers(1, shape[axis] - 1))
        sizes = (first, shape[axis] - first)
        found = [below((*shape[:axis], size, *shape[axis + 1 :])) for size in sizes]
        if parts and draw(st.booleans()):  # both parts of one tensor, in either order
            whole = below(shape)
            found = [Take(whole, axis, 0, first), Take(whole, axis, first, shape[axis])][
                :: draw(st.sampled_from([1, -1]))
            ]
            return Concat(tuple(found), axis)
        return Concat(tuple(found), axis)
    return Stored(f"t{next(names)}", shape)
