"""Every type decodes to the values its specification gives."""

from __future__ import annotations

import numpy as np
import pytest

from model_contracts.dtypes import DTYPES
from model_contracts.sweep.kernels.decode_numpy import BORROWED, DECODERS, apr_q8, decoder, value_type
from model_contracts.sweep.kernels.decode_tables import float8
from support.tensor_files import random_blocks

OURS_AGAINST_GGUF = sorted(
    {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS", "BF16"}
)


def decode(name: str, raw: np.ndarray) -> np.ndarray:
    out = np.empty((len(raw), DTYPES[name].block), value_type(name))
    DECODERS[name](raw, out)
    return out


@pytest.mark.parametrize("name", OURS_AGAINST_GGUF)
def test_random_blocks_decode_bit_equal_to_gguf_py(name: str) -> None:
    import gguf

    raw = random_blocks(name, 64)
    expected = gguf.quants.dequantize(raw, gguf.GGMLQuantizationType[name])
    assert np.array_equal(decode(name, raw).view(np.uint32), expected.view(np.uint32))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", OURS_AGAINST_GGUF)
def test_any_bytes_at_all_decode_to_the_same_finite_and_non_finite_values_as_gguf_py(name: str) -> None:
    import gguf

    raw = np.random.default_rng(7).integers(0, 256, (256, DTYPES[name].block_bytes), dtype=np.uint8)
    expected = gguf.quants.dequantize(raw, gguf.GGMLQuantizationType[name])
    assert np.array_equal(decode(name, raw), expected, equal_nan=True)


@pytest.mark.parametrize("name", BORROWED)
def test_types_that_gguf_py_decodes_for_us_give_finite_values_of_every_block(name: str) -> None:
    values = decode(name, random_blocks(name, 8))
    assert np.count_nonzero(values) > 0
    assert values.shape == (8, DTYPES[name].block)


def test_every_half_precision_pattern_decodes_to_its_value() -> None:
    raw = np.arange(65536, dtype=np.uint16).view(np.uint8).reshape(-1, 2)
    expected = raw.view(np.float16).astype(np.float32)
    assert np.array_equal(decode("F16", raw), expected, equal_nan=True)
    assert np.array_equal(np.signbit(decode("F16", raw)), np.signbit(expected))


@pytest.mark.parametrize(
    ("name", "dtype"),
    {
        "F64": "<f8",
        "F32": "<f4",
        "I64": "<i8",
        "U64": "<u8",
        "I32": "<i4",
        "U32": "<u4",
        "I16": "<i2",
        "U16": "<u2",
        "I8": "i1",
        "U8": "u1",
    }.items(),
)
def test_plain_numbers_decode_to_themselves(name: str, dtype: str) -> None:
    if name.startswith("F"):
        numbers = np.array([0.1, -2.5, 3e30, -0.0], dtype)
    else:
        numbers = np.array([0, 1, np.iinfo(dtype).max, np.iinfo(dtype).min], dtype)
    raw = numbers.view(np.uint8).reshape(4, -1)
    assert np.array_equal(decode(name, raw)[:, 0], numbers.astype(value_type(name)))


def test_integers_of_32_bits_keep_every_digit() -> None:
    raw = np.array([2**31 - 1], "<i4").view(np.uint8).reshape(1, 4)
    assert decode("I32", raw)[0, 0] == 2**31 - 1


@pytest.mark.parametrize(
    ("name", "code", "value"),
    [
        ("F8_E4M3", 0x7E, 448.0),
        ("F8_E4M3", 0x01, 2.0**-9),
        ("F8_E4M3", 0xFF, np.nan),
        ("F8_E5M2", 0x7B, 57344.0),
        ("F8_E5M2", 0x7C, np.inf),
        ("F8_E5M2", 0xFD, np.nan),
        ("F8_E5M2", 0x01, 2.0**-16),
        ("F8_E8M0", 127, 1.0),
        ("F8_E8M0", 0, 2.0**-127),
        ("F8_E8M0", 255, np.nan),
        ("F8_E4M3FNUZ", 0x7F, 240.0),
        ("F8_E4M3FNUZ", 0x80, np.nan),
        ("F8_E5M2FNUZ", 0x7F, 57344.0),
        ("F8_E5M2FNUZ", 0xFF, -57344.0),
    ],
)
def test_eight_bit_floats_hold_the_values_of_their_specification(name: str, code: int, value: float) -> None:
    assert np.array_equal(float8(name)[code], np.float32(value), equal_nan=True)
    assert np.array_equal(decode(name, np.full((1, 1), code, np.uint8))[0, 0], np.float32(value), equal_nan=True)


def test_apr_q4_holds_the_two_values_of_a_byte_side_by_side() -> None:
    raw = np.zeros((1, 18), np.uint8)
    raw[0, :2] = np.array([0.5], np.float16).view(np.uint8)
    raw[0, 2] = 0xF1
    values = decode("APR_Q4", raw)[0]
    assert values[:3].tolist() == [(1 - 8) * 0.5, (15 - 8) * 0.5, (0 - 8) * 0.5]


def test_apr_q8_values_are_bytes_under_the_scale_of_the_tensor() -> None:
    out = np.empty((3, 1), np.float32)
    apr_q8(np.float32(0.25))(np.array([[1], [255], [128]], np.uint8), out)
    assert out[:, 0].tolist() == [0.25, -0.25, -32.0]


def test_eight_bit_blocks_of_dot_products() -> None:
    """Q8_1: half scale, half sum, 32 bytes. Q8_K: float32 scale, 256 bytes, sums."""
    for name, scale, count in (("Q8_1", "<f2", 32), ("Q8_K", "<f4", 256)):
        raw = np.zeros((1, DTYPES[name].block_bytes), np.uint8)
        raw[0, : np.dtype(scale).itemsize] = np.array([0.5], scale).view(np.uint8)
        raw[0, 4:6] = (3, 254)
        assert decode(name, raw)[0, :3].tolist() == [1.5, -1.0, 0.0]
        assert decode(name, raw).shape == (1, count)


def test_a_type_that_nothing_decodes_has_no_decoder() -> None:
    assert decoder("F4") is None
    assert decoder("C64") is None
