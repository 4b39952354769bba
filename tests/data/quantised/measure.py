"""Owns how the rows of packed weights in docs/error-budgets.md are measured, with the quantisers themselves.

`PYTHONPATH=src:tests python tests/data/quantised/measure.py` prints, for each kind and group, the worst of each measure
beside the bound that invariants/I-4-statistics-preserved.yaml has for it, and the share of the bound that is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import torch
import yaml
from compressed_tensors.quantization import QuantizationArgs
from compressed_tensors.quantization.lifecycle.forward import dequantize, quantize
from compressed_tensors.quantization.utils import calculate_qparams

from support.mutations import read_safetensors_model
from support.shared_models import DATA

Quantiser = Callable[[Any], Any]
MEASURES = ("relative_rmse", "row_cosine", "gain", "offset", "max_error", "mean", "std", "extreme")
BOUNDS = Path(__file__).parents[3] / "invariants" / "I-4-statistics-preserved.yaml"


def samples() -> Iterator[tuple[str, Any]]:
    """Matrices to quantise, in float32."""
    random = np.random.default_rng(7)
    yield "gauss", (random.standard_normal((256, 4096)) * 0.02).astype(np.float32)
    yield "t", (random.standard_t(4, (256, 4096)) * 0.02).astype(np.float32)
    yield "t, small", (random.standard_t(4, (64, 512)) * 0.02).astype(np.float32)
    sizes = np.exp(random.standard_normal((128, 1)))
    yield "t, rows of sizes", (random.standard_t(4, (128, 2048)) * 0.02 * sizes).astype(np.float32)
    tensors, _ = read_safetensors_model(DATA / "tiny-qwen2" / "model.safetensors")
    for name, tensor in tensors.items():
        if ".layers." in name and len(tensor.shape) == 2:
            yield name, np.asarray(tensor.values, np.float32)
            yield f"{name}, cut", np.ascontiguousarray(tensor.values[:64, :128].astype(np.float32))


def measured(values: Any, back: Any) -> dict[str, float]:
    """The measures of one matrix, as the gates take them."""
    x, y = values.astype(np.float64), back.astype(np.float64)
    scale, reach = np.sqrt((x * x).mean()), np.abs(x).max()
    cosine = (x * y).sum(1) / np.maximum(np.sqrt((x * x).sum(1) * (y * y).sum(1)), 1e-300)
    slope = ((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()
    spread = 3 * np.sqrt(((y - x) ** 2).mean()) / x.std() / np.sqrt(x.size)  # what rounding alone may do
    found = {
        "relative_rmse": np.sqrt(((y - x) ** 2).mean()) / scale,
        "row_cosine": 1 - cosine.min(),
        "gain": max(abs(slope - 1) - spread, 0),
        "offset": max(abs(y.mean() - slope * x.mean()) / scale - spread, 0),
        "max_error": np.abs(y - x).max() / reach,
        "mean": max(abs(y.mean() - x.mean()) / scale - spread, 0),
        "std": abs(y.std() - x.std()) / max(x.std(), 0.1 * scale),
        "extreme": max(abs(y.min() - x.min()), abs(y.max() - x.max())) / reach,
    }
    return {name: float(value) for name, value in found.items()}


def of_mlx(bits: int, group: int) -> Quantiser:
    """mx.quantize, affine."""

    def quantise(values: Any) -> Any:
        parts = mx.quantize(mx.array(values), group_size=group, bits=bits)
        return np.array(mx.dequantize(*parts, group_size=group, bits=bits))

    return quantise


def of_compressed(bits: int, group: int, symmetric: bool) -> Quantiser:
    """compressed-tensors, scales of the ends of each group (0: a row), in float32."""
    strategy = {"strategy": "group", "group_size": group} if group else {"strategy": "channel"}
    args = QuantizationArgs(num_bits=bits, type="int", symmetric=symmetric, **strategy)

    def quantise(values: Any) -> Any:
        full = torch.from_numpy(values)
        groups = full.reshape(len(full), -1, group or full.shape[1])
        scale, zero = calculate_qparams(groups.amin(2), groups.amax(2), args)
        codes = quantize(full, scale, zero, args)
        return dequantize(codes, scale, zero, args).numpy()

    return quantise


def quantisers() -> Iterator[tuple[str, Quantiser]]:
    """A name of a budget and what makes such weights."""
    for bits in (2, 3, 4, 5, 6, 8):
        for group in (32, 128):
            yield f"UINT{bits}/{group} mlx", of_mlx(bits, group)
    for bits in (2, 3, 4, 5, 6, 7, 8):
        for group in (32, 128, 0):
            for symmetric in (True, False):
                kind = f"{'INT' if symmetric else 'UINT'}{bits}/{group or 'row'}"
                yield f"{kind} compressed-tensors", of_compressed(bits, group, symmetric)


def main() -> None:
    """Print the table."""
    bounds = yaml.safe_load(BOUNDS.read_text("utf-8"))["parameters"]["budgets"]
    for name, quantise in quantisers():
        worst: dict[str, float] = dict.fromkeys(MEASURES, 0.0)
        first: dict[str, float] = {}
        for sample, values in samples():
            found = measured(values, quantise(values))
            first.setdefault(sample, found["relative_rmse"])
            worst = {measure: max(worst[measure], found[measure]) for measure in MEASURES}
        bound = bounds.get(name.partition(" ")[0], {})
        shares = ((m, worst[m], bound.get(m, float("inf"))) for m in MEASURES)
        said = " ".join(f"{m} {most:.4g} of {limit:g} ({most / limit:.2f})" for m, most, limit in shares)
        print(f"{name}: gauss {first['gauss']:.4f} t {first['t']:.4f} | {said}", flush=True)


if __name__ == "__main__":
    main()
