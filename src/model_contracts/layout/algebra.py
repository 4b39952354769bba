"""Owns what is worked out of layouts without a value read: the inverse, one put into another, and the normal form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from math import prod

from model_contracts.layout.compiled import Compiled, compiled, normal
from model_contracts.layout.expressions import (
    Apply,
    Concat,
    Expr,
    LayoutError,
    NotInvertible,
    Permute,
    Reshape,
    Shape,
    Stored,
    Take,
    stored,
)
from model_contracts.layout.merging import merged
from model_contracts.layout.pieces import LayoutPiece
from model_contracts.layout.steps import ValueStep
from model_contracts.layout.written import written

#: Comparisons of interleaved pieces of one tensor, and splits of them, after which they count as not told apart.
_MOST_SPLIT = 1 << 18
#: Times that a form is worked out anew until it stays; two but for orders that meet by chance.
_MOST_TRIES = 8


def inverse(expr: Expr, whole: str = "whole") -> dict[str, Expr]:
    """Each stored tensor of an expression as an expression over `Stored(whole, expr.shape)`.

    Raises NotInvertible, by the name of the stored tensor, where values of it are left out or stand twice, or where a
    step has no inverse.
    """
    return inverses({whole: expr})


def inverses(wholes: Mapping[str, Expr]) -> dict[str, Expr]:
    """Each stored tensor as an expression over several wholes together, as where K and V are parts of one tensor."""
    shapes = leaves(wholes.values())
    back: dict[str, list[LayoutPiece]] = {name: [] for name in shapes}
    for whole, expr in wholes.items():
        for piece in compiled(expr).pieces:
            back[piece.name].append(replace(piece.turned(), name=whole, steps=_undone(piece)))
    whole_shapes = {name: expr.shape for name, expr in wholes.items()}
    return {
        name: written(Compiled(shape, _covering(name, back[name], prod(shape))), whole_shapes)
        for name, shape in shapes.items()
    }


def _undone(piece: LayoutPiece) -> tuple[ValueStep, ...]:
    found: list[ValueStep] = []
    for step in reversed(piece.steps):
        if step.inverse is None:
            raise NotInvertible(f"{piece.name[:80]}: nothing undoes {step.name}")
        found.append(step.inverse)
    return tuple(found)


def _covering(name: str, pieces: list[LayoutPiece], size: int) -> tuple[LayoutPiece, ...]:
    """Pieces that fill a stored tensor, each place once; raises NotInvertible where they do not."""
    count = sum(piece.count for piece in pieces)
    if count < size:
        raise NotInvertible(f"{name[:80]}: {size - count:,} of its {size:,} values are left out")
    found = merged(pieces)
    if count > size or _overlap(found):
        raise NotInvertible(f"{name[:80]}: {f'{count - size:,}' if count > size else 'some'} of its values stand twice")
    return found


def _overlap(pieces: tuple[LayoutPiece, ...]) -> bool:
    """Whether two pieces share a place; they stand in the order of their first places."""
    active: list[LayoutPiece] = []
    budget = iter(range(_MOST_SPLIT))
    for piece in pieces:
        active = [other for other in active if other.last_at >= piece.at]
        if any(_meet(piece, other, budget) for other in active):
            return True
        active.append(piece)
    return False


def _meet(one: LayoutPiece, other: LayoutPiece, budget: Iterator[int]) -> bool:
    """Whether two boxes share a place: the wider is split along its widest digit until they part or are places."""
    todo = [(one, other)]
    while todo:
        a, b = todo.pop()
        if next(budget, None) is None:
            raise LayoutError(f"{a.name[:80]}: expected parts told apart in {_MOST_SPLIT} steps, found more")
        if a.at > b.last_at or b.at > a.last_at or _apart(a, b):
            continue
        if not a.digits and not b.digits:
            return True
        if a.last_at - a.at < b.last_at - b.at:
            a, b = b, a
        wide = max(a.digits, key=lambda digit: digit.logical)
        reach = a.last_at - a.at - (wide.size - 1) * wide.logical
        low = max(0, -(-(b.at - a.at - reach) // wide.logical))
        high = min(wide.size, (b.last_at - a.at) // wide.logical + 1)
        if high - low > _MOST_SPLIT:
            raise LayoutError(f"{a.name[:80]}: expected parts told apart in {_MOST_SPLIT} steps, found more")
        todo.extend((a.part(wide, at), b) for at in range(low, high))
    return False


def _apart(one: LayoutPiece, other: LayoutPiece) -> bool:
    """Whether both repeat at one stride and never meet within it, as columns of two parts of each row."""
    digits = (*one.digits, *other.digits)
    for border in {digit.logical for digit in digits} - {1}:
        if all(digit.logical < border or digit.logical % border == 0 for digit in digits):
            (start, end), (first, last) = (_within(piece, border) for piece in (one, other))
            if end < border and last < border and (end < first or last < start):
                return True
    return False


def _within(piece: LayoutPiece, border: int) -> tuple[int, int]:
    """The first and the last place modulo a border that the digits below the border reach."""
    start = piece.at % border
    return start, start + sum((digit.size - 1) * digit.logical for digit in piece.digits if digit.logical < border)


def substitute(expr: Expr, instead: Mapping[str, Expr]) -> Expr:
    """The expression with stored tensors replaced by expressions of the same shape; others stay.

    So GGUF's tensors over logical weights, with these over Hugging Face's tensors, are GGUF's over Hugging Face's.
    """
    match expr:
        case Stored():
            found = instead.get(expr.name, expr)
            if found.shape != expr.shape:
                raise LayoutError(f"substitute {expr.name[:80]}: expected {expr.shape}, found {found.shape}")
            return found
        case Reshape():
            return Reshape(substitute(expr.of, instead), expr.shape)
        case Permute():
            return Permute(substitute(expr.of, instead), expr.axes)
        case Take():
            return Take(substitute(expr.of, instead), expr.axis, expr.start, expr.stop, expr.step)
        case Concat():
            return Concat(tuple(substitute(part, instead) for part in expr.parts), expr.axis)
        case Apply():
            return Apply(substitute(expr.of, instead), expr.name, expr.value, expr.exact)


def simplify(expr: Expr) -> Expr:
    """The normal form: equal layouts become the same expression, and the identity `Stored` itself.

    What is too scattered to be written anew stays as it is (a reshape across axes that divide nothing).
    """
    shapes = leaves([expr])
    try:
        for _ in range(_MOST_TRIES):
            before, expr = expr, written(normal(expr), shapes)
            if expr == before:
                break
    except LayoutError:
        pass
    return expr


def leaves(exprs: Iterable[Expr]) -> dict[str, Shape]:
    """The shape of every stored tensor; raises LayoutError where one has two shapes."""
    found: dict[str, Shape] = {}
    for expr in exprs:
        for leaf in stored(expr):
            if found.setdefault(leaf.name, leaf.shape) != leaf.shape:
                raise LayoutError(f"{leaf.name[:80]}: expected {found[leaf.name]} everywhere, found {leaf.shape}")
    return found
