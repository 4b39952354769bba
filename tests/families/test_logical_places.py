"""A bad value is named by its layer, expert, head and row, wherever a convention stores it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cases.gates import FINITE, VALUES
from model_contracts.definitions import load_families
from support.examining import yielded
from support.made_pairs import MadePair

FAMILIES = {family.id: family for family in load_families()}
#: Family, stored tensor, its row, and what that is: in a stack, in one tensor of three, and in another order.
PLACES = [
    (
        "mixtral",
        "blk.1.ffn_gate_exps.weight",
        197,
        "row 197 is row 5 of blk.1.ffn_gate_exps.weight (layer 1, expert 2)",
    ),
    ("gpt_neox", "blk.0.attn_qkv.weight", 85, "row 85 is row 21 of blk.0.attn_k.weight (layer 0, head 1)"),
    ("llama", "blk.2.attn_q.weight", 17, "row 17 is row 24 of blk.2.attn_q.weight (layer 2, head 1)"),
]


@pytest.mark.parametrize("gate", [VALUES, FINITE])
@pytest.mark.parametrize(("family", "tensor", "row", "words"), PLACES)
def test_a_bad_value_is_named_by_where_it_is_in_the_model(
    family: str, tensor: str, row: int, words: str, gate: str, tmp_path: Path
) -> None:
    pair = MadePair(FAMILIES[f"families/{family}"])
    values = pair.values("gguf", tensor)
    rows = values.reshape(-1, values.shape[-1])
    assert row < len(rows)
    rows[row, 3] = np.nan if gate == FINITE else 7.0
    target = pair.gguf(tmp_path / "target.gguf", {tensor: values})
    comparisons, _ = yielded(gate, target, pair.folder(tmp_path / "source"))
    (found,) = (one for one in comparisons if not one.holds)
    assert (found.place.tensor, found.place.row) == (tensor, row)
    assert words in (found.note or "")
