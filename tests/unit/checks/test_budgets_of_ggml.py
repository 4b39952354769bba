"""The budget of each type leaves room for ggml's own quantiser on Gaussian and heavy-tailed values, and no more."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from model_contracts.anatomy.hypotheses.budgets import Budget, Budgets
from model_contracts.converters.quantise import ggml, installed
from model_contracts.definitions import load_invariant
from model_contracts.dtypes import DTYPES

pytestmark = pytest.mark.skipif(not installed(), reason="ggml is not installed (the extra llama-cpp)")

ROWS, COLUMNS = 16, 1024
#: Scales between two powers of two: where a type's block scale is one, the error depends on where values lie.
SCALES = tuple(0.02 * 2.0 ** (eighth / 4) for eighth in range(4))


def budgets() -> dict[str, Budget]:
    invariant = load_invariant("I-4-statistics-preserved")
    return Budgets.model_validate(invariant.parameters).budgets


def values(kind: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    random = np.random.default_rng(5)
    return random.normal(size=(ROWS, COLUMNS)) if kind == "normal" else random.standard_t(4, size=(ROWS, COLUMNS))


def requantised(dtype: str, source: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """What ggml writes of the values, decoded by the gguf package (the reference)."""
    from gguf import quants
    from gguf.constants import GGMLQuantizationType

    kind, weights = GGMLQuantizationType[dtype], np.ones(COLUMNS, np.float32)
    data = np.zeros(DTYPES[dtype].nbytes(source.size), np.uint8)
    ggml().ggml_quantize_init(int(kind))
    ggml().ggml_quantize_chunk(int(kind), source.ctypes.data, data.ctypes.data, 0, ROWS, COLUMNS, weights.ctypes.data)
    decoded: np.ndarray[Any, np.dtype[np.float32]] = quants.dequantize(data.reshape(ROWS, -1), kind)
    return decoded.reshape(ROWS, COLUMNS)


def measured(source: Any, target: Any) -> dict[str, float]:
    source, target = source.astype(np.float64), target.astype(np.float64)
    rms, reach = np.sqrt(np.mean(source**2)), np.abs(source).max()
    norms = np.sqrt(np.sum(source**2, axis=1) * np.sum(target**2, axis=1))
    ends = (abs(target.max() - source.max()), abs(target.min() - source.min()))
    return {
        "relative_rmse": float(np.sqrt(np.mean((target - source) ** 2)) / rms),
        "row_cosine": float(1 - np.min(np.sum(source * target, axis=1) / norms)),
        "gain": float(abs(np.sum(source * target) / np.sum(source**2) - 1)),
        "max_error": float(np.abs(target - source).max() / reach),
        "mean": float(abs(target.mean() - source.mean()) / rms),
        "std": float(abs(target.std() / source.std() - 1)),
        "extreme": float(max(ends) / reach),
    }


TYPES = [
    name for name in budgets() if name in DTYPES and DTYPES[name].kind == "quantised" and not name.startswith("APR")
]
#: Search-based quantisers take seconds; one scale is enough for types whose scale is a float.
SLOW = ("IQ1", "IQ2", "IQ3")


@pytest.mark.parametrize("kind", ["normal", "heavy-tailed"])
@pytest.mark.parametrize("dtype", TYPES)
def test_what_ggml_quantises_is_within_the_budget_of_its_type(dtype: str, kind: str) -> None:
    budget = budgets()[dtype]
    for scale in SCALES[:1] if dtype.startswith(SLOW) else SCALES:
        source = np.ascontiguousarray(values(kind) * scale, np.float32)
        seen = measured(source, requantised(dtype, source))
        over = {name: value for name, value in seen.items() if value > getattr(budget, name)}
        assert over == {}, f"{dtype} at {scale:.3f}: {over}"


def test_mxfp4_cuts_its_largest_value_by_up_to_a_quarter() -> None:
    source = np.ascontiguousarray(np.random.default_rng(1).normal(size=(ROWS, COLUMNS)) * 0.02, np.float32)
    source[0, 0] = np.float32(7.99 / 4)
    seen = measured(source, requantised("MXFP4", source))
    assert 0.24 < seen["max_error"] < 0.25 <= budgets()["MXFP4"].max_error
    assert seen["extreme"] == pytest.approx(seen["max_error"])


@pytest.mark.parametrize("dtype", TYPES)
def test_values_of_another_matrix_are_past_every_budget(dtype: str) -> None:
    source = np.ascontiguousarray(values("normal") * 0.02, np.float32)
    target = requantised(dtype, np.ascontiguousarray(source[::-1]))
    assert measured(source, target)["relative_rmse"] > 2 * budgets()[dtype].relative_rmse
