"""Both engines see the same numbers: counts, minimum and maximum exactly, sums to a millionth of the magnitudes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_contracts.artifact import Tensor
from model_contracts.dtypes import DTYPES
from model_contracts.sweep.interface import Moments, Pairing, PairMeasures, Sweep, SweepRequest
from model_contracts.sweep.kernels.decode_numpy import DECODERS
from model_contracts.sweep.sweep import sweep
from support.tensor_files import TensorFile, bf16, random_blocks

pytest.importorskip("numba", reason="numba is not installed: there is one engine")

EXACT = ("count", "nan", "infinite", "zeros", "minimum", "maximum", "rows", "dead_rows", "constant_rows")
EXACT_ROWS = ("first_dead", "first_constant", "nonfinite_rows", "first_nonfinite", "experts")
#: Values that engines get wrong: both zeros, subnormals, the ends of the range, what is not finite.
ODD = [0.0, -0.0, 1e-45, -1e-40, 1.1754944e-38, 3.4028235e38, -3e38, 1e30, -1e-30, 1.0, -1.0, np.nan, np.inf, -np.inf]


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp())
    yield path
    shutil.rmtree(path)


def both(request: SweepRequest) -> tuple[Sweep, Sweep]:
    seen = sweep(request, engine="numba"), sweep(request, engine="numpy")
    assert [sweep.engine for sweep in seen] == ["numba", "numpy"]
    assert seen[0].problems == seen[1].problems == []
    return seen


def agree_on_moments(ours: Moments, theirs: Moments, magnitude: float) -> None:
    for name in (*EXACT, *EXACT_ROWS):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.total == pytest.approx(theirs.total, abs=1e-6 * magnitude + 1e-300)
    assert ours.squares == pytest.approx(theirs.squares, rel=1e-6, abs=1e-300)


def agree_on_pair(ours: PairMeasures, theirs: PairMeasures) -> None:
    for name in ("count", "nonfinite", "nonfinite_differing", "differing", "rows"):
        assert getattr(ours, name) == getattr(theirs, name), name
    for field in fields(PairMeasures):
        mine, other = getattr(ours, field.name), getattr(theirs, field.name)
        if field.name in ("squared_error", "source_squares", "target_squares", "max_error"):
            assert mine == pytest.approx(other, rel=2e-6, abs=1e-300), field.name
    scale = np.sqrt(theirs.source_squares) * np.sqrt(theirs.target_squares)
    assert ours.cross == pytest.approx(theirs.cross, abs=1e-6 * scale + 1e-300)
    assert ours.min_row_cosine == pytest.approx(theirs.min_row_cosine, abs=2e-6)
    assert [cosine for _, cosine in ours.worst_rows] == pytest.approx([c for _, c in theirs.worst_rows], abs=2e-6)


@st.composite
def matrices(draw: st.DrawFn) -> tuple[np.ndarray[Any, np.dtype[np.float32]], np.ndarray[Any, np.dtype[np.float32]]]:
    """A target and a source of one shape: random values of one magnitude, odd ones strewn in, whole rows alike."""
    shape = draw(
        st.one_of(
            st.tuples(st.integers(1, 40), st.integers(1, 600)),
            st.tuples(st.integers(1, 5000)),
            st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 64)),
            st.sampled_from([(), (3, 70_000), (600, 97)]),
        )
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    scale = np.float32(draw(st.sampled_from([1.0, 0.02, 1e-20, 1e15])))
    source = np.asarray(rng.standard_normal(shape, dtype=np.float32) * scale, np.float32)
    noise = np.float32(draw(st.sampled_from([0.0, 1e-3, 0.5])))
    target = np.asarray(source + source * rng.standard_normal(shape, dtype=np.float32) * noise, np.float32)
    for values in (target, source):
        flat = values.reshape(-1)
        for _ in range(draw(st.integers(0, 6))):
            flat[draw(st.integers(0, flat.size - 1))] = np.float32(draw(st.sampled_from(ODD)))
        if values.ndim > 1:
            for _ in range(draw(st.integers(0, 3))):
                row = draw(st.integers(0, flat.size // shape[-1] - 1))
                flat.reshape(-1, shape[-1])[row] = np.float32(draw(st.sampled_from(ODD)))
    return target, source


def stored(folder: Path, name: str, dtype: str, values: Any) -> Tensor:
    with np.errstate(over="ignore"):
        data = {
            "F32": lambda: np.asarray(values, "<f4").tobytes(),
            "F16": lambda: np.asarray(values, "<f4").astype("<f2").tobytes(),
            "BF16": lambda: bf16(np.atleast_1d(values)),
            "F64": lambda: np.asarray(values, "<f8").tobytes(),
        }[dtype]()
    return TensorFile(folder / name, b"h").add(name, dtype, values.shape, data)


@settings(max_examples=60, deadline=None)
@given(pair=matrices(), types=st.tuples(*[st.sampled_from(["F32", "BF16", "F16", "F64"])] * 2))
def test_floats_of_any_shape_and_value(pair: Any, types: tuple[str, str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        target, source = (stored(folder, n, t, v) for n, t, v in zip("ts", types, pair, strict=True))
        magnitudes = []
        for values in pair:
            finite = np.abs(values[np.isfinite(values)].astype(np.float64))
            magnitudes.append(float(finite.sum()))
        alone = both(SweepRequest([target]))
        agree_on_moments(alone[0].moments["t"], alone[1].moments["t"], magnitudes[0])
        ours, theirs = both(SweepRequest([target], {"t": Pairing(target, source)}))
        agree_on_moments(ours.moments["t"], theirs.moments["t"], magnitudes[0])
        agree_on_moments(ours.source_moments["s"], theirs.source_moments["s"], magnitudes[1])
        agree_on_pair(ours.pairs["t"], theirs.pairs["t"])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", sorted(name for name in DECODERS if DTYPES[name].kind == "quantised"))
def test_blocks_of_every_type_alone_and_against_bf16(folder: Path, dtype: str) -> None:
    """Scales like those of weights, and one block of any bytes at all (its scale may be a NaN)."""
    blocks = 160 * 256 // DTYPES[dtype].block
    raw = random_blocks(dtype, blocks)
    raw[blocks // 2] = np.random.default_rng(1).integers(0, 256, raw.shape[1], dtype=np.uint8)
    target = TensorFile(folder / "t").add("t", dtype, (160, 256), raw.tobytes())
    source = stored(folder, "s", "BF16", np.random.default_rng(2).standard_normal((160, 256)).astype(np.float32) * 0.02)
    alone = both(SweepRequest([target]))
    magnitude = np.sqrt(alone[1].moments["t"].squares * alone[1].moments["t"].count)
    agree_on_moments(alone[0].moments["t"], alone[1].moments["t"], magnitude)
    ours, theirs = both(SweepRequest([target], {"t": Pairing(target, source)}))
    agree_on_moments(ours.moments["t"], theirs.moments["t"], magnitude)
    agree_on_pair(ours.pairs["t"], theirs.pairs["t"])


def test_large_matrices_of_many_chunks_agree_and_give_the_same_digest(folder: Path) -> None:
    values = np.random.default_rng(4).standard_normal((2000, 800), dtype=np.float32) * np.float32(0.02)
    target = stored(folder, "t", "BF16", values)
    source = stored(folder, "s", "F32", values)
    request = SweepRequest([target], {"t": Pairing(target, source)}, [target.file, source.file])
    ours, theirs = both(request)
    assert ours.digests == theirs.digests
    agree_on_pair(ours.pairs["t"], theirs.pairs["t"])
    magnitude = float(np.abs(values).sum(dtype=np.float64))
    agree_on_moments(ours.source_moments["s"], theirs.source_moments["s"], magnitude)
