"""A pair is measured value by value, in the declared order of rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from model_contracts.artifact import Made, Tensor
from model_contracts.layout import Permute, Reshape, Stored
from model_contracts.sweep.interface import Pairing, Sweep, SweepRequest
from model_contracts.sweep.rows import read_rows
from model_contracts.sweep.sweep import sweep
from support.tensor_files import TensorFile, as_float, bf16, random_blocks

RNG = np.random.default_rng(11)


def write(folder: Path, name: str, values: Any, dtype: str = "F32") -> Tensor:
    wide = "<f8" if dtype == "F64" else "<f4"
    data = bf16(values) if dtype == "BF16" else np.ascontiguousarray(values, wide).tobytes()
    return TensorFile(folder / name).add(name, dtype, values.shape, data)


def compare(
    target: Tensor,
    source: Tensor,
    heads: tuple[int, str] | None = None,
    engine: Literal["numpy", "numba"] = "numpy",
) -> Sweep:
    made = source if heads is None else ordered(source, *heads)
    return sweep(SweepRequest([target], {target.name: Pairing(target, made)}), engine=engine)


def ordered(source: Tensor, heads: int, direction: str) -> Tensor:
    """Its rows within each head: halves as pairs ("interleave"), or back."""
    rows, *rest = source.shape
    cut = (heads, 2, rows // heads // 2) if direction == "interleave" else (heads, rows // heads // 2, 2)
    axes = Permute(Reshape(Stored("s", source.shape), (*cut, *rest)), (0, 2, 1, *range(3, 3 + len(rest))))
    return replace(source, name="ordered", made=Made(Reshape(axes, source.shape), {"s": source}))


@pytest.mark.parametrize("shape", [(60, 200), (50,), (3, 20, 32), (40, 8), (2, 300_000), (900, 1000)])
def test_measures_equal_their_definitions(tmp_path: Path, shape: tuple[int, ...]) -> None:
    source = as_float(bf16(RNG.standard_normal(shape))).reshape(shape)
    target = (source * np.float32(1.01) + RNG.standard_normal(shape) * 0.01).astype(np.float32)
    seen = compare(write(tmp_path, "t", target), write(tmp_path, "s", source, "BF16"))
    pair = seen.pairs["t"]
    a, b = target.astype(np.float64).reshape(-1, shape[-1]), source.astype(np.float64).reshape(-1, shape[-1])
    error = a - b
    assert (pair.count, pair.nonfinite, pair.differing) == (a.size, 0, np.count_nonzero(error))
    assert pair.squared_error == pytest.approx((error**2).sum(), rel=1e-5)
    assert pair.relative_rmse == pytest.approx(np.sqrt((error**2).sum() / (b**2).sum()), rel=1e-5)
    assert pair.max_error == pytest.approx(np.abs(error).max(), rel=1e-6)
    slope, intercept = np.polyfit(b.reshape(-1), a.reshape(-1), 1)
    assert (pair.gain, pair.offset) == (pytest.approx(slope, abs=1e-5), pytest.approx(intercept, abs=1e-5))
    if shape[-1] >= 16:
        cosines = (a * b).sum(1) / np.sqrt((a**2).sum(1) * (b**2).sum(1))
        assert pair.min_row_cosine == pytest.approx(cosines.min(), abs=1e-6)
        assert pair.rows == len(a)
        assert [cosine for _, cosine in pair.worst_rows] == pytest.approx(sorted(cosines)[:8], abs=1e-6)
        assert pair.max_error_row == np.abs(error).max(1).argmax()
    assert seen.source_moments["s"].maximum == source.max()
    assert seen.moments["t"].minimum == target.min()


def test_equal_values_differ_nowhere_and_have_no_error_at_all(tmp_path: Path) -> None:
    source = as_float(bf16(RNG.standard_normal((300, 512)))).reshape(300, 512)
    target = source.copy()
    target[0, 0], source[0, 0] = 0.0, -0.0
    pair = compare(write(tmp_path, "t", target), write(tmp_path, "s", source, "BF16")).pairs["t"]
    assert (pair.differing, pair.squared_error, pair.max_error, pair.min_row_cosine) == (0, 0.0, 0.0, 1.0)
    assert pair.relative_rmse == 0.0


def test_one_value_that_differs_is_one_and_its_row_is_named(tmp_path: Path) -> None:
    source = RNG.standard_normal((300, 512)).astype(np.float32)
    target = source.copy()
    target[217, 13] += np.float32(1e-3)
    pair = compare(write(tmp_path, "t", target), write(tmp_path, "s", source)).pairs["t"]
    assert (pair.differing, pair.max_error_row) == (1, 217)


def test_a_row_of_zeros_against_another_has_cosine_zero_and_two_rows_of_zeros_have_none(tmp_path: Path) -> None:
    source = RNG.standard_normal((20, 64)).astype(np.float32)
    target = source.copy()
    target[5], source[9], target[9] = 0, 0, 0
    pair = compare(write(tmp_path, "t", target), write(tmp_path, "s", source)).pairs["t"]
    assert (pair.min_row, pair.min_row_cosine) == (5, 0.0)
    assert 9 not in {row for row, _ in pair.worst_rows}


@pytest.mark.parametrize("engine", ["numpy", "numba"])
@pytest.mark.parametrize("dtype", ["F32", "F64", "BF16"])
def test_pairs_that_are_not_finite_are_counted_apart(
    tmp_path: Path, engine: Literal["numpy", "numba"], dtype: str
) -> None:
    source = as_float(bf16(RNG.standard_normal((20, 64)))).reshape(20, 64).copy()
    target = source.copy()
    target[2, 3], source[4, 5], target[6, 7], source[6, 7] = np.nan, np.inf, np.nan, np.nan
    pair = compare(write(tmp_path, "t", target), write(tmp_path, "s", source, dtype), engine=engine).pairs["t"]
    assert (pair.nonfinite, pair.count, pair.differing, pair.squared_error) == (3, 1277, 0, 0.0)
    assert pair.nonfinite_differing == 2


@pytest.mark.parametrize("engine", ["numpy", "numba"])
@pytest.mark.parametrize(
    ("ours", "theirs", "differing"),
    [
        ({(0, 0): np.nan}, {(0, 1): np.nan}, 2),
        ({(0, 0): np.nan}, {(9, 9): np.nan}, 2),
        ({(0, 0): np.inf}, {(0, 0): -np.inf}, 1),
        ({(0, 0): np.inf}, {(0, 0): np.nan}, 1),
        ({(0, 0): np.nan}, {(0, 0): np.inf}, 1),
        ({(0, 0): np.inf}, {}, 1),
        ({}, {(19, 63): -np.inf}, 1),
        ({(0, 0): np.nan, (0, 1): np.inf, (5, 5): -np.inf}, {(0, 0): np.nan, (0, 1): np.inf, (5, 5): -np.inf}, 0),
    ],
)
def test_two_nan_agree_and_so_do_two_infinities_of_one_sign_at_one_place(
    tmp_path: Path, engine: Literal["numpy", "numba"], ours: Any, theirs: Any, differing: int
) -> None:
    values = RNG.standard_normal((20, 64)).astype(np.float32)
    sides = []
    for name, odd in (("t", ours), ("s", theirs)):
        side = values.copy()
        for place, value in odd.items():
            side[place] = value
        sides.append(write(tmp_path, name, side))
    pair = compare(*sides, engine=engine).pairs["t"]
    assert (pair.nonfinite_differing, pair.nonfinite) == (differing, len({**ours, **theirs}))


@pytest.mark.parametrize(("target_type", "source_type"), [("Q4_K", "Q8_0"), ("Q8_0", "Q6_K"), ("APR_Q4", "BF16")])
def test_blocks_of_different_lengths_are_aligned(tmp_path: Path, target_type: str, source_type: str) -> None:
    tensors = []
    for name, dtype in (("t", target_type), ("s", source_type)):
        per_block = {"Q4_K": 256, "Q6_K": 256, "BF16": 1}.get(dtype, 32)
        data = bf16(RNG.standard_normal(768 * 700)) if dtype == "BF16" else random_blocks(dtype, 768 * 700 // per_block)
        data = data if isinstance(data, bytes) else data.tobytes()
        tensors.append(TensorFile(tmp_path / name).add(name, dtype, (700, 768), data))
    pair = compare(*tensors).pairs["t"]
    a, b = (read_rows(tensor, 0, 700).astype(np.float64) for tensor in tensors)
    assert pair.squared_error == pytest.approx(((a - b) ** 2).sum(), rel=1e-5)
    assert pair.max_error_row == np.abs(a - b).max(1).argmax()


@pytest.mark.parametrize("direction", ["interleave", "split"])
@pytest.mark.parametrize("shape", [(1024, 640), (64, 30), (96,)])
@pytest.mark.parametrize("source_type", ["BF16", "F32"])
def test_rows_permuted_as_declared_are_equal(
    tmp_path: Path, direction: Literal["interleave", "split"], shape: tuple[int, ...], source_type: str
) -> None:
    source = as_float(bf16(RNG.standard_normal(shape))).reshape(shape)
    heads = 8
    per_head = shape[0] // heads
    rows = source.reshape(shape[0], -1)
    parts = (heads, 2, per_head // 2, -1) if direction == "interleave" else (heads, per_head // 2, 2, -1)
    target = rows.reshape(parts).swapaxes(1, 2).reshape(shape)
    written = write(tmp_path, "t", target), write(tmp_path, "s", source, source_type)
    assert compare(*written, (heads, direction)).pairs["t"].differing == 0
    assert compare(*written).pairs["t"].differing > 0


def test_permuted_rows_that_share_blocks_are_put_in_order_all_the_same(tmp_path: Path) -> None:
    raw = random_blocks("APR_Q4", 64 * 30 // 32)
    source = TensorFile(tmp_path / "s").add("s", "APR_Q4", (64, 30), raw.tobytes())
    moved = read_rows(source, 0, 64).reshape(4, 2, 8, 30).swapaxes(1, 2).reshape(64, 30)
    pair = compare(write(tmp_path, "t", moved), source, (4, "interleave")).pairs["t"]
    assert (pair.differing, pair.count) == (0, 1920)


def test_padded_rows_are_compared_without_their_padding(tmp_path: Path) -> None:
    raw = random_blocks("Q6_K", 80)
    target = TensorFile(tmp_path / "t").add("t", "Q6_K", (40, 300), raw.tobytes(), row_bytes=420)
    source = write(tmp_path, "s", read_rows(target, 0, 40))
    pair = compare(target, source).pairs["t"]
    assert (pair.differing, pair.count, pair.rows) == (0, 12_000, 40)


def test_a_float64_source_is_compared_in_float64(tmp_path: Path) -> None:
    values = RNG.standard_normal((8, 32)).astype(np.float32)
    wide = values.astype(np.float64)
    wide[3, 3] += 1e-12
    source = TensorFile(tmp_path / "s").add("s", "F64", (8, 32), wide.tobytes())
    pair = compare(write(tmp_path, "t", values), source).pairs["t"]
    assert pair.differing == 1
    assert 0 < pair.max_error < 2e-12


def test_two_targets_may_have_one_source(tmp_path: Path) -> None:
    values = RNG.standard_normal((8, 32)).astype(np.float32)
    file = TensorFile(tmp_path / "t")
    first = file.add("embedding", "F32", (8, 32), values.tobytes())
    second = replace(first, name="head")
    source = write(tmp_path, "s", values)
    pairings = {tensor.name: Pairing(tensor, source) for tensor in (first, second)}
    seen = sweep(SweepRequest([first, second], pairings), engine="numpy")
    assert {name: pair.differing for name, pair in seen.pairs.items()} == {"embedding": 0, "head": 0}
