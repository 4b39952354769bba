"""Live values: padding rows of a vocabulary are left out, and an expert is dead where all of its rows are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cases.gates import ALIVE
from cases.interface import QWEN2
from cases.makers import converted, weights
from support.examining import the, violated, yielded
from support.gguf_models import GgufModel
from support.mutations import Floats, stored

EMBEDDING, EXPERTS = "model.embed_tokens.weight", "blk.1.ffn_up_exps.weight"


def padded(folder: Path, dead: int) -> Path:
    """tiny-qwen2 with 2,000 rows of padding behind the 2,000 of its tokens, `dead` of which are zero too."""

    def edit(tensors: dict[str, object]) -> None:
        rows = np.zeros((4000, 256), np.float32)
        rows[:2000] = tensors[EMBEDDING].values
        rows[2000 - dead : 2000] = 0
        tensors[EMBEDDING] = stored(rows, "BF16")

    return weights(QWEN2, edit)(folder).path


@pytest.mark.parametrize(("dead", "holds"), [(0, True), (500, True), (600, False)])
def test_rows_of_padding_are_left_out_and_those_of_tokens_are_counted(tmp_path: Path, dead: int, holds: bool) -> None:
    found = the(yielded(ALIVE, padded(tmp_path, dead))[0], "dead_rows", EMBEDDING)
    assert (found.holds, found.observed, found.count) == (holds, dead / 2000, 2000)


def with_experts(folder: Path, change: Callable[[Floats], None]) -> Path:
    """A GGUF with eight experts of 64 rows in each layer, those of the second changed."""

    def edit(model: GgufModel) -> None:
        for name in [name for name in model.keys if name.startswith("qwen2.")]:
            model.keys["qwen2moe." + name.removeprefix("qwen2.")] = model.keys.pop(name)
        model["general.architecture"] = "qwen2moe"
        for name in [name for name in model.tensors if ".ffn_up." in name]:
            values = model.tensors.pop(name).values.reshape(8, 64, 256).copy()
            if name.startswith("blk.1."):
                change(values)
            model.tensors[name.replace("ffn_up", "ffn_up_exps")] = stored(values, "F16")

    return converted(QWEN2, "F16", edit, against=False)(folder).path


@pytest.mark.parametrize("rows", [1, 63])
def test_an_expert_with_a_live_row_is_no_dead_expert(tmp_path: Path, rows: int) -> None:
    def change(values: Floats) -> None:
        values[3, :rows] = 0

    found = the(yielded(ALIVE, with_experts(tmp_path, change))[0], "experts_alive", EXPERTS)
    assert (found.holds, found.observed, found.count) == (True, 0, 8)


def test_experts_of_zeros_are_counted_and_named(tmp_path: Path) -> None:
    def change(values: Floats) -> None:
        values[[2, 5]] = 0

    found = the(yielded(ALIVE, with_experts(tmp_path, change))[0], "experts_alive", EXPERTS)
    assert (found.holds, found.observed, found.note) == (False, 2, "experts 2, 5 hold only zeros")


def test_an_honest_model_has_no_dead_part(tmp_path: Path) -> None:
    comparisons, gaps = yielded(ALIVE, QWEN2)
    assert (violated(comparisons), gaps) == (set(), [])
