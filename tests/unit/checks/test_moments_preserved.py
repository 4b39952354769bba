"""Moments of a pair: each of the four has a fault that shows in it, and none stands for values that are not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cases.gates import MOMENTS
from support.examining import MATRIX, model_of, the, violated, yielded
from support.mutations import Floats, stored

RNG = np.random.default_rng(6)


def _pair(folder: Path, target: Any, source: Any) -> tuple[Path, Path]:
    return (
        model_of(folder / "target", {MATRIX: stored(target, "BF16")}),
        model_of(folder / "source", {MATRIX: stored(source, "F32")}),
    )


def _extreme(values: Floats, by: float) -> Floats:
    """The largest (or, by a negative number, the smallest) value moved away by a share of the reach."""
    values = values.copy()
    at = values.argmax() if by > 0 else values.argmin()
    values.reshape(-1)[at] += by * np.abs(values).max()
    return values


@pytest.mark.parametrize(
    ("measure", "source_of"),
    [
        ("mean", lambda values: values + 0.0015),
        ("std", lambda values: np.where(np.abs(values) < 2, values * 1.004, values)),
        ("minimum", lambda values: _extreme(values, -0.012)),
        ("maximum", lambda values: _extreme(values, 0.012)),
    ],
)
def test_each_moment_alone_sees_a_fault_of_its_kind(tmp_path: Path, measure: str, source_of: Any) -> None:
    values = stored(RNG.standard_normal((64, 256)), "BF16").values
    comparisons, gaps = yielded(MOMENTS, *_pair(tmp_path, values, source_of(values.copy())))
    assert (violated(comparisons), gaps) == ({measure}, [])


def test_an_honest_rounding_keeps_all_four(tmp_path: Path) -> None:
    values = RNG.standard_normal((64, 256))
    comparisons, gaps = yielded(MOMENTS, *_pair(tmp_path, values, values))
    assert (violated(comparisons), gaps) == (set(), [])
    assert [c.measure for c in comparisons] == ["mean", "std", "minimum", "maximum"]
    assert the(comparisons, "mean").count == 64 * 256


def test_a_tensor_without_a_finite_value_stays_uncompared(tmp_path: Path) -> None:
    values = RNG.standard_normal((64, 256))
    comparisons, (gap,) = yielded(MOMENTS, *_pair(tmp_path, np.full_like(values, np.nan), values))
    assert comparisons == []
    assert (gap.count, gap.place.tensor) == (64 * 256, MATRIX)
