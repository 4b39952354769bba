"""A family that says one thing wrong is seen by what holds it: a step left out, a wrong size, a name, an order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model_contracts.family import Family
from model_contracts.layout import substitute
from support.family_files import FOLDER, Side, keys_and_layer, owed, pairs, value_of


@pytest.fixture(autouse=True)
def _files() -> None:
    for package in ("torch", "safetensors", "gguf"):
        pytest.importorskip(package)
    if not FOLDER.is_dir():
        pytest.skip("no folder ../shared/families beside the repository")


def _sides(name: str, family: Family | None = None) -> tuple[Side, Side]:
    pair = next(pair for pair in pairs() if pair.name == name)
    return tuple(replace(side, family=family or pair.family) for side in pair.sides)  # type: ignore[return-value]


def _family(name: str) -> Family:
    return next(pair.family for pair in pairs() if pair.name == name)


def _with(family: Family, key: str, **changed: object) -> Family:
    weight = family.tensors[key]
    assert weight is not None
    return family.model_copy(update={"tensors": {**family.tensors, key: weight.model_copy(update=changed)}})


def _equal(sides: tuple[Side, Side], name: str) -> bool:
    """Whether a tensor of the GGUF has the values that follow from the folder."""
    source, target = sides
    entry = target.entries[name]
    logical = {w: source.conventions.expression(key, entry.layer) for key, w in keys_and_layer(target, entry)}
    found = value_of(substitute(target.conventions.stored(entry), logical), source.values)
    return np.array_equal(found, target.values[name])


@pytest.mark.parametrize(
    ("folder", "key", "stored"),
    [
        ("llama32", "blk.{n}.attn_q.weight", "blk.1.attn_q.weight"),
        ("gemma2", "blk.{n}.ffn_norm.weight", "blk.1.ffn_norm.weight"),
        ("qwen3_next", "blk.{n}.ssm_a", "blk.0.ssm_a"),
        ("qwen3_5", "blk.{n}.ssm_out.weight", "blk.0.ssm_out.weight"),
        ("qwen3_5", "blk.{n}.linear_v.weight", "blk.0.attn_qkv.weight"),
    ],
)
def test_a_step_left_out_is_other_values(folder: str, key: str, stored: str) -> None:
    """The values follow with the step, and do not without it."""
    assert _equal(_sides(folder), stored)
    assert not _equal(_sides(folder, _with(_family(folder), key, gguf_steps=())), stored)


def test_another_order_of_fused_weights_is_other_values() -> None:
    """Up before gate is another matrix than gate before up."""
    family, name = _family("phi3"), "blk.{n}.ffn_up.weight"
    fused = family.fused["gguf"][name]
    assert fused is not None
    turned = {**family.fused["gguf"], name: fused.model_copy(update={"of": fused.of[::-1]})}
    wrong = family.model_copy(update={"fused": {**family.fused, "gguf": turned}})
    assert _equal(_sides("phi3"), "blk.0.ffn_up.weight")
    assert not _equal(_sides("phi3", wrong), "blk.0.ffn_up.weight")


def test_a_wrong_name_is_a_tensor_not_known_and_one_that_is_owed() -> None:
    """A name that no file has: the real one is unknown, and the said one is missing."""
    family = _with(_family("qwen3"), "blk.{n}.ffn_up.weight", huggingface="model.layers.{n}.mlp.upward.weight")
    source, _ = _sides("qwen3", family)
    assert "model.layers.0.mlp.up_proj.weight" not in source.entries
    assert "model.layers.0.mlp.upward.weight" in {*owed(source)} - source.values.keys()


def test_a_wrong_size_is_another_shape() -> None:
    """K of as many heads as Q has rows that the file does not have."""
    family = _with(
        _family("qwen3"), "blk.{n}.attn_k.weight", shape=(("num_attention_heads", "head_dim"), ("hidden_size",))
    )
    for side in _sides("qwen3", family):
        name = next(name for name, entry in side.entries.items() if entry.key == "blk.{n}.attn_k.weight")
        assert side.conventions.stored(side.entries[name]).shape != side.values[name].shape
