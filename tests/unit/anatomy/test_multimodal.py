"""A model of several parts: where its language model stands, and which tensors are of another part."""

from __future__ import annotations

import pytest

from model_contracts.anatomy.families.multimodal import (
    of_several_parts,
    other_part,
    text_config,
    text_part,
    without_part,
)


@pytest.mark.parametrize(
    ("name", "alone"),
    [
        ("model.language_model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"),
        ("language_model.model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"),
        ("language_model.lm_head.weight", "lm_head.weight"),
        ("model.text_model.norm.weight", "model.norm.weight"),
        ("thinker.model.language_model.norm.weight", "model.norm.weight"),
        ("model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.up_proj.weight"),
    ],
)
def test_names_of_the_language_model_are_those_of_it_alone(name: str, alone: str) -> None:
    assert without_part(name) == alone
    assert other_part(name) is None


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight", "vision encoder"),
        ("model.visual.blocks.0.attn.qkv.weight", "vision encoder"),
        ("visual.merger.ln_q.weight", "vision encoder"),
        ("model.multi_modal_projector.linear_1.weight", "projector"),
        ("thinker.audio_tower.conv1.weight", "audio encoder"),
    ],
)
def test_other_tensors_are_of_a_part_that_has_a_name(name: str, part: str) -> None:
    assert other_part(name) == part


def test_keys_of_the_language_model_stand_before_those_of_the_whole() -> None:
    config = {"hidden_size": 1, "vision_config": {"hidden_size": 2}, "text_config": {"hidden_size": 3}}
    assert text_part(config) == ("text_config", {"hidden_size": 3})
    assert text_config(config)["hidden_size"] == 3
    assert of_several_parts(config)
    assert not of_several_parts({"hidden_size": 1})
    assert text_part({"text_config": "no object"}) is None
