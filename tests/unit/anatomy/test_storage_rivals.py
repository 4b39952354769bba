"""Values whose bytes were laid otherwise are told as that: the other byte order, the other order of nibbles."""

from __future__ import annotations

import numpy as np
import pytest

from model_contracts.anatomy.hypotheses.storage_rivals import storage_rivals

ROWS = np.linspace(-1, 1, 4 * 64, dtype=np.float32).reshape(4, 64)


def rivals(dtype):
    return {words.split(" (")[0]: values for words, values in storage_rivals(dtype, ROWS)}


@pytest.mark.parametrize(("dtype", "stored"), [("F32", "<f4"), ("F16", "<f2")])
def test_a_float_with_its_bytes_turned_round_is_what_a_big_endian_value_reads_as(dtype, stored):
    other = ROWS.astype(stored).astype(np.dtype(stored).newbyteorder(">"))
    read = np.frombuffer(other.tobytes(), stored).astype(np.float32).reshape(ROWS.shape)
    assert np.array_equal(rivals(dtype)["bytes in the other order"], read, equal_nan=True)


def test_a_bf16_with_its_bytes_turned_round_is_turned_back_by_turning_it_again():
    bits = (ROWS.view(np.uint32) >> 16).astype(np.uint16)
    exact = (bits.astype(np.uint32) << 16).view(np.float32)
    (_, once), *_ = storage_rivals("BF16", exact)
    read = (bits.byteswap().astype(np.uint32) << 16).view(np.float32)
    assert np.array_equal(once, read, equal_nan=True)


def test_nibbles_in_the_other_order_change_the_places_of_the_halves_of_a_block():
    swapped = rivals("Q4_0")["nibbles in the other order"]
    assert swapped[0, :32].tolist() == [*ROWS[0, 16:32], *ROWS[0, :16]]
    pairs = rivals("Q4_0")["nibbles in pairs"]
    assert pairs[0, :32].tolist() == [*ROWS[0, 0:32:2], *ROWS[0, 1:32:2]]
    assert rivals("Q4_K")["nibbles in the other order"][0].tolist() == [*ROWS[0, 32:], *ROWS[0, :32]]


def test_a_type_without_nibbles_and_rows_that_are_no_blocks_have_no_such_rival():
    assert rivals("Q8_0") == {}
    assert list(storage_rivals("Q4_0", ROWS[:, :40])) == []
