"""A conversion that leaves out what its family says of one tensor is Falsified by values; the honest one is not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model_contracts.engine.plan import CheckRequest
from model_contracts.engine.run import check
from model_contracts.outcome import Outcome, Verdict
from support.family_files import FOLDER

VALUES = "F-CONTRACT-I4-002"
Change = Callable[[np.ndarray], np.ndarray]


def values(target: Path, source: Path) -> Outcome:
    """The outcome of the gate that compares values one by one."""
    evidence, _ = check(CheckRequest((target,), against=source))
    return next(outcome for outcome in evidence if outcome.gate_id == VALUES)


def head_by_head(heads: int) -> Change:
    """All Q, all K, all V as a folder of GPT-NeoX and BLOOM has them: head by head."""
    return lambda rows: np.ascontiguousarray(
        rows.reshape(3, heads, -1, *rows.shape[1:]).swapaxes(0, 1).reshape(rows.shape)
    )


def one_row_on(rows: np.ndarray) -> np.ndarray:
    """Positions counted from one row later."""
    return np.roll(rows, 1, axis=0)


def another_scale(stored: np.ndarray) -> np.ndarray:
    """Ternary weights by the next number that BF16 has: what a scale computed otherwise is."""
    bits = stored.view(np.uint16)
    return np.where(bits & 0x7FFF, bits + 1, bits).astype(np.uint16).view(stored.dtype)


def changed(folder: Path, name: str, tensor: str, change: Change) -> Path:
    """A copy of a GGUF with other bytes in one tensor; the shape stays."""
    from gguf import GGUFReader

    target = folder / f"{name}.gguf"
    shutil.copy(FOLDER / target.name, target)
    (found,) = (one for one in GGUFReader(target).tensors if one.name == tensor)
    stored = np.asarray(found.data).copy()
    other = change(stored).tobytes()
    assert len(other) == found.n_bytes
    assert other != stored.tobytes()
    with target.open("r+b") as file:
        file.seek(found.data_offset)
        file.write(other)
    return target


@pytest.mark.parametrize(
    ("name", "tensor", "change"),
    [
        ("gpt_neox", "blk.0.attn_qkv.weight", head_by_head(4)),
        ("bloom", "blk.1.attn_qkv.bias", head_by_head(4)),
        ("gpt2_old", "blk.0.attn_output.weight", lambda x: np.ascontiguousarray(x.view(np.uint16).T).view(x.dtype)),
        ("nemotron", "output_norm.weight", lambda x: x - 1),
        ("mamba", "blk.0.ssm_a", lambda x: np.log(-x)),
        ("mamba2", "blk.1.ssm_norm.weight", one_row_on),
        ("roberta", "position_embd.weight", one_row_on),
        ("lfm2", "blk.0.shortconv.conv.weight", lambda x: np.ascontiguousarray(x[:, ::-1])),
        ("t5", "dec.blk.1.cross_attn_k.weight", one_row_on),
        ("bitnet", "blk.1.ffn_up.weight", another_scale),
        ("bitnet", "blk.0.attn_q.weight", one_row_on),
    ],
)
def test_a_step_left_out_is_falsified_by_values(name: str, tensor: str, change: Change, tmp_path: Path) -> None:
    pytest.importorskip("gguf")
    if not FOLDER.is_dir():
        pytest.skip("no folder ../shared/families beside the repository")
    assert values(FOLDER / f"{name}.gguf", FOLDER / name).outcome is Verdict.CORROBORATED
    broken = values(changed(tmp_path, name, tensor, change), FOLDER / name)
    assert broken.outcome is Verdict.FALSIFIED
    assert {comparison.place.tensor for comparison in broken.comparisons if not comparison.holds} == {tensor}
