"""Rivals of a declared layout are what is done wrongly in practice, each with a sentence that says what."""

from __future__ import annotations

import pytest

from model_contracts.layout import Apply, Concat, Expr, Permute, Reshape, Stored, Take, mutations, same
from support.family_layouts import halves_to_pairs, stacked, tiled

Q = Stored("q", (64, 8))
PAIRS = halves_to_pairs(Q, 4)
SQUARE, LONG = Stored("w", (8, 8)), Stored("w", (8, 6))
GATE, UP = Stored("gate", (4, 8)), Stored("up", (4, 8))
NORM = Stored("norm", (8,))
BOTH = Stored("gate_up", (2, 8, 4))


@pytest.mark.parametrize(
    ("expr", "sentence", "rival"),
    [
        (PAIRS, "rows not permuted", Q),
        (PAIRS, "rows permuted twice", halves_to_pairs(PAIRS, 4)),
        (PAIRS, "rows permuted for 8 heads instead of 4", halves_to_pairs(Q, 8)),
        (PAIRS, "rows permuted for 1 head instead of 4", halves_to_pairs(Q, 1)),
        (
            PAIRS,
            "rows permuted the other way round",
            Reshape(Permute(Reshape(Q, (4, 8, 2, 8)), (0, 2, 1, 3)), (64, 8)),
        ),
        (tiled(Q, 1, 2, 4), "columns not permuted", Q),
        (halves_to_pairs(NORM, 2), "values permuted for 1 head instead of 2", halves_to_pairs(NORM, 1)),
        (Permute(SQUARE, (1, 0)), "not transposed", SQUARE),
        (Permute(LONG, (1, 0)), "not transposed", Reshape(LONG, (6, 8))),
        (Apply(NORM, "add", 1.0), "1 not added", NORM),
        (Apply(NORM, "add", 1.0), "1 added twice", Apply(Apply(NORM, "add", 1.0), "add", 1.0)),
        (Apply(NORM, "add", 1.0), "1 subtracted instead of added", Apply(NORM, "add", -1.0)),
        (Apply(NORM, "neg_exp"), "-exp(x) not taken", NORM),
        (Concat((GATE, UP)), "gate and up exchanged", Concat((UP, GATE))),
        (Take(BOTH, 1, 0, 4), "rows 4 to 7 taken instead of rows 0 to 3", Take(BOTH, 1, 4, 8)),
        (Take(BOTH, 1, 0, 4), "every second row from 0 on taken instead of rows 0 to 3", Take(BOTH, 1, 0, 8, 2)),
        (Take(BOTH, 1, 1, 8, 2), "rows 4 to 7 taken instead of every second row from 1 on", Take(BOTH, 1, 4, 8)),
        (Concat((PAIRS, Stored("k", (8, 8)))), "q: rows not permuted", Concat((Q, Stored("k", (8, 8))))),
        (Reshape(PAIRS, (512,)), "rows not permuted", Reshape(Q, (512,))),
    ],
)
def test_a_rival_says_what_is_wrong_and_is_that(expr: Expr, sentence: str, rival: Expr):
    found = [other for words, other in mutations(expr) if words == sentence]
    assert len(found) == 1, [words for words, _ in mutations(expr)]
    assert same(found[0], rival)


@pytest.mark.parametrize(
    "expr", [PAIRS, tiled(Q, 1, 2, 4), Permute(SQUARE, (1, 0)), Take(BOTH, 1, 0, 4), Concat((GATE, UP))]
)
def test_no_rival_is_the_declared_layout_or_another_one_or_of_another_shape(expr: Expr):
    rivals = [rival for _, rival in mutations(expr)]
    assert rivals and all(rival.shape == expr.shape and not same(rival, expr) for rival in rivals)
    assert not any(same(one, other) for at, one in enumerate(rivals) for other in rivals[:at])


def test_a_tensor_as_it_is_stored_has_no_rival():
    assert list(mutations(Q)) == [] == list(mutations(Reshape(Q, (512,))))


def test_experts_are_changed_alike_and_their_order_is_questioned():
    experts = Concat(
        tuple(Reshape(Permute(Stored(f"e{n}", (4, 4)), (1, 0)), (1, 4, 4)) for n in range(12)),
    )
    sentences = [sentence for sentence, _ in mutations(experts)]
    assert sentences == [
        "e0 and e1 exchanged",
        "parts in reverse",
        "parts moved on by one",
        "parts moved back by one",
        "not transposed in every part",
    ]
    assert len(list(mutations(stacked([f"e{n}" for n in range(512)], (4, 4))))) == 4
