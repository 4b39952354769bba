"""A layout that says nothing possible is refused when it is built; one without an inverse, when that is asked for."""

from __future__ import annotations

import time

import pytest

from model_contracts.layout import (
    Apply,
    Concat,
    LayoutError,
    NotInvertible,
    Permute,
    Reshape,
    Stored,
    Take,
    compiled,
    inverse,
    inverses,
    leaves,
    same,
    simplify,
    substitute,
)

Q, K, K5 = Stored("q", (8, 4)), Stored("k", (4,)), Stored("k", (4, 5))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Stored("q", (8, 0)), r"Stored q: expected sizes from 1 and at most 2\^48 values, found \(8, 0\)"),
        (lambda: Stored("q", (8, -1)), r"Stored q: expected sizes from 1"),
        (lambda: Stored("q", (True, 4)), "Stored q: expected a shape of whole numbers"),
        (lambda: Stored("q", [8, 4]), "Stored q: expected a shape of whole numbers"),
        (lambda: Stored("q", (2.0, 4)), "Stored q: expected a shape of whole numbers"),
        (lambda: Stored("q", (1 << 40, 1 << 40)), r"Stored q: expected sizes from 1 and at most 2\^48 values"),
        (lambda: Stored("q", (10**9000,)), r"Stored q: .* found \(a number of 29898 bits\)"),
        (lambda: Stored("q", (1,) * 65), "Stored q: expected at most 64 axes, found 65"),
        (lambda: Reshape(Q, (8, 5)), r"Reshape to \(8, 5\): expected as many values as in \(8, 4\)"),
        (lambda: Permute(Q, (0, 0)), r"Permute: expected each axis of \(8, 4\) once, found \(0, 0\)"),
        (lambda: Permute(Q, (0,)), r"Permute: expected each axis of \(8, 4\) once"),
        (lambda: Permute(Q, (False, True)), r"Permute: expected each axis"),
        (lambda: Take(Q, 2, 0, 1), "Take: expected an axis from 0 to 1, found 2"),
        (lambda: Take(Q, 0, 0, 9), r"Take on axis 0: expected a part of 0\.\.8, found \(0, 9, 1\)"),
        (lambda: Take(Q, 0, 3, 3), r"Take on axis 0: expected a part of 0\.\.8, found \(3, 3, 1\)"),
        (lambda: Take(Q, 0, 0, 8, 0), r"Take on axis 0: expected a part"),
        (lambda: Take(Q, 0, -1, 8), r"Take on axis 0: expected a part"),
        (lambda: Take(Q, 0, 0.0, 8), "Take: expected whole numbers"),
        (lambda: Concat(()), "Concat: expected at least one part, found none"),
        (
            lambda: Concat((Q, Stored("k", (4, 5)))),
            r"Concat: expected part 1 to be \(8, 4\) but for axis 0, found \(4, 5\)",
        ),
        (
            lambda: Concat((Q, Stored("k", (4,)))),
            r"Concat: expected part 1 to be \(8, 4\) but for axis 0, found \(4,\)",
        ),
        (lambda: Apply(Q, "sqrt"), r"Apply: expected one of add, .*, found 'sqrt'"),
        (lambda: Apply(Q, "add"), "Apply add: expected a finite number, found NoneType"),
        (lambda: Apply(Q, "add", float("nan")), "Apply add: expected a finite number"),
        (lambda: Apply(Q, "add", 10**400), "Apply add: expected a finite number"),
        (lambda: Apply(Q, "scale", 0.0), "Apply scale: expected a number other than 0"),
        (lambda: Apply(Q, "neg_exp", 1.0), "Apply neg_exp: expected no value"),
        (lambda: Apply(Q, "neg_exp", None, True), "Apply neg_exp: expected exact to be false"),
        (lambda: leaves([Q, Stored("q", (4, 8))]), r"q: expected \(8, 4\) everywhere, found \(4, 8\)"),
        (lambda: substitute(Q, {"q": Stored("w", (4, 8))}), r"substitute q: expected \(8, 4\), found \(4, 8\)"),
        (lambda: compiled(Q).rows(0, 9), r"rectangle: expected rows of 0\.\.8, found range\(0, 9\)"),
        (lambda: compiled(Q).rows(3, 3), r"rectangle: expected rows of 0\.\.8"),
        (lambda: compiled(Q).runs(30, 3), r"runs: expected a part of 0\.\.32, found 30\.\.33"),
    ],
)
def test_what_is_impossible_is_refused_with_its_step(build, message: str):
    with pytest.raises(LayoutError, match=f"^{message}"):
        build()


@pytest.mark.parametrize(
    ("expr", "message"),
    [
        (Take(Q, 0, 2, 8), "q: 8 of its 32 values are left out"),
        (Take(Q, 0, 0, 8, 2), "q: 16 of its 32 values are left out"),
        (Concat((Q, Q)), "q: 32 of its values stand twice"),
        (Concat((Take(Q, 0, 0, 4), Take(Q, 0, 2, 6))), "q: some of its values stand twice"),
        (Concat((Q, Apply(Stored("k", (2, 4)), "ternarise"))), "k: nothing undoes ternarise"),
    ],
)
def test_a_layout_without_an_inverse_is_refused_by_name(expr, message: str):
    with pytest.raises(NotInvertible, match=f"^{message}"):
        inverse(expr)


def test_parts_that_fill_a_tensor_together_have_an_inverse():
    back = inverses({"k": Take(Q, 0, 0, 3), "v": Take(Q, 0, 3, 8)})
    assert same(back["q"], Concat((Stored("k", (3, 4)), Stored("v", (5, 4)))))


def test_depth_and_the_number_of_parts_are_bounded():
    deep = Q
    with pytest.raises(LayoutError, match=r"Permute: expected at most 64 steps"):
        for _ in range(70):
            deep = Permute(deep, (1, 0))
    wide = Stored("w", (1,))
    with pytest.raises(LayoutError, match=r"Concat: expected at most 64 steps and 65536 parts, found more"):
        for _ in range(20):
            wide = Concat((wide, wide))


def test_axes_that_divide_nothing_are_refused_before_they_cost_anything():
    scattered = Permute(Reshape(Permute(Stored("w", (70_001, 70_003)), (1, 0)), (70_001, 70_003)), (1, 0))
    began = time.monotonic()
    with pytest.raises(LayoutError, match="expected at most 16384 pieces, found 70003 of w"):
        compiled(scattered)
    assert time.monotonic() - began < 20
    assert simplify(scattered) == scattered


def test_experts_of_a_large_model_are_planned():
    names = [(kind, number) for number in range(512) for kind in ("gate", "up", "down")]
    shape = (16, 32)
    whole = Concat(tuple(Reshape(Stored(f"{kind}.{number}", shape), (1, *shape)) for kind, number in names))
    assert len(compiled(whole).pieces) == len(inverse(whole)) == 3 * 512
    assert len(compiled(whole).rows(8, 40).pieces) == 3
