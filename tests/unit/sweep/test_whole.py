"""A step on the whole tensor takes its scale once, in F32 as a converter does, and refuses what has none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model_contracts.artifact import Made, Tensor
from model_contracts.layout import Apply, Expr, Permute, Stored, Take
from model_contracts.sweep.kernels.reduce_numpy import NumpyEngine
from model_contracts.sweep.made import MadeSide
from model_contracts.sweep.reads import Files, ReadFailed
from model_contracts.sweep.sides import values_of
from support.tensor_files import TensorFile

W = Stored("w", (6, 4))


def made(tensor: Tensor, layout: Expr, grain: str | None = None) -> np.ndarray:
    """The values of a layout over one tensor. Raises ReadFailed."""
    whole = replace(tensor, shape=layout.shape, made=Made(layout, {"w": tensor}, grain))
    files = Files()
    try:
        return values_of(MadeSide(whole, files, NumpyEngine()), 0, whole.elements).reshape(layout.shape)
    finally:
        files.close()


def stored(folder: Path, values: np.ndarray) -> Tensor:
    return TensorFile(folder / "t").add("w", "F32", values.shape, values.astype("<f4").tobytes())


def values(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(6, 4)).astype(np.float32)


@pytest.mark.parametrize("grain", [None, "F32", "F16", "BF16"])
def test_the_scale_is_rounded_to_what_the_target_stores(grain: str | None, tmp_path: Path) -> None:
    held = values()
    scale = np.abs(held).mean(dtype=np.float64)
    expected = np.clip(np.rint(held / scale), -1, 1) * scale
    found = made(stored(tmp_path, held), Apply(W, "ternarise"), grain)
    (size,) = set(np.abs(found[found != 0]).tolist())
    assert np.array_equal(np.sign(found), np.sign(expected))
    assert size == pytest.approx(scale, rel={"F16": 2**-11, "BF16": 2**-8}.get(grain or "", 3e-7))
    if grain == "BF16":
        assert not (found.view(np.uint32) & 0xFFFF).any()


def test_rows_in_another_order_have_the_scale_of_all(tmp_path: Path) -> None:
    held = values(1)
    turned = made(stored(tmp_path, held), Permute(Apply(W, "ternarise"), (1, 0)))
    assert np.array_equal(turned, made(stored(tmp_path, held), Apply(W, "ternarise")).T)


def test_a_tensor_of_nearly_nothing_has_the_smallest_scale(tmp_path: Path) -> None:
    found = made(stored(tmp_path, np.full((6, 4), 1e-7)), Apply(W, "ternarise"))
    assert not found.any()


@pytest.mark.parametrize(
    ("layout", "worst", "grain", "reason"),
    [
        (Apply(Take(W, 0, 0, 3), "ternarise"), 1.0, None, "not the whole of a stored tensor"),
        (Apply(Apply(W, "add", 1.0), "ternarise"), 1.0, None, "not the whole of a stored tensor"),
        (Apply(Apply(W, "ternarise"), "ternarise"), 1.0, None, "not the whole of a stored tensor"),
        (Apply(W, "ternarise"), np.inf, None, "which is not finite"),
        (Apply(W, "ternarise"), np.nan, None, "which is not finite"),
        (Apply(W, "ternarise"), 1e9, "F16", "which F16 does not hold"),
    ],
)
def test_what_has_no_scale_is_refused(
    layout: Expr, worst: float, grain: str | None, reason: str, tmp_path: Path
) -> None:
    held = values()
    held[2, 1] = worst
    tensor = stored(tmp_path, held)
    with pytest.raises(ReadFailed, match=reason):
        made(tensor, layout, grain)


def test_a_file_that_was_written_anew_has_a_scale_of_its_own(tmp_path: Path) -> None:
    first = made(stored(tmp_path, values()), Apply(W, "ternarise"))
    (tmp_path / "t").unlink()
    again = made(stored(tmp_path, 3 * values()), Apply(W, "ternarise"))
    np.testing.assert_allclose(again, 3 * first, rtol=1e-6)
