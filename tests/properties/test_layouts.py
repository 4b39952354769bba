"""What is planned for a layout is what numpy builds, whole or in parts; inverses undo, and one layout has one form."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from model_contracts.layout import (
    Apply,
    Compiled,
    Concat,
    Expr,
    NotInvertible,
    Permute,
    Reshape,
    Stored,
    Take,
    compiled,
    inverse,
    leaves,
    same,
    simplify,
    substitute,
)
from model_contracts.sweep.gather import batches
from model_contracts.sweep.made import changed
from support.layouts import evaluated, expressions, numbered

EXAMPLES = settings(max_examples=200, deadline=None)


def values(layout: Compiled, arrays: dict[str, Any], itemsize: int) -> Any:
    """What is gathered; the larger an item is said to be, the shorter are the stretches that are read."""

    def read(name: str, first: int, room: Any) -> None:
        room[...] = arrays[name].reshape(-1)[first : first + len(room)]

    out = np.empty(layout.count, next(iter(arrays.values())).dtype)
    for one in batches(layout, itemsize):
        one.fill(out, read, changed)
    return out.reshape(layout.shape)


def by_runs(layout: Compiled, arrays: dict[str, Any], first: int, count: int) -> Any:
    found = [
        changed(arrays[run.name].reshape(-1)[run.first :: run.step][: run.size], run.steps)
        for run in layout.runs(first, count)
    ]
    return np.concatenate(found) if found else np.empty(0)


@EXAMPLES
@given(expressions())
def test_runs_and_blocks_give_what_numpy_builds(expr: Expr):
    arrays, layout = numbered(expr), compiled(expr)
    expected = evaluated(expr, arrays)
    assert np.array_equal(by_runs(layout, arrays, 0, layout.count), expected.reshape(-1))
    for itemsize in (8, 4096, 1 << 17):
        assert np.array_equal(values(layout, arrays, itemsize), expected)


@EXAMPLES
@given(expressions(), st.data())
def test_any_parts_of_a_range_give_the_same_values(expr: Expr, data: st.DataObject):
    arrays, layout = numbered(expr), compiled(expr)
    ends = sorted(data.draw(st.lists(st.integers(0, layout.count), max_size=5)))
    parts = [
        by_runs(layout, arrays, low, high - low) for low, high in zip([0, *ends], [*ends, layout.count], strict=True)
    ]
    assert np.array_equal(np.concatenate(parts), evaluated(expr, arrays).reshape(-1))


@EXAMPLES
@given(expressions(), st.data())
def test_any_rectangle_gives_the_values_in_it(expr: Expr, data: st.DataObject):
    arrays, layout = numbered(expr), compiled(expr)
    parts = []
    for size in (layout.height, layout.columns):
        start = data.draw(st.integers(0, size - 1))
        parts.append(range(start, data.draw(st.integers(start + 1, size)), data.draw(st.integers(1, 3))))
    found = layout.rectangle(*parts)
    whole = evaluated(expr, arrays).reshape(layout.height, layout.columns)
    assert np.array_equal(values(found, arrays, 2048), whole[np.ix_(*parts)])


@EXAMPLES
@given(expressions())
def test_the_box_of_a_piece_holds_all_that_it_reads(expr: Expr):
    shapes = leaves([expr])
    for piece in compiled(expr).pieces:
        columns = shapes[piece.name][-1] if shapes[piece.name] else 1
        rows, within = piece.box(columns)
        places = [piece.first]
        for size, _, stored in piece.digits:
            places = [place + here * stored for place in places for here in range(size)]
        assert all(place // columns in rows and place % columns in within for place in places)


@EXAMPLES
@given(expressions())
def test_the_normal_form_keeps_values_and_is_its_own(expr: Expr):
    arrays, simple = numbered(expr), simplify(expr)
    assert simple.shape == expr.shape
    assert np.array_equal(evaluated(simple, arrays), evaluated(expr, arrays))
    assert simplify(simple) == simple


@EXAMPLES
@given(expressions(parts=False))
def test_an_inverse_undoes_and_is_undone(expr: Expr):
    arrays = numbered(expr)
    whole = {"whole": evaluated(expr, arrays)}
    back = inverse(expr)
    for name, shape in leaves([expr]).items():
        assert np.array_equal(evaluated(back[name], whole), arrays[name])
        assert simplify(substitute(back[name], {"whole": expr})) == Stored(name, shape)
    assert simplify(substitute(expr, back)) == Stored("whole", expr.shape)


@EXAMPLES
@given(expressions(parts=False))
def test_the_inverse_of_an_inverse_of_one_tensor_is_the_layout(expr: Expr):
    if len(leaves([expr])) == 1:
        (name,) = leaves([expr])
        assert same(inverse(inverse(expr)[name], name)["whole"], expr)


@EXAMPLES
@given(expressions())
def test_what_has_no_inverse_is_refused_and_what_has_one_is_not(expr: Expr):
    arrays = numbered(expr)
    used = evaluated(without_steps(expr), arrays).reshape(-1)
    known = len(set(used)) == len(used) == sum(array.size for array in arrays.values())
    try:
        inverse(expr)
    except NotInvertible:
        assert not known
    else:
        assert known


def without_steps(expr: Expr) -> Expr:
    """The layout without its elementwise steps, so that equal values are equal places."""
    match expr:
        case Apply():
            return without_steps(expr.of)
        case Concat():
            return Concat(tuple(without_steps(part) for part in expr.parts), expr.axis)
        case Reshape():
            return Reshape(without_steps(expr.of), expr.shape)
        case Permute():
            return Permute(without_steps(expr.of), expr.axes)
        case Take():
            return Take(without_steps(expr.of), expr.axis, expr.start, expr.stop, expr.step)
    return expr
