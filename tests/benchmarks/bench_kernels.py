"""The kernels side by side with what they replace; each function gives (label, our seconds, their seconds)."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from timing import side_by_side

from model_contracts.artifact import Tensor
from model_contracts.dtypes import DTYPES
from model_contracts.formats.opening import open_artifact
from model_contracts.sweep.interface import Pairing, SweepRequest
from model_contracts.sweep.sweep import sweep

Measured = tuple[str, float, float]

#: Shape of the pair: a matrix of a model of some billion parameters.
SHAPE = (4096, 4096)
_SCALES = {"Q4_K": (0, 2), "Q6_K": (208,), "Q8_0": (0,)}


def moments_against_cat(
    model: Path, runs: int = 5, engine: Literal["numba", "numpy"] = "numba", digest: bool = False
) -> Measured:
    """Moments of every tensor of a model's files, against `cat` of the same cached files."""
    artifact = open_artifact(model)
    tensors = [tensor for container in artifact.containers for tensor in container.tensors]
    request = SweepRequest(tensors, {}, artifact.files if digest else ())
    cat = ["cat", *(str(path) for path in artifact.files)]

    def ours() -> None:
        seen = sweep(request, engine=engine)
        assert seen.engine == engine and not seen.problems and len(seen.moments) == len(tensors)

    label = f"moments, {engine}{', with digest' if digest else ''}"
    return label, *side_by_side(ours, lambda: subprocess.run(cat, stdout=subprocess.DEVNULL, check=True), runs)


def moments_against_torch(model: Path, runs: int = 3) -> Measured:
    """The same against torch: load_file, then float() and four statistics a tensor. Raises ImportError without it."""
    from safetensors.torch import load_file

    artifact = open_artifact(model)
    tensors = [tensor for container in artifact.containers for tensor in container.tensors]

    def theirs() -> None:
        for path in artifact.files:
            for tensor in load_file(path).values():
                values = tensor.float()
                for statistic in (values.mean(), values.std(), values.min(), values.max()):
                    statistic.item()

    return "moments, against torch", *side_by_side(lambda: sweep(SweepRequest(tensors), engine="numba"), theirs, runs)


def pair_against_gguf(dtype: str, runs: int = 3, engine: Literal["numba", "numpy"] = "numba") -> Measured:
    """Pair measures of a quantised matrix and its BF16 source, against gguf-py's dequantize and the same in numpy."""
    with tempfile.TemporaryDirectory() as name:
        target, source = _pair(Path(name), dtype)
        request = SweepRequest([target], {target.name: Pairing(target, source)})

        def ours() -> None:
            seen = sweep(request, engine=engine)
            assert seen.engine == engine and seen.pairs[target.name].count == target.elements

        label = f"pair {dtype} against BF16, {engine}"
        return label, *side_by_side(ours, lambda: _measure_with_gguf(target, source), runs)


def all_kernels(model: Path, runs: int = 5) -> Sequence[Measured]:
    """Every row but torch's."""
    moments = [moments_against_cat(model, runs, engine, digest) for engine in ("numba", "numpy") for digest in (0, 1)]
    return [*moments, *(pair_against_gguf(dtype) for dtype in _SCALES)]


def _pair(folder: Path, dtype: str) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(0)
    weights = rng.standard_normal(SHAPE, dtype=np.float32) * np.float32(0.02)
    blocks = weights.size // DTYPES[dtype].block
    raw = rng.integers(0, 256, (blocks, DTYPES[dtype].block_bytes), dtype=np.uint8)
    for place in _SCALES[dtype]:
        raw[:, place : place + 2] = np.full(blocks, 1e-3, np.float16).view(np.uint8).reshape(blocks, 2)
    return (
        _write(folder / "target", dtype, raw),
        _write(folder / "source", "BF16", (weights.view(np.uint32) >> 16).astype(np.uint16)),
    )


def _write(path: Path, dtype: str, data: Any) -> Tensor:
    path.write_bytes(data.tobytes())
    return Tensor(path.name, dtype, SHAPE, path, 0, data.nbytes)


def _measure_with_gguf(target: Tensor, source: Tensor) -> tuple[float, ...]:
    import gguf

    a, b = (
        gguf.quants.dequantize(
            np.fromfile(tensor.file, np.uint8).reshape(SHAPE[0], -1), gguf.GGMLQuantizationType[tensor.dtype]
        )
        for tensor in (target, source)
    )
    error = a - b
    relative = float(np.sqrt(np.mean(error**2) / np.mean(b**2)))
    cosines = np.sum(a * b, axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    gain = float(np.mean((a - a.mean()) * (b - b.mean())) / np.var(b))
    statistics = [float(f(side)) for side in (a, b) for f in (np.mean, np.std, np.min, np.max)]
    return relative, float(cosines.min()), gain, float(np.abs(error).max()), *statistics


if __name__ == "__main__":
    import sys

    for label, ours, theirs in all_kernels(Path(sys.argv[1])):
        print(
            f"{label:40s} {ours:8.3f} s against {theirs:8.3f} s: {ours / theirs:6.2f}, or {theirs / ours:6.1f} x faster"
        )
