"""Owns rival layouts: the declared one with a step left out, done twice, inverted, or with parts exchanged.

A file that was made wrongly holds the right values in such an order. Each rival has the shape of the declared layout,
and a sentence of plain words for a report. None equals the declared layout or one given before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from math import prod

from model_contracts.layout.compiled import Compiled, normal
from model_contracts.layout.expressions import (
    Apply,
    Concat,
    Expr,
    LayoutError,
    Permute,
    Reshape,
    Shape,
    Stored,
    Take,
    stored,
)
from model_contracts.layout.steps import undone

#: Rivals of one layout, other head counts of one order, and parts that are changed one by one.
MOST_RIVALS, _MOST_COUNTS, _MOST_PARTS = 256, 64, 8

Rival = tuple[str, Expr]


def mutations(expr: Expr) -> Iterator[Rival]:
    """What is wrong, and the layout that a file wrong in this way has; at most MOST_RIVALS, each of another order."""
    seen: set[Compiled] = {normal(expr)}
    for sentence, rival in _rivals(expr):
        if len(seen) > MOST_RIVALS:
            return
        try:
            form = normal(rival)
        except LayoutError:
            continue
        if rival.shape == expr.shape and form not in seen:
            seen.add(form)
            yield sentence, rival


@dataclass(frozen=True)
class _Order:
    """A permutation with the reshapes around it: `of` seen as `before`, its axes in another order, seen as `shape`."""

    of: Expr
    before: Shape
    axes: tuple[int, ...]
    shape: Shape

    def on(self, of: Expr, before: Shape | None = None, axes: tuple[int, ...] | None = None) -> Expr:
        """This order, or one with other axes, of another operand."""
        found = Permute(Reshape(of, before or self.before), axes or self.axes)
        return Reshape(found, self.shape)

    @property
    def whole(self) -> bool:
        """Whether it only transposes: no axis was split for it."""
        return self.before == self.of.shape

    @property
    def transposes(self) -> bool:
        """Whether it exchanges the last two axes, whatever stands before them."""
        axes = tuple(range(len(self.axes)))
        return self.whole or (
            self.axes == (*axes[:-2], *axes[-2:][::-1]) and self.shape == tuple(self.before[axis] for axis in self.axes)
        )

    @property
    def kept(self) -> int:
        """Values behind each place that is moved: the product of the last axes that stay."""
        last = len(self.axes)
        while last and self.axes[last - 1] == last - 1:
            last -= 1
        return prod(self.before[last:])

    @property
    def moved(self) -> str:
        """What is moved, in words."""
        if len(self.of.shape) < 2:
            return "values"
        if self.kept % self.of.shape[-1] == 0:
            return "rows"
        return "columns" if self.axes[:1] == (0,) else "axes"


def _order(expr: Expr) -> _Order | None:
    outer = expr
    while isinstance(outer, Reshape):
        outer = outer.of
    if not isinstance(outer, Permute):
        return None
    inner = outer.of
    while isinstance(inner, Reshape):
        inner = inner.of
    return _Order(inner, outer.of.shape, outer.axes, expr.shape)


def _rivals(expr: Expr) -> Iterator[Rival]:
    """Rivals of the outermost step, then those of what stands below it."""
    order = _order(expr)
    if order is not None:
        yield from _orders(order)
        yield from _around(order.of, order.on)
        return
    match expr:
        case Stored():
            return
        case Reshape():
            shape = expr.shape
            yield from _around(expr.of, lambda of: Reshape(of, shape))
        case Permute():
            return
        case Take():
            yield from _other_parts(expr)
            axis, start, stop, step = expr.axis, expr.start, expr.stop, expr.step
            yield from _around(expr.of, lambda of: Take(of, axis, start, stop, step))
        case Concat():
            yield from _exchanged(expr)
            yield from _in_parts(expr)
        case Apply():
            yield from _steps(expr)
            name, value, exact = expr.name, expr.value, expr.exact
            yield from _around(expr.of, lambda of: Apply(of, name, value, exact))


def _around(below: Expr, rebuild: Callable[[Expr], Expr]) -> Iterator[Rival]:
    """The rivals of an operand with the steps above it; those that these do not fit are none."""
    for sentence, rival in _rivals(below):
        try:
            yield sentence, rebuild(rival)
        except LayoutError:
            continue


def _orders(order: _Order) -> Iterator[Rival]:
    back = tuple(sorted(range(len(order.axes)), key=order.axes.__getitem__))
    turned = tuple(order.before[axis] for axis in order.axes)
    what = "transposed" if order.transposes else f"{order.moved} permuted"
    negated = "not transposed" if order.transposes else f"{order.moved} not permuted"
    yield negated, Reshape(order.of, order.shape)
    if not order.whole or order.shape == order.before:
        yield f"{what} twice", order.on(order.on(order.of))
        yield f"{what} the other way round", order.on(order.of, turned, back)
    if not order.whole:
        yield from _counts(order, what)


def _counts(order: _Order, what: str) -> Iterator[Rival]:
    """The same order for other numbers of heads: the first axis that was split, against the longest of its parts."""
    inner = order.before
    for first, last in _split(order):
        whole, declared = inner[first] * inner[last], inner[first]
        counts = [count for count in range(1, whole + 1) if whole % count == 0 and count != declared]
        for count in sorted(counts, key=lambda count: (max(count, declared) / min(count, declared), count))[
            :_MOST_COUNTS
        ]:
            other = list(inner)
            other[first], other[last] = count, whole // count
            heads = f"{count} head{'s' if count > 1 else ''} instead of {declared}"
            yield f"{what} for {heads}", order.on(order.of, tuple(other))


def _split(order: _Order) -> list[tuple[int, int]]:
    """The first and the last axis into which each axis of the operand was split, where it was split and is moved."""
    found, at = [], 0
    for size in order.of.shape:
        start, product = at, 1
        while at < len(order.before) and (product < size or order.before[at] == 1):
            product *= order.before[at]
            at += 1
        if product != size:
            return []
        moved = order.axes[start:at] != tuple(range(start, at))
        if at - start > 1 and moved:
            found.append((start, at - 1))
    return found


def _steps(expr: Apply) -> Iterator[Rival]:
    left_out, twice, turned = undone(expr.step)
    yield left_out, expr.of
    if expr.name != "ternarise":  # its number is that of a stored tensor
        yield twice, Apply(expr, expr.name, expr.value, expr.exact)
    if (back := expr.step.inverse) is not None:
        yield turned, Apply(expr.of, back.name, back.value, back.exact)


def _other_parts(expr: Take) -> Iterator[Rival]:
    """Another part of the same size: a neighbouring one, every other place instead of a stretch, and back."""
    size, whole = expr.shape[expr.axis], expr.of.shape[expr.axis]
    declared = _places(expr)
    stretches = [(start, start + size, 1) for start in range(0, whole - size + 1, size)]
    step = whole // size
    stepped = [(start, start + (size - 1) * step + 1, step) for start in range(step)] if step > 1 else []
    for start, stop, every in (stepped + stretches if expr.step > 1 else stretches + stepped)[:_MOST_COUNTS]:
        other = Take(expr.of, expr.axis, start, stop, every)
        yield f"{_places(other)} taken instead of {declared}", other


def _places(expr: Take) -> str:
    last = len(expr.of.shape) - 1
    name = "value" if not last else "column" if expr.axis == last else "row" if expr.axis == last - 1 else "slice"
    if expr.step > 1:
        return f"every {_ordinal(expr.step)} {name} from {expr.start} on"
    return f"{name}s {expr.start} to {expr.stop - 1}" if expr.stop - expr.start > 1 else f"{name} {expr.start}"


def _ordinal(number: int) -> str:
    teen = number % 100 // 10 == 1
    return (
        "second" if number == 2 else f"{number}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"
    )


def _exchanged(expr: Concat) -> Iterator[Rival]:
    """Two parts of one shape in each other's place; of many parts the first two, all in reverse, and all moved on."""
    many = len(expr.parts)
    pairs = list(combinations(range(many), 2)) if many <= _MOST_PARTS else [(0, 1)]
    for first, second in pairs:
        if expr.parts[first].shape == expr.parts[second].shape:
            parts = list(expr.parts)
            parts[first], parts[second] = parts[second], parts[first]
            names = _called(expr.parts[first], first), _called(expr.parts[second], second)
            if names[0] == names[1]:
                names = f"part {first}", f"part {second}"
            yield f"{names[0]} and {names[1]} exchanged", Concat(tuple(parts), expr.axis)
    if many > 2:
        yield "parts in reverse", Concat(expr.parts[::-1], expr.axis)
        yield "parts moved on by one", Concat((expr.parts[-1], *expr.parts[:-1]), expr.axis)
        yield "parts moved back by one", Concat((*expr.parts[1:], expr.parts[0]), expr.axis)


def _called(part: Expr, number: int) -> str:
    """The name of the one stored tensor that a part is made of; its number where there are several."""
    names = {leaf.name for leaf in stored(part)}
    return names.pop() if len(names) == 1 else f"part {number}"


def _in_parts(expr: Concat) -> Iterator[Rival]:
    """The same rival in every part where all have it, and in each part by itself where there are few."""
    axis, parts = expr.axis, expr.parts
    for rivals in zip(*(_rivals(part) for part in parts), strict=False):
        if len({sentence for sentence, _ in rivals}) == 1:
            sentence = rivals[0][0] + (" in every part" if len(parts) > 1 else "")
            yield sentence, Concat(tuple(rival for _, rival in rivals), axis)
    for number, part in enumerate(parts if 1 < len(parts) <= _MOST_PARTS else ()):
        for sentence, rival in _rivals(part):
            if rival.shape == part.shape:
                changed = (*parts[:number], rival, *parts[number + 1 :])
                yield f"{_called(part, number)}: {sentence}", Concat(changed, axis)
