"""Rows of one tensor can be read for a diagnosis, and permuted within heads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model_contracts.sweep.rows import MOST_VALUES, read_rows
from support.shared_models import MODELS, needs_models
from support.tensor_files import TensorFile, bf16, random_blocks

RNG = np.random.default_rng(2)


def test_rows_in_the_middle_are_read_decoded(tmp_path: Path) -> None:
    values = RNG.standard_normal((100, 48)).astype(np.float16)
    tensor = TensorFile(tmp_path / "t", b"h").add("w", "F16", (100, 48), values.tobytes())
    assert np.array_equal(read_rows(tensor, 40, 43), values[40:43].astype(np.float32))


def test_a_vector_is_one_row_and_rows_past_the_end_are_none(tmp_path: Path) -> None:
    tensor = TensorFile(tmp_path / "t").add("w", "BF16", (5,), bf16(np.arange(5)))
    assert read_rows(tensor, 0, 9).tolist() == [[0, 1, 2, 3, 4]]
    assert read_rows(tensor, 3, 9).shape == (0, 5)


def test_rows_that_begin_inside_a_block_and_rows_padded_to_one(tmp_path: Path) -> None:
    raw = random_blocks("Q4_K", 12)
    flat = TensorFile(tmp_path / "f").add("w", "Q4_K", (10, 300), raw.tobytes())
    padded = TensorFile(tmp_path / "p").add("w", "Q4_K", (6, 300), raw.tobytes(), row_bytes=288)
    whole = read_rows(replace(flat, shape=(12, 256)), 0, 12).reshape(-1)
    assert np.array_equal(read_rows(flat, 3, 5), whole[900:1500].reshape(2, 300))
    assert np.array_equal(read_rows(padded, 2, 4), whole.reshape(6, 512)[2:4, :300])


def test_what_cannot_be_read_or_decoded_is_nan(tmp_path: Path) -> None:
    tensor = TensorFile(tmp_path / "t").add("w", "F4", (2, 16), bytes(16))
    assert np.isnan(read_rows(tensor, 0, 2)).all()
    for broken in (replace(tensor, dtype="F32"), replace(tensor, dtype="U8", file=tmp_path / "absent")):
        assert np.isnan(read_rows(broken, 0, 2)).all()


def test_more_values_than_fit_are_refused(tmp_path: Path) -> None:
    tensor = TensorFile(tmp_path / "t").add("w", "U8", (MOST_VALUES + 1,), b"")
    with pytest.raises(ValueError, match="are more than"):
        read_rows(tensor, 0, 1)


@needs_models
@pytest.mark.parametrize("path", sorted(MODELS.glob("*.gguf")), ids=lambda path: path.name)
def test_tensors_of_real_files_decode_bit_equal_to_gguf_py(path: Path) -> None:
    import gguf

    from model_contracts.formats.opening import open_artifact

    reference = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    kinds: set[str] = set()
    for name, tensor in open_artifact(path).tensors.items():
        if tensor.dtype in kinds:
            continue
        kinds.add(tensor.dtype)
        theirs = reference[name]
        expected = gguf.quants.dequantize(theirs.data, theirs.tensor_type)
        assert np.array_equal(read_rows(tensor, 0, tensor.rows).reshape(-1), expected.reshape(-1)), tensor.dtype
    assert kinds
