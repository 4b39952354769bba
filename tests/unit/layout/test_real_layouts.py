"""Layouts declared for real conversions give, value for value, what the real converter wrote."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from model_contracts.anatomy.pairing.made import made_of
from model_contracts.artifact import Artifact
from model_contracts.formats.opening import open_artifact
from model_contracts.layout import (
    Expr,
    NotInvertible,
    Stored,
    compiled,
    inverse,
    inverses,
    mutations,
    simplify,
    stored,
    substitute,
)
from model_contracts.sweep.rows import read_rows
from support import shared_models
from support.family_layouts import CUT, MADE, Made


@cache
def opened(name: str) -> Artifact:
    return open_artifact(shared_models.SHARED / "families" / name)


def of_files(made: Made) -> tuple[Callable[[Expr], Any], Any]:
    """What gives the values of an expression over the source's tensors, and the values of the converted tensor."""
    shared_models.shared(shared_models.SHARED / "families" / f"{made.family}.gguf")
    source, target = opened(made.family).tensors, opened(f"{made.family}.gguf").tensors[made.tensor]

    def values(expr: Expr) -> Any:
        whole = made_of(expr, source, "whole")
        return read_rows(whole, 0, whole.rows).reshape(expr.shape)

    return values, read_rows(target, 0, target.rows).reshape(target.shape)


def agree(found: Any, expected: Any, exact: bool) -> bool:
    return found.shape == expected.shape and (
        np.array_equal(found, expected) if exact else np.allclose(found, expected, rtol=1e-6, atol=0)
    )


def is_exact(made: Made) -> bool:
    return all(step.exact for piece in compiled(made.expr).pieces for step in piece.steps)


@pytest.mark.parametrize("made", MADE, ids=lambda made: f"{made.family}-{made.tensor}")
def test_a_declared_layout_gives_what_the_converter_wrote(made: Made):
    values, expected = of_files(made)
    assert {leaf.name: leaf.shape for leaf in stored(made.expr)} == {
        leaf.name: opened(made.family).tensors[leaf.name].shape for leaf in stored(made.expr)
    }
    assert agree(values(made.expr), expected, is_exact(made))
    assert agree(values(simplify(made.expr)), expected, is_exact(made))


@pytest.mark.parametrize("made", MADE, ids=lambda made: f"{made.family}-{made.tensor}")
def test_no_rival_of_a_declared_layout_gives_it(made: Made):
    values, expected = of_files(made)
    wrong = [sentence for sentence, rival in mutations(made.expr) if agree(values(rival), expected, False)]
    assert wrong == []


@pytest.mark.parametrize("made", CUT, ids=lambda made: made.family)
def test_a_layout_that_cuts_rows_has_no_inverse(made: Made):
    with pytest.raises(NotInvertible, match=r"^embeddings\.position_embeddings\.weight: (64|128) of its .* left out"):
        inverse(made.expr)


def test_tensors_made_of_one_stored_tensor_have_an_inverse_together():
    wholes: dict[tuple[str, ...], dict[str, Any]] = {}
    for made in MADE:
        if made not in CUT:
            names = (made.family, *sorted({leaf.name for leaf in stored(made.expr)}))
            wholes.setdefault(names, {})[made.tensor] = made.expr
    assert max(len(group) for group in wholes.values()) == 2
    for names, group in wholes.items():
        back = inverses(group)
        assert sorted(back) == list(names[1:])
        for name, expr in back.items():
            assert simplify(substitute(expr, group)) == Stored(name, expr.shape)
