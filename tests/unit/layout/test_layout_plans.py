"""Plans are short: an order of rows is a run a row, a transposed matrix is read in tiles, the identity is itself."""

from __future__ import annotations

import pytest

from model_contracts.layout import (
    Apply,
    Concat,
    Permute,
    Reshape,
    Stored,
    Take,
    ValueRun,
    ValueStep,
    compiled,
    inverse,
    same,
    simplify,
    substitute,
)
from support.family_layouts import halves_to_pairs

ROWS = halves_to_pairs(Stored("q", (64, 8)), 4)
WIDE = Stored("w", (16_384, 16_384))


def test_an_order_of_rows_is_a_run_a_row_and_goes_on_from_head_to_head():
    runs = list(compiled(ROWS).runs(0, 64 * 8))
    assert len(runs) == 64 - 3
    assert runs[:3] == [ValueRun("q", 0, 8), ValueRun("q", 64, 8), ValueRun("q", 8, 8)]


def test_an_order_of_values_is_a_strided_run_a_pair():
    assert list(compiled(halves_to_pairs(Stored("b", (16,)), 2)).runs(0, 8)) == [
        ValueRun("b", first, 2, 4) for first in range(4)
    ]


def test_a_transposed_matrix_is_a_strided_run_a_row():
    layout = compiled(Permute(WIDE, (1, 0)))
    assert list(layout.runs(16_384 * 7, 16_384 * 2)) == [ValueRun("w", at, 16_384, 16_384) for at in (7, 8)]
    assert list(layout.runs(5, 3)) == [ValueRun("w", 5 * 16_384, 3, 16_384)]


def test_a_tile_of_a_transposed_matrix_needs_one_rectangle_of_the_stored_one():
    tile = compiled(Permute(WIDE, (1, 0))).rectangle(range(512, 1024), range(256, 512))
    assert [piece.box(16_384) for piece in tile.pieces] == [(range(256, 512), range(512, 1024))]
    assert tile.shape == (512, 256)


def test_alternate_rows_are_read_as_such():
    (piece,) = compiled(Take(Stored("gate_up", (128, 64)), 0, 1, 128, 2)).pieces
    assert piece.box(64) == (range(1, 128, 2), range(64))


def test_the_identity_is_known_as_such():
    assert compiled(WIDE).plain == "w"
    assert compiled(ROWS).plain is None
    assert compiled(Apply(WIDE, "add", 1.0)).plain is None
    assert compiled(Take(WIDE, 0, 1, 3)).plain is None
    assert simplify(substitute(ROWS, inverse(ROWS, "q"))) == Stored("q", (64, 8))


@pytest.mark.parametrize(
    "written",
    [
        Reshape(Permute(Permute(Reshape(WIDE, (4, 4096, 16_384)), (1, 0, 2)), (1, 0, 2)), (16_384, 16_384)),
        Concat((Take(WIDE, 0, 0, 5), Take(WIDE, 0, 5, 16_384))),
        Concat((Take(WIDE, 1, 0, 5), Take(WIDE, 1, 5, 16_384)), 1),
        Take(Concat((Stored("other", (3, 16_384)), WIDE)), 0, 3, 16_387),
        Apply(Apply(WIDE, "add", 1.0), "add", -1.0),
        Apply(Apply(WIDE, "scale", 3.0), "unscale", 3.0),
        Reshape(Reshape(WIDE, (1, 16_384 * 16_384)), (16_384, 16_384)),
    ],
)
def test_what_changes_nothing_is_the_tensor_itself(written):
    assert simplify(written) == WIDE


def test_layouts_written_in_two_ways_are_the_same_and_others_are_not():
    twice = Permute(Reshape(Stored("q", (8, 6)), (2, 4, 3, 2)), (1, 0, 3, 2))
    again = Permute(Permute(Reshape(Stored("q", (8, 6)), (2, 4, 3, 2)), (1, 0, 2, 3)), (0, 1, 3, 2))
    assert same(twice, again) and simplify(twice) == simplify(again)
    assert not same(twice, Permute(Reshape(Stored("q", (8, 6)), (4, 2, 3, 2)), (0, 1, 3, 2)))
    assert not same(Stored("q", (8, 6)), Stored("k", (8, 6)))
    assert not same(Stored("q", (8, 6)), Reshape(Stored("q", (8, 6)), (48,)))


def test_elementwise_steps_are_known_for_a_range_and_say_whether_they_round():
    norms = Concat((Apply(Stored("a", (4,)), "add", 1.0, exact=True), Apply(Stored("b", (4,)), "neg_exp")))
    layout = compiled(norms)
    assert layout.steps(0, 4) == [(ValueStep("add", 1.0, True),)]
    assert layout.steps(2, 4) == [(ValueStep("add", 1.0, True),), (ValueStep("neg_exp"),)]
    assert compiled(inverse(norms)["a"]).steps(0, 4) == [(ValueStep("add", -1.0, True),)]


def test_conventions_compose_through_logical_weights():
    gate, up = Stored("gate", (6, 4)), Stored("up", (6, 4))
    ours = {"gate_up": Concat((gate, up))}
    theirs = {"mixed": Reshape(Permute(Reshape(Concat((gate, up)), (2, 6, 4)), (1, 0, 2)), (12, 4))}
    of_ours = {name: part for whole, expr in ours.items() for name, part in inverse(expr, whole).items()}
    mixed = simplify(substitute(theirs["mixed"], of_ours))
    assert mixed == Reshape(Permute(Reshape(Stored("gate_up", (12, 4)), (2, 6, 4)), (1, 0, 2)), (12, 4))
