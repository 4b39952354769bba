"""One pass gives the moments of every tensor, whatever its type, its shape and its neighbours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model_contracts.sweep.interface import SweepRequest
from model_contracts.sweep.sweep import sweep
from support.tensor_files import TensorFile, as_float, bf16, random_blocks

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("shape", [(64, 96), (7,), (3, 5, 32), (5, 3), (), (2, 300_000), (700, 900)])
def test_moments_equal_numpy_for_every_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """Vectors, scalars, narrow matrices, rows longer than a chunk, and matrices of many chunks."""
    values = RNG.standard_normal(shape, dtype=np.float32)
    tensor = TensorFile(tmp_path / "t", b"head").add("w", "F32", shape, values.tobytes())
    seen = sweep(SweepRequest([tensor]), engine="numpy").moments["w"]
    exact = values.astype(np.float64)
    assert (seen.count, seen.nan, seen.infinite, seen.zeros) == (values.size, 0, 0, 0)
    assert (seen.minimum, seen.maximum) == (values.min(), values.max())
    assert seen.mean == pytest.approx(exact.mean(), abs=1e-6 * np.abs(exact).mean())
    assert seen.std == pytest.approx(exact.std(), rel=1e-6, abs=1e-6)
    rows = 0 if len(shape) > 1 and shape[-1] < 16 else (int(np.prod(shape[:-1])) if len(shape) > 1 else 1)
    assert seen.rows == rows


def test_non_finite_values_are_counted_and_left_out(tmp_path: Path) -> None:
    values = np.ones((4, 32), np.float32) + np.arange(32, dtype=np.float32)
    values[1, 3], values[1, 4], values[3, 0], values[0, 0] = np.nan, np.inf, -np.inf, -0.0
    tensor = TensorFile(tmp_path / "t").add("w", "BF16", (4, 32), bf16(values))
    seen = sweep(SweepRequest([tensor]), engine="numpy").moments["w"]
    finite = values[np.isfinite(values)]
    assert (seen.nan, seen.infinite, seen.zeros, seen.finite) == (1, 2, 1, 125)
    assert (seen.nonfinite_rows, seen.first_nonfinite) == (2, (1, 3))
    assert (seen.minimum, seen.maximum, seen.total) == (finite.min(), finite.max(), finite.sum())


def test_a_broken_block_scale_shows_as_non_finite_values(tmp_path: Path) -> None:
    raw = random_blocks("Q8_0", 64)
    raw[5, :2] = np.array([np.inf], np.float16).view(np.uint8)
    raw[5, 2:] = 1
    raw[9, :2] = np.array([np.nan], np.float16).view(np.uint8)
    tensor = TensorFile(tmp_path / "t").add("w", "Q8_0", (32, 64), raw.tobytes())
    seen = sweep(SweepRequest([tensor]), engine="numpy").moments["w"]
    assert (seen.infinite, seen.nan, seen.first_nonfinite) == (32, 32, (2, 4))


def test_dead_and_constant_rows_are_named_and_signs_of_zero_do_not_matter(tmp_path: Path) -> None:
    values = RNG.standard_normal((20, 64), dtype=np.float32)
    values[3], values[4, ::2], values[4, 1::2], values[11] = 0, 0.0, -0.0, 2.5
    values[12] = np.nan
    tensor = TensorFile(tmp_path / "t").add("w", "F32", (20, 64), values.tobytes())
    seen = sweep(SweepRequest([tensor]), engine="numpy").moments["w"]
    assert (seen.dead_rows, seen.first_dead) == (2, (3, 4))
    assert (seen.constant_rows, seen.first_constant) == (1, (11,))
    assert (seen.nonfinite_rows, seen.first_nonfinite) == (1, (12,))


def test_only_the_first_eight_rows_are_named(tmp_path: Path) -> None:
    tensor = TensorFile(tmp_path / "t").add("w", "F32", (500_000, 16), bytes(500_000 * 64))
    seen = sweep(SweepRequest([tensor]), engine="numpy").moments["w"]
    assert (seen.dead_rows, seen.first_dead) == (500_000, tuple(range(8)))


def test_a_row_cut_by_chunks_is_judged_whole(tmp_path: Path) -> None:
    values = RNG.standard_normal((3, 400_000), dtype=np.float32)
    values[1] = 0
    tensor = TensorFile(tmp_path / "t").add("w", "F32", (3, 400_000), values.tobytes())
    seen = sweep(SweepRequest([tensor]), engine="numpy").moments["w"]
    assert (seen.rows, seen.dead_rows, seen.first_dead, seen.constant_rows) == (3, 1, (1,), 0)


def test_dead_and_broken_rows_are_counted_by_expert(tmp_path: Path) -> None:
    values = RNG.standard_normal((4, 8, 32), dtype=np.float32)
    values[2] = 0
    values[3, 5, 1] = np.inf
    tensor = TensorFile(tmp_path / "t").add("w", "BF16", (4, 8, 32), bf16(values))
    seen = sweep(SweepRequest([tensor]), engine="numpy").moments["w"]
    assert seen.experts == {2: (8, 0), 3: (0, 1)}


def test_squares_that_float32_cannot_hold_are_summed_all_the_same(tmp_path: Path) -> None:
    file = TensorFile(tmp_path / "t")
    large = file.add("large", "F32", (2, 32), np.full((2, 32), 1e30, np.float32).tobytes())
    small = file.add("small", "F32", (2, 32), np.full((2, 32), 1e-30, np.float32).tobytes())
    seen = sweep(SweepRequest([large, small]), engine="numpy").moments
    assert seen["large"].squares == pytest.approx(64e60, rel=1e-6)
    assert seen["small"].squares == pytest.approx(64e-60, rel=1e-6)


def test_float64_keeps_its_digits(tmp_path: Path) -> None:
    values = 1.0 + RNG.standard_normal((8, 32)) * 1e-12
    tensor = TensorFile(tmp_path / "t").add("w", "F64", (8, 32), values.tobytes())
    seen = sweep(SweepRequest([tensor]), engine="numpy").moments["w"]
    assert (seen.minimum, seen.maximum) == (values.min(), values.max())
    assert seen.mean - 1 == pytest.approx((values - 1).mean(), rel=1e-3)


def test_padded_rows_of_apr_blocks_leave_their_padding_out(tmp_path: Path) -> None:
    import gguf

    raw = random_blocks("Q4_K", 10)
    tensor = TensorFile(tmp_path / "t").add("w", "Q4_K", (5, 300), raw.tobytes(), row_bytes=2 * 144)
    seen = sweep(SweepRequest([tensor]), engine="numpy").moments["w"]
    values = gguf.quants.dequantize(raw, gguf.GGMLQuantizationType.Q4_K).reshape(5, 512)[:, :300]
    assert (seen.count, seen.rows) == (1500, 5)
    assert (seen.minimum, seen.maximum) == (values.min(), values.max())
    assert seen.total == pytest.approx(values.sum(dtype=np.float64), abs=1e-3)


def test_blocks_that_run_over_the_ends_of_rows_are_decoded_flat(tmp_path: Path) -> None:
    raw = random_blocks("APR_Q4", 47)
    tensor = TensorFile(tmp_path / "t").add("w", "APR_Q4", (50, 30), raw.tobytes())
    seen = sweep(SweepRequest([tensor]), engine="numpy").moments["w"]
    quants = np.stack([raw[:, 2:] & 15, raw[:, 2:] >> 4], axis=-1).reshape(47, 32).astype(np.float32) - 8
    values = (quants * raw[:, :2].copy().view(np.float16).astype(np.float32)).reshape(-1)[:1500]
    assert (seen.count, seen.rows, seen.zeros) == (1500, 50, np.count_nonzero(values == 0))
    assert (seen.minimum, seen.maximum) == (values.min(), values.max())


def test_apr_q8_takes_its_scale_from_the_front_of_the_tensor(tmp_path: Path) -> None:
    quants = RNG.integers(-127, 128, (6, 40), dtype=np.int8)
    data = np.array([0.01], "<f4").tobytes() + quants.tobytes()
    tensor = TensorFile(tmp_path / "t", b"xyz").add("w", "APR_Q8", (6, 40), data)
    seen = sweep(SweepRequest([tensor], {}, [tmp_path / "t"]), engine="numpy")
    assert seen.moments["w"].maximum == np.float32(quants.max()) * np.float32(0.01)
    assert seen.digests


def test_results_do_not_depend_on_how_many_threads_there_were(tmp_path: Path) -> None:
    data = bf16(RNG.standard_normal((3000, 1000), dtype=np.float32))
    tensor = TensorFile(tmp_path / "t").add("w", "BF16", (3000, 1000), data)
    one, four = (sweep(SweepRequest([tensor]), engine="numpy", threads=n).moments["w"] for n in (1, 4))
    assert one == four
    assert one.maximum == as_float(data).max()


def test_tensors_without_values_and_without_bytes(tmp_path: Path) -> None:
    """No elements: moments of nothing. A placeholder, an unreadable extent, a type nobody decodes: no moments."""
    file = TensorFile(tmp_path / "t", bytes(64))
    empty = file.add("empty", "F32", (0, 16), b"")
    placeholder = file.add("head", "F32", (4, 16), b"", placeholder=True)
    unreadable = file.add("lost", "F32", (4, 16), b"", readable=False)
    odd = file.add("odd", "F4", (4, 16), bytes(32))
    seen = sweep(SweepRequest([empty, placeholder, unreadable, odd]), engine="numpy")
    assert list(seen.moments) == ["empty"]
    assert seen.moments["empty"].count == 0
    assert seen.undecoded == {"F4": 1}
    assert seen.problems == []


def test_a_name_that_two_tensors_have_shows_what_is_wrong_with_either(tmp_path: Path) -> None:
    file = TensorFile(tmp_path / "t")
    first = file.add("w", "F32", (2, 16), np.ones((2, 16), np.float32).tobytes())
    second = file.add("w", "F32", (2, 16), np.full((2, 16), np.nan, np.float32).tobytes())
    seen = sweep(SweepRequest([first, second]), engine="numpy").moments["w"]
    assert (seen.count, seen.nan, seen.minimum, seen.maximum) == (64, 32, 1.0, 1.0)
