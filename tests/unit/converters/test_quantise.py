"""Encoders against the decoders of this program and the definitions of the types."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model_contracts.artifact import Tensor
from model_contracts.converters import quantise
from model_contracts.converters.interface import ConversionRefused
from model_contracts.converters.quantise import encoder
from model_contracts.dtypes import DTYPES
from model_contracts.sweep.rows import read_rows
from support.converting import needs_ggml

#: Largest relative RMSE on a normal distribution.
WORST = {
    "F32": 0.0, "F16": 3e-4, "BF16": 2.5e-3, "Q8_0": 0.01, "Q5_1": 0.05, "Q5_0": 0.06, "Q4_1": 0.09, "Q4_0": 0.1,
    "Q6_K": 0.02, "Q5_K": 0.04, "Q4_K": 0.08, "Q3_K": 0.16, "Q2_K": 0.32, "IQ4_NL": 0.09, "IQ4_XS": 0.09,
}  # fmt: skip


@pytest.mark.parametrize("dtype", WORST)
def test_what_is_encoded_decodes_to_nearly_the_same(dtype: str, tmp_path: Path) -> None:
    if dtype not in ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"):
        needs_ggml()
    values = np.random.default_rng(1).standard_normal(4096).astype(np.float32)
    data = encoder(dtype)(values).tobytes()
    assert len(data) == DTYPES[dtype].nbytes(4096)
    path = tmp_path / "blocks"
    path.write_bytes(data)
    decoded = read_rows(Tensor("w", dtype, (16, 256), path, 0, len(data)), 0, 16).reshape(-1)
    error = float(np.sqrt(np.mean((decoded - values) ** 2)))
    assert error <= WORST[dtype]
    assert dtype == "F32" or error > WORST[dtype] / 20


def test_bf16_rounds_to_nearest_even_and_keeps_what_is_not_finite() -> None:
    bits = np.array([0x3F808000, 0x3F818000, 0x3F808001, 0x7F800000, 0xFF800000, 0x7F800001, 0x7F7FFFFF], np.uint32)
    found = encoder("BF16")(bits.view(np.float32)).view(np.uint16)
    assert [hex(value) for value in found] == ["0x3f80", "0x3f82", "0x3f81", "0x7f80", "0xff80", "0x7fc0", "0x7f80"]


@pytest.mark.parametrize("dtype", quantise._SIMPLE)
@pytest.mark.parametrize("scale", [1.0, 1e-7, 100.0])
def test_the_gguf_package_and_ggml_give_the_same_bytes(dtype: str, scale: float) -> None:
    needs_ggml()
    values = np.random.default_rng(2).standard_normal(32 * 500).astype(np.float32) * np.float32(scale)
    values[:64] = 0
    values[64:4000] = np.round(values[64:4000] * 4 / scale) * scale / 4  # ties
    assert np.array_equal(quantise._by_gguf(dtype)(values), quantise._by_ggml(dtype)(values))


def test_ggml_is_not_given_what_it_aborts_on() -> None:
    needs_ggml()
    with pytest.raises(ConversionRefused, match="a NaN or an infinity cannot be quantised"):
        encoder("Q4_K")(np.full(256, np.nan, np.float32))


def test_a_type_that_needs_an_importance_matrix_is_refused() -> None:
    with pytest.raises(ConversionRefused, match="without an importance matrix"):
        encoder("IQ2_XXS")
