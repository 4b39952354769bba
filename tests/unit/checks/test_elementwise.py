"""Values one by one: each measure has a fault that it alone sees, and what is not finite is compared too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cases.gates import VALUES
from support.examining import MATRIX, VECTOR, model_of, the, violated, yielded
from support.mutations import Floats, Stored, stored

ROWS, COLUMNS = 64, 256
RNG = np.random.default_rng(5)


def rounded(values: Any) -> Floats:
    """Values that BF16 holds: the error of a pair is then just the one that a test puts in its source."""
    return stored(values, "BF16").values


def pair(folder: Path, target: Any, source: Any, name: str = MATRIX) -> tuple[Path, Path]:
    """A BF16 target and its F32 source, of one tensor."""
    return (
        model_of(folder / "target", {name: stored(target, "BF16")}),
        model_of(folder / "source", {name: stored(source, "F32")}),
    )


def _one_far_off(values: Floats) -> Floats:
    values = values.copy()
    values[7, 9] += 0.01 * np.abs(values).max()
    return values


def _one_row_off(values: Floats) -> Floats:
    values = values.copy()
    values[11] += 0.0085 * RNG.choice([-1, 1], COLUMNS)
    return values


@pytest.mark.parametrize(
    ("measure", "source_of"),
    [
        ("relative_rmse", lambda values: values + 0.004 * RNG.standard_normal(values.shape)),
        ("row_cosine", _one_row_off),
        ("gain", lambda values: values * 1.002),
        ("offset", lambda values: values + 0.002),
        ("max_error", _one_far_off),
    ],
)
def test_each_measure_alone_sees_a_fault_of_its_kind(tmp_path: Path, measure: str, source_of: Any) -> None:
    values = rounded(RNG.standard_normal((ROWS, COLUMNS)))
    comparisons, gaps = yielded(VALUES, *pair(tmp_path, values, source_of(values.copy())))
    assert (violated(comparisons), gaps) == ({measure}, [])
    found = the(comparisons, measure)
    assert found.smallest_passing_tolerance is not None and found.tolerance is not None
    assert found.smallest_passing_tolerance > found.tolerance
    assert found.bound_from is not None and found.bound_from.startswith("invariants/I-4-statistics-preserved.yaml:")


def test_an_honest_rounding_is_within_every_measure_and_every_value_is_counted(tmp_path: Path) -> None:
    values = RNG.standard_normal((ROWS, COLUMNS))
    comparisons, gaps = yielded(VALUES, *pair(tmp_path, values, values))
    assert (violated(comparisons), gaps) == (set(), [])
    assert {c.measure for c in comparisons} == {"relative_rmse", "row_cosine", "gain", "offset", "max_error"}
    assert the(comparisons, "relative_rmse").count == ROWS * COLUMNS


def test_a_constant_vector_is_allowed_five_percent_of_gain_for_rounding_and_no_more(tmp_path: Path) -> None:
    ones = np.ones(COLUMNS)
    comparisons, _ = yielded(VALUES, *pair(tmp_path, ones * 1.0625, ones, VECTOR))
    gain, offset = the(comparisons, "gain"), the(comparisons, "offset")
    assert (gain.observed, gain.holds) == (pytest.approx(1.0625), False)
    assert gain.tolerance == offset.tolerance == pytest.approx(0.051)


@pytest.mark.parametrize(
    ("spread", "allowed"), [(1e-3, 0.05), (0.1, 3 * 0.003 * np.sqrt(1.01) / (0.1 * 16)), (10, 3 * 0.003 / 16)]
)
def test_the_allowance_for_rounding_is_three_standard_errors_of_the_slope(
    tmp_path: Path, spread: float, allowed: float
) -> None:
    values = 1.0 + spread * np.resize([-1.0, 1.0], COLUMNS)
    comparisons, _ = yielded(VALUES, *pair(tmp_path, values, values, VECTOR))
    assert the(comparisons, "gain").tolerance == pytest.approx(0.001 + allowed, rel=0.01)


def _with(values: Floats, odd: dict[tuple[int, int], float]) -> Stored:
    changed = values.copy()
    for place, value in odd.items():
        changed[place] = value
    return stored(changed, "F32")


@pytest.mark.parametrize(
    ("ours", "theirs", "observed"),
    [
        ({(0, 0): np.nan}, {(0, 1): np.nan}, 2),
        ({(0, 0): np.nan, (3, 3): np.nan}, {(3, 3): np.nan, (40, 7): np.nan}, 2),
        ({(0, 0): np.inf}, {(0, 0): -np.inf}, 1),
        ({(0, 0): np.nan}, {(0, 0): np.inf}, 1),
        ({(0, 0): np.inf}, {(0, 0): np.nan}, 1),
        ({(0, 0): np.inf}, {}, 1),
        ({}, {(0, 0): np.nan}, 1),
    ],
)
def test_what_is_not_finite_is_the_same_at_the_same_place_or_a_difference(
    tmp_path: Path, ours: Any, theirs: Any, observed: int
) -> None:
    values = rounded(RNG.standard_normal((ROWS, COLUMNS)))
    target = model_of(tmp_path / "t", {MATRIX: _with(values, ours)})
    source = model_of(tmp_path / "s", {MATRIX: _with(values, theirs)})
    comparisons, _ = yielded(VALUES, target, source)
    assert violated(comparisons) == {"nonfinite_values"}
    assert the(comparisons, "nonfinite_values").observed == observed


def test_the_same_nan_and_infinities_at_the_same_places_are_no_difference(tmp_path: Path) -> None:
    values = rounded(RNG.standard_normal((ROWS, COLUMNS)))
    odd = {(0, 0): np.nan, (5, 5): np.inf, (63, 255): -np.inf}
    folders = [model_of(tmp_path / name, {MATRIX: _with(values, odd)}) for name in "ts"]
    comparisons, gaps = yielded(VALUES, *folders)
    assert (violated(comparisons), gaps) == (set(), [])
    assert the(comparisons, "nonfinite_values").count == 3
    assert the(comparisons, "differing_values").count == ROWS * COLUMNS - 3


def test_one_value_that_differs_under_a_type_that_holds_all_is_named_by_its_row(tmp_path: Path) -> None:
    values = rounded(RNG.standard_normal((ROWS, COLUMNS)))
    changed = values.copy()
    changed[42, 1] = np.nextafter(changed[42, 1], np.float32(9))
    sides = {"target": changed, "source": values}
    folders = [model_of(tmp_path / name, {MATRIX: stored(side, "F32")}) for name, side in sides.items()]
    found = the(yielded(VALUES, *folders)[0], "differing_values")
    assert (found.holds, found.observed, found.place.row) == (False, 1, 42)


def test_a_type_without_a_budget_stays_uncompared_and_says_so(tmp_path: Path) -> None:
    values = RNG.standard_normal((ROWS, COLUMNS))
    comparisons, (gap,) = yielded(VALUES, *pair(tmp_path, values, values), budgets={})
    assert comparisons == []
    assert (gap.count, gap.reason) == (ROWS * COLUMNS, "no budget is given for BF16 made from F32")
