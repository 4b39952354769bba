"""Each declared value has an equal, a default, or is said to have none; which types a label leaves alone is data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from model_contracts.anatomy.claims import expected_types, kept, mixed
from model_contracts.artifact import Artifact, Tensor
from model_contracts.checks.interface import Examination
from model_contracts.checks.static.configuration.pair_hyperparameters import (
    PairHyperparametersParameters,
    pair_hyperparameters,
)
from model_contracts.definitions import load_families, load_recipes
from model_contracts.formats.opening import open_artifact
from model_contracts.outcome import Comparison, Uncompared
from support.shared_models import DATA

FOLDER, GGUF = DATA / "tiny-qwen2", DATA / "tiny-qwen2-Q4_K_M.gguf"


def compared(target: Artifact, source: Artifact) -> tuple[dict[str, Comparison], list[Uncompared]]:
    """What does not hold, by measure, and what was not compared."""
    examination = Examination(target, source, load_families(), load_recipes(), lambda request: pytest.fail("no pass"))
    said = list(pair_hyperparameters(examination, PairHyperparametersParameters(relative=1e-6), lambda *key: "here"))
    broken = {one.measure: one for one in said if isinstance(one, Comparison) and not one.holds}
    return broken, [one for one in said if isinstance(one, Uncompared)]


def with_config(**changes: Any) -> Artifact:
    artifact = open_artifact(FOLDER)
    return replace(artifact, config={**(artifact.config or {}), **changes})


def with_key(key: str, value: Any) -> Artifact:
    artifact = open_artifact(GGUF)
    container = replace(artifact.containers[0], metadata={**artifact.metadata, key: value})
    return replace(artifact, containers=(container,))


def test_an_honest_conversion_of_a_known_family_leaves_nothing_uncompared() -> None:
    assert compared(open_artifact(GGUF), open_artifact(FOLDER)) == ({}, [])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hidden_act", "relu"),
        ("rms_norm_eps", 1e-5),
        ("final_logit_softcapping", 30.0),
        ("num_experts_per_tok", 8),
        ("norm_topk_prob", True),
        ("attention_multiplier", 0.5),
        ("partial_rotary_factor", 0.5),
        ("routed_scaling_factor", 2.5),
    ],
)
def test_a_key_that_one_config_has_otherwise_is_named(key: str, value: Any) -> None:
    source = with_config(**{key: 16 if key == "num_experts_per_tok" else False if value is True else 1e-6})
    broken, _ = compared(with_config(**{key: value}), source)
    assert any(one.place.key == key for one in broken.values()), broken


def test_a_key_of_one_config_alone_is_said_where_no_default_is_known() -> None:
    broken, gaps = compared(with_config(some_new_scale=2.0), open_artifact(FOLDER))
    assert broken == {}
    assert [gap.place.key for gap in gaps] == ["some_new_scale"]


def test_null_written_out_is_no_value_and_differs_from_one() -> None:
    broken, gaps = compared(with_config(some_scale=None), open_artifact(FOLDER))
    assert (broken, gaps) == ({}, [])
    broken, _ = compared(with_config(rope_parameters={"rope_theta": 1e6, "rope_type": "dynamic"}), with_config())
    assert set(broken) == {"rope_scaling_type"}


@pytest.mark.parametrize("key", ["qwen2.rope.freq_base", "qwen2.attention.head_count_kv", "qwen2.rope.dimension_count"])
def test_a_gguf_key_that_differs_from_the_config_is_named(key: str) -> None:
    broken, _ = compared(with_key(key, 3), open_artifact(FOLDER))
    assert [one.place.key for one in broken.values()] == [key]


def test_an_array_of_equal_entries_equals_the_number() -> None:
    assert compared(with_key("qwen2.attention.head_count_kv", [2, 2, 2, 2]), open_artifact(FOLDER)) == ({}, [])
    broken, _ = compared(with_key("qwen2.attention.head_count_kv", [2, 2, 1, 2]), open_artifact(FOLDER))
    assert set(broken) == {"num_key_value_heads"}


def test_a_key_of_a_gguf_without_counterpart_is_said() -> None:
    broken, gaps = compared(with_key("qwen2.some_new_key", 7), open_artifact(FOLDER))
    assert broken == {}
    assert [gap.place.key for gap in gaps] == ["qwen2.some_new_key"]


@pytest.mark.parametrize(
    "value", [10**400, -(10**400), [[1], {"a": 2}], "x" * 100_000, {"deep": {"er": [1]}}, float("inf")]
)
def test_no_value_of_a_config_stops_the_comparison(value: Any) -> None:
    compared(with_config(rope_theta=value, unknown=value), open_artifact(FOLDER))
    compared(with_key("qwen2.rope.freq_base", value), open_artifact(FOLDER))


def tensor(name: str, dtype: str, *shape: int) -> Tensor:
    return Tensor(name, dtype, shape, GGUF, 0, 0)


@pytest.mark.parametrize(
    "name",
    [
        "blk.3.ffn_gate_inp.weight", "position_embd.weight", "token_types.weight", "blk.0.ssm_conv1d.weight",
        "blk.0.shortconv.conv.weight", "blk.0.ssm_a", "blk.0.ffn_up_exps.bias", "rope_freqs.weight",
    ],
)  # fmt: skip
def test_a_tensor_that_llama_cpp_never_quantises_may_be_f32_under_every_label(name: str) -> None:
    recipes = load_recipes()
    one = tensor(name, "F32", 4, 256)
    assert kept(recipes, name, one)
    assert all("F32" in expected_types(recipe, recipes, name, one) for recipe in recipes.recipes.values())


def test_a_matrix_of_a_layer_is_not_left_alone() -> None:
    recipes = load_recipes()
    one = tensor("blk.0.ffn_up.weight", "F32", 512, 256)
    assert expected_types(recipes.recipes["Q4_K_M"], recipes, one.name, one) == ("Q4_K",)


@pytest.mark.parametrize(
    ("name", "mix"),
    [
        ("qwen2-UD-Q2_K_XL", True), ("qwen2-Q4_K_XL", True), ("qwen2-Q4_K_L", True), ("m-custom-Q4_K_M", True),
        ("gpt2-XL-Q4_K_M", False), ("qwen2-Q3_K_L", False), ("my-custom-model-Q4_K_M", False), ("cloud-Q4_K_M", False),
    ],
)  # fmt: skip
def test_only_a_name_that_calls_its_label_a_mix_is_one(name: str, mix: bool) -> None:
    assert (mixed(replace(open_artifact(GGUF), name=name), load_recipes()) is not None) is mix
