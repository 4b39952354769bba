"""BF16 to F16 on patterns gives what the conversion through float32 gives, for every pattern there is."""

from __future__ import annotations

import numpy as np
import pytest

from model_contracts.converters.narrowing import narrow, overflows

EVERY = np.arange(65536, dtype=np.uint16)
NORMAL = EVERY[(EVERY & 0x7FFF >= 0x3880) & (EVERY & 0x7FFF <= 0x477F)]


def through_float32(bits):
    with np.errstate(all="ignore"):
        return (bits.astype(np.uint32) << 16).view(np.float32).astype("<f2").view("<u2")


def narrowed(bits):
    out, scratch = np.empty_like(bits), np.empty_like(bits)
    largest = narrow(bits, out, scratch)
    return out, largest


@pytest.mark.parametrize(
    "bits",
    [EVERY, np.concatenate([np.tile(NORMAL, 32), EVERY]), NORMAL, np.zeros(7, np.uint16), np.zeros(0, np.uint16)],
    ids=["every pattern", "few that are not normal", "normal ones", "zeros", "none"],
)
def test_each_pattern_becomes_what_float32_makes_of_it(bits):
    out, _ = narrowed(bits)
    assert np.array_equal(out, through_float32(bits))


@pytest.mark.parametrize("many", [1, 4096], ids=["looked up", "computed"])
@pytest.mark.parametrize(
    ("value", "beyond"),
    [(65280.0, False), (65536.0, True), (-65536.0, True), (np.inf, True), (np.nan, True), (1e-30, False), (0.0, False)],
)
def test_a_magnitude_beyond_the_largest_half_is_seen_among_others(value, beyond, many):
    bits = np.full(many, 0x3F80, np.uint16)
    bits[many // 2] = np.array([value], np.float32).view(np.uint32)[0] >> 16
    assert overflows(narrowed(bits)[1]) is beyond
