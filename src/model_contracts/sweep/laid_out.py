"""Owns values under a declared layout: blocks of stored values copied to where the layout has them, and changed there.

Nothing larger than the block asked for is made: pieces are copied as strided views, without a list of places.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from model_contracts.layout import Compiled, Digit, LayoutError, LayoutPiece, ValueStep

#: Gives `count` values of a stored tensor from the `first` on, as a flat array.
Read = Callable[[str, int, int], Any]
#: Values between two stretches of a stored tensor that are read although no piece asks for them.
NEAR = 1024


def values(layout: Compiled, read: Read, near: int = NEAR) -> Any:
    """The values of a layout (of a rectangle of it, where it is large) in its shape, as float32 or wider.

    Stretches of stored values no further apart than `near` are read as one. Raises LayoutError for a step that asks
    for the whole tensor.
    """
    kinds = {read(name, 0, 0).dtype for name in {piece.name for piece in layout.pieces}}
    block = np.empty(layout.count, np.result_type(np.float32, *kinds))
    for piece in layout.pieces:
        _place(block, piece, read, near)
        if piece.steps:
            view = _view(block, piece.at, piece.digits, 1)
            view[...] = changed(view, piece.steps)
    return block.reshape(layout.shape)


def _place(block: Any, piece: LayoutPiece, read: Read, near: int) -> None:
    outer, inner, size = piece.stretches(near)

    def down(depth: int, at: int, first: int) -> None:
        if depth == len(outer):
            found = np.ascontiguousarray(read(piece.name, first, size))
            _view(block, at, inner, 1)[...] = _view(found, 0, inner, 2)
            return
        count, logical, stored = outer[depth]
        for here in range(count):
            down(depth + 1, at + here * logical, first + here * stored)

    down(0, piece.at, piece.first)


def _view(values: Any, at: int, digits: tuple[Digit, ...], side: int) -> Any:
    """The values from `at` on that digits step through, an axis for each; ValueError beyond the end of the array."""
    sizes, strides = [digit[0] for digit in digits], [digit[side] * values.itemsize for digit in digits]
    return np.ndarray(sizes, values.dtype, values, at * values.itemsize, strides)


def changed(values: Any, steps: tuple[ValueStep, ...]) -> Any:
    """Values after elementwise steps, in their own precision; raises LayoutError for what needs the whole tensor."""
    for step in steps:
        if step.name not in _CHANGES:
            raise LayoutError(f"{step.name}: expected a step on single values, found one on the whole tensor")
        with np.errstate(all="ignore"):
            values = _CHANGES[step.name](values, values.dtype.type(step.value or 0))
    return values


#: Exponentials are rounded once, from 64 bits: so the files of llama.cpp's converter hold them, bit for bit.
_CHANGES: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda values, value: values + value,
    "scale": lambda values, value: values * value,
    "unscale": lambda values, value: values / value,
    "neg_exp": lambda values, _: (-np.exp(values.astype(np.float64))).astype(values.dtype),
    "log_neg": lambda values, _: np.log(-values.astype(np.float64)).astype(values.dtype),
}
