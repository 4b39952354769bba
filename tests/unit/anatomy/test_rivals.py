"""Rival explanations are found in a sample of a matrix too, and only where they leave the error of the type."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_contracts.anatomy.families.steps import within_heads
from model_contracts.anatomy.hypotheses import fits
from model_contracts.anatomy.hypotheses.budgets import Budget
from model_contracts.anatomy.hypotheses.rivals import explain
from model_contracts.anatomy.pairing.made import made_of
from model_contracts.anatomy.view import View
from model_contracts.definitions import load_families
from model_contracts.formats.opening import open_artifact
from model_contracts.layout import Expr, Stored
from model_contracts.sweep.interface import Pairing, PairMeasures
from support.conversions import interleaved, split_again
from support.safetensors_files import dumps, write_file

HEADS, KEYS, ROWS = 8, 2, 64
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": ROWS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KEYS,
}
Q, NEXT = "model.layers.0.self_attn.q_proj.weight", "model.layers.1.self_attn.q_proj.weight"
BUDGET = Budget(
    relative_rmse=1e-3, row_cosine=1e-5, gain=1e-3, offset=1e-3, max_error=1e-3, mean=1e-3, std=1e-3, extreme=1e-3
)
Change = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(params=["whole", "sampled"], autouse=True)
def sampled(request: Any, monkeypatch: Any) -> bool:
    """Once as a small matrix is read, once as a large one is: some of its rows, and a first look at few of them."""
    if request.param == "sampled":
        monkeypatch.setattr(fits, "_SAMPLE", ROWS * ROWS // 2)
        monkeypatch.setattr(fits, "_FEW_ROWS", 7)
        monkeypatch.setattr(fits, "_FEW_COLUMNS", 9)
    return request.param == "sampled"


def explained(folder: Path, change: Change, heads: int | None = None, row: int = 0) -> str | None:
    """The explanation of a target that `change` made of its source."""
    random = np.random.default_rng(5)
    tensors = {name: random.normal(size=(ROWS, ROWS)).astype(np.float32) for name in (Q, NEXT)}
    changed = {Q: np.ascontiguousarray(change(tensors[Q]), np.float32), NEXT: tensors[NEXT]}
    views = []
    for name, held in (("source", tensors), ("target", changed)):
        (folder / name).mkdir()
        write_file(folder / name / "model.safetensors", held)
        (folder / name / "config.json").write_text(dumps(CONFIG), "utf-8")
        views.append(View(open_artifact(folder / name), load_families()))
    source, target = views
    held = source.artifact.tensors[Q]
    declared = held if heads is None else made_of(in_pairs(Stored(Q, held.shape), heads), {Q: held}, Q)
    return explain(Pairing(target.artifact.tensors[Q], declared), PairMeasures(min_row=row), BUDGET, target, source)


def in_pairs(rows: Expr, heads: int) -> Expr:
    """llama.cpp's order of the rows of each head."""
    return within_heads(rows, heads)


@pytest.mark.parametrize(
    ("words", "change", "heads"),
    [
        ("rows permuted to llama.cpp's order with 8 heads (num_attention_heads)", lambda x: interleaved(x, 8), None),
        ("rows permuted to Hugging Face's order with 2 heads (num_key_value_heads)", lambda x: split_again(x, 2), None),
        (
            "rows permuted to llama.cpp's order with 8 heads (num_attention_heads)",
            lambda x: interleaved(x, 8),
            2,
        ),
        ("rows not permuted (Q/K left in the source's order)", lambda x: x, 2),
        (
            "with 8 heads (num_attention_heads), where they have 2 (num_key_value_heads),",
            lambda x: split_again(interleaved(x, 2), 8),
            None,
        ),
        ("transposed", lambda x: x.T, None),
        ("negated", lambda x: -x, None),
        ("scaled by 1.02", lambda x: x * 1.02, None),
        (
            "rows swapped (3 holds 20, 20 holds 3)",
            lambda x: x[[*range(3), 20, *range(4, 20), 3, *range(21, ROWS)]],
            None,
        ),
    ],
)
def test_the_rival_that_made_the_target_is_named(words: str, change: Change, heads: int | None, tmp_path: Path) -> None:
    assert f"{words} explains it" in (explained(tmp_path, change, heads) or "")


def test_a_head_at_the_end_is_looked_at_where_the_worst_row_is(tmp_path: Path) -> None:
    last = [*range(ROWS - 8), *(ROWS - 1 - i for i in range(8))]
    assert f"rows swapped ({ROWS - 8} holds {ROWS - 1}" in (explained(tmp_path, lambda x: x[last], row=ROWS - 1) or "")


def test_noise_is_explained_by_no_rival(tmp_path: Path) -> None:
    noise = np.random.default_rng(6).normal(size=(ROWS, ROWS))
    assert explained(tmp_path, lambda x: x + 0.5 * noise) is None


def test_one_large_value_is_no_scale(tmp_path: Path) -> None:
    def put(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[3, 3] = 1e4
        return values

    assert explained(tmp_path, put) is None


def test_a_rival_that_leaves_a_little_is_said_to_explain_most_of_it(tmp_path: Path) -> None:
    noise = np.random.default_rng(6).normal(size=(ROWS, ROWS))
    assert "negated explains most of it" in (explained(tmp_path, lambda x: -x + 0.05 * noise) or "")
