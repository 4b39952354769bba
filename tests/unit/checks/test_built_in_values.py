"""What llama.cpp computes with where a GGUF has no key: an honest config agrees with it, another one is Falsified."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from model_contracts.anatomy.declared.declared_keys import DeclaredSide
from model_contracts.anatomy.declared.key_table import key_table
from model_contracts.anatomy.view import View
from model_contracts.artifact import Artifact
from model_contracts.checks.interface import Examination
from model_contracts.checks.static.configuration.pair_hyperparameters import (
    PairHyperparametersParameters,
    pair_hyperparameters,
)
from model_contracts.definitions import load_families, load_family, load_keys, load_recipes
from model_contracts.formats.opening import open_artifact
from model_contracts.outcome import Comparison, Uncompared
from support.shared_models import DATA

WINDOWS = ["sliding_attention", "full_attention"] * 3
FIVE = ["sliding_attention"] * 5 + ["full_attention"]
#: Class, general.architecture, what its config.json says beside the sizes, what its GGUF says beside them.
MODELS: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    "gemma2": ("Gemma2ForCausalLM", "gemma2", {"layer_types": WINDOWS, "query_pre_attn_scalar": 16}, {}),
    "gemma3": (
        "Gemma3ForCausalLM",
        "gemma3",
        {"layer_types": FIVE, "_sliding_window_pattern": 6, "query_pre_attn_scalar": 16, "rope_theta": 10000.0},
        {"rope.freq_base": 10000.0},
    ),
    "gpt_oss": (
        "GptOssForCausalLM",
        "gpt-oss",
        {"layer_types": WINDOWS, "swiglu_limit": 7.0, "rope_scaling": {"truncate": True}},
        {"expert_feed_forward_length": 96},
    ),
    "llama4": (
        "Llama4ForCausalLM",
        "llama4",
        {
            "intermediate_size_mlp": 128,
            "interleave_moe_layer_step": 2,
            "attention_chunk_size": 8192,
            "no_rope_layers": [1, 1, 1, 0, 1, 1],
            "attn_temperature_tuning": 4,
            "floor_scale": 8192,
            "use_qk_norm": True,
        },
        {"feed_forward_length": 128, "expert_feed_forward_length": 96, "interleave_moe_layer_step": 2},
    ),
    "deepseek_v3": (
        "DeepseekV3ForCausalLM",
        "deepseek2",
        {
            "head_dim": 8,
            "qk_rope_head_dim": 8,
            "qk_nope_head_dim": 16,
            "v_head_dim": 16,
            "kv_lora_rank": 32,
            "norm_topk_prob": True,
            "scoring_func": "sigmoid",
            "topk_method": "noaux_tc",
            "rope_interleave": True,
            "num_nextn_predict_layers": 1,
            "rope_scaling": {"mscale_all_dim": 1.0},
        },
        {
            "attention.head_count_kv": 1,
            "attention.key_length": 40,
            "attention.value_length": 32,
            "attention.key_length_mla": 24,
            "attention.value_length_mla": 16,
            "attention.kv_lora_rank": 32,
            "rope.dimension_count": 8,
            "rope.scaling.yarn_log_multiplier": 0.1,
            "expert_weights_norm": True,
            "expert_gating_func": 2,
        },
    ),
    "cohere2": (
        "Cohere2ForCausalLM",
        "cohere2",
        {"layer_types": (FIVE[:3] + FIVE[5:]) * 2, "sliding_window_pattern": 4, "num_hidden_layers": 8},
        {"block_count": 8},
    ),
    "smollm3": ("SmolLM3ForCausalLM", "smollm3", {"no_rope_layers": [1, 1, 1, 0, 1, 1]}, {}),
    "qwen3_next": ("Qwen3NextForCausalLM", "qwen3next", {"norm_topk_prob": True, "decoder_sparse_step": 1}, {}),
    "falcon": (
        "FalconForCausalLM",
        "falcon",
        {"parallel_attn": True, "activation": "gelu", "new_decoder_architecture": True, "num_kv_heads": 4},
        {"tensor_data_layout": "jploski", "attention.head_count_kv": 4},
    ),
    "bloom": ("BloomForCausalLM", "bloom", {"apply_residual_connection_post_layernorm": False}, {}),
    "t5": ("T5Model", "t5", {"relative_attention_max_distance": 128, "scale_decoder_outputs": False}, {}),
    "bert": ("BertModel", "bert", {}, {"attention.causal": False}),
    "mamba2": (
        "Mamba2ForCausalLM",
        "mamba2",
        {"num_heads": 8, "head_dim": 16, "time_step_limit": [0.0, {"__float__": "Infinity"}], "time_step_rank": 4},
        {"ssm.inner_size": 128, "ssm.time_step_rank": 8, "context_length": 1048576, "feed_forward_length": 0},
    ),
    "hy_v3": ("HYV3ForCausalLM", "hy_v3", {}, {}),
    "lfm2": (
        "Lfm2ForCausalLM",
        "lfm2",
        {"layer_types": ["conv", "full_attention"] * 3, "num_key_value_heads": 2, "block_auto_adjust_ff_dim": False},
        {"attention.head_count_kv": [0, 2, 0, 2, 0, 2]},
    ),
}  # fmt: skip
SIZES = {"hidden_size": 64, "num_hidden_layers": 6, "num_attention_heads": 4, "intermediate_size": 96, "head_dim": 16}
KEYS = {"embedding_length": 64, "block_count": 6, "attention.head_count": 4, "feed_forward_length": 96}
#: Named in their own words, or without such a thing.
_SPELLED = {"falcon": {"intermediate_size": "ffn_hidden_size"}, "bloom": {"num_hidden_layers": "n_layer"}}
_WITHOUT = {
    "bloom": ("intermediate_size", "head_dim"),
    "falcon": ("head_dim",),
    "t5": (),
    "mamba2": ("intermediate_size",),
}
_T5 = {"d_model": 64, "num_layers": 6, "num_heads": 4, "d_ff": 96, "d_kv": 16}


def source(model: str, **changes: Any) -> Artifact:
    """A folder of that class; a value of None takes the key away."""
    name, _, more, _ = MODELS[model]
    sizes = dict(_T5) if model == "t5" else {**SIZES}
    sizes = {_SPELLED.get(model, {}).get(k, k): v for k, v in sizes.items() if k not in _WITHOUT.get(model, ())}
    if model == "mamba2":
        del sizes["num_attention_heads"]
    said = {key: value for key, value in {**sizes, **more, **changes}.items() if value is not None}
    return replace(open_artifact(DATA / "tiny-qwen2"), config={"architectures": [name], **said})


def target(model: str, **changes: Any) -> Artifact:
    """Its GGUF; a value of None takes the key away."""
    _, architecture, _, more = MODELS[model]
    keys = dict(KEYS)
    if model == "bloom":
        keys |= {"feed_forward_length": 256, "context_length": 64}
    elif model == "mamba2":
        keys["attention.head_count"] = 0
    elif model not in ("bert", "falcon"):
        keys |= {"attention.key_length": 16}
    keys |= {**more, **{key.replace("__", "."): value for key, value in changes.items()}}
    artifact = open_artifact(DATA / "tiny-qwen2-Q4_K_M.gguf")
    kept = {key: value for key, value in artifact.metadata.items() if key.startswith("tokenizer.")}
    own = {f"{architecture}.{key}": value for key, value in keys.items() if value is not None}
    container = replace(artifact.containers[0], metadata={"general.architecture": architecture, **kept, **own})
    return replace(artifact, containers=(container,))


def compared(ours: Artifact, theirs: Artifact) -> tuple[set[str], set[str | None]]:
    """The measures that do not hold but for special ids, and the keys that were not compared."""
    examination = Examination(ours, theirs, load_families(), load_recipes(), lambda request: pytest.fail("no pass"))
    said = list(pair_hyperparameters(examination, PairHyperparametersParameters(relative=1e-6), lambda *key: "here"))
    broken = {one.measure for one in said if isinstance(one, Comparison) and not one.holds}
    gaps = {one.place.key for one in said if isinstance(one, Uncompared) and one.place is not None}
    return {measure for measure in broken if not measure.endswith("_token_id")}, gaps


@pytest.mark.parametrize("model", MODELS)
def test_a_config_that_says_what_is_built_in_is_kept(model: str) -> None:
    assert compared(target(model), source(model)) == (set(), set())


@pytest.mark.parametrize("model", MODELS)
def test_nothing_is_lost_the_other_way_round(model: str) -> None:
    assert compared(source(model), target(model)) == (set(), set())


@pytest.mark.parametrize(
    ("model", "key", "value"),
    [
        ("gemma2", "layer_types", WINDOWS[::-1]),
        ("gemma2", "layer_types", ["full_attention"] * 6),
        ("gemma2", "query_pre_attn_scalar", 144),
        ("gemma2", "use_bidirectional_attention", True),
        ("gemma3", "layer_types", WINDOWS),
        ("gemma3", "query_pre_attn_scalar", None),
        ("gpt_oss", "swiglu_limit", 6.0),
        ("gpt_oss", "layer_types", WINDOWS[::-1]),
        ("llama4", "no_rope_layers", [1, 1, 0, 1, 1, 0]),
        ("llama4", "attn_temperature_tuning", False),
        ("llama4", "floor_scale", 4096),
        ("llama4", "use_qk_norm", False),
        ("deepseek_v3", "rope_interleave", False),
        ("deepseek_v3", "topk_method", "group_limited_greedy"),
        ("qwen3_next", "norm_topk_prob", False),
        ("falcon", "alibi", True),
        ("cohere2", "layer_types", ["full_attention"] * 8),
        ("smollm3", "no_rope_layers", [1] * 6),
        ("bloom", "apply_residual_connection_post_layernorm", True),
        ("t5", "relative_attention_max_distance", 64),
        ("t5", "scale_decoder_outputs", True),
        ("mamba2", "head_dim", 32),
        ("mamba2", "time_step_limit", [0.0, 1.0]),
    ],
)
def test_a_config_that_says_another_thing_is_named(model: str, key: str, value: Any) -> None:
    broken, _ = compared(target(model), source(model, **{key: value}))
    assert broken == {key}


@pytest.mark.parametrize(
    ("model", "said", "gap"),
    [
        # ggml rounds the ends of YaRN's range, and no key of a GGUF says that it should not.
        ("gpt_oss", {"rope_scaling": {"truncate": False}}, "rope_scaling.truncate"),
        ("llama4", {"attention_chunk_size": 64}, "attention_chunk_size"),
    ],
)
def test_what_only_a_run_can_settle_is_not_proven(model: str, said: dict[str, Any], gap: str) -> None:
    assert compared(target(model), source(model, **said)) == (set(), {gap})


@pytest.mark.parametrize(
    ("model", "key", "measure"),
    [
        ("deepseek_v3", "expert_gating_func", "scoring_func"),
        ("deepseek_v3", "rope.scaling.yarn_log_multiplier", "yarn_log_multiplier"),
        ("bert", "attention.causal", "attention_causal"),
        ("lfm2", "attention.head_count_kv", "num_key_value_heads"),
    ],
)
def test_a_key_without_which_llama_cpp_computes_another_thing_is_owed(model: str, key: str, measure: str) -> None:
    """Without expert_gating_func llama.cpp takes softmax, whatever DeepSeek-V3 was trained with."""
    broken, _ = compared(target(model, **{key: None}), source(model))
    assert broken == {measure}


def test_the_router_s_function_is_not_proven_where_neither_side_declares_it() -> None:
    """transformers 5 writes no scoring_func, from which the converter would make the key."""
    broken, gaps = compared(target("deepseek_v3", expert_gating_func=None), source("deepseek_v3", scoring_func=None))
    assert (broken, gaps) == (set(), {"deepseek2.expert_gating_func"})


def test_layers_of_convolution_are_those_without_key_value_heads() -> None:
    broken, _ = compared(target("lfm2", attention__head_count_kv=[2, 0, 2, 0, 2, 0]), source("lfm2"))
    assert broken == {"num_key_value_heads"}
    _, gaps = compared(target("lfm2"), source("lfm2", layer_types=None))
    assert gaps == {"lfm2.attention.head_count_kv"}


def test_blocks_that_predict_ahead_are_no_layers() -> None:
    counted = target("deepseek_v3", block_count=7, nextn_predict_layers=1)
    assert compared(counted, source("deepseek_v3")) == (set(), set())
    assert compared(target("deepseek_v3", block_count=7), source("deepseek_v3"))[0] == {"num_hidden_layers"}
    assert compared(counted, source("deepseek_v3", num_nextn_predict_layers=2))[0] == {"num_nextn_predict_layers"}


@pytest.mark.parametrize(("dense", "lost"), [(1, set()), (2, {"first_k_dense_replace"}), (None, set())])
def test_dense_layers_that_a_list_begins_with_are_those_of_the_gguf(dense: int | None, lost: set[str]) -> None:
    """transformers writes mlp_layer_types of Hunyuan 3, llama.cpp's key counts; without either both take one."""
    kinds = ["dense"] * dense + ["sparse"] * (6 - dense) if dense else None
    folder = source("hy_v3", mlp_layer_types=kinds)
    assert compared(target("hy_v3", leading_dense_block_count=1), folder)[0] == lost


def test_the_two_deepseeks_are_told_apart_by_true() -> None:
    """Without experts the same word is Youtu-LLM's."""
    other = target("deepseek_v3", expert_weights_norm=None, expert_count=4)
    dense = target("deepseek_v3", expert_weights_norm=None)
    families = [View(one, load_families()).family for one in (target("deepseek_v3"), other, dense)]
    told = ["families/deepseek_v3", "families/deepseek_v2", "families/youtu"]
    assert [family and family.id for family in families] == told


def test_a_key_that_a_family_places_stands_in_no_other_line() -> None:
    keys = load_keys()
    table = key_table(keys, load_family("families/llama4"))
    assert "intermediate_size" in table["moe_intermediate_size"].config
    assert "intermediate_size" not in table["intermediate_size"].config
    assert "intermediate_size" in key_table(keys)["intermediate_size"].config


def test_the_padding_of_a_list_says_nothing() -> None:
    keys = load_keys()
    families = load_families()
    config = {"architectures": ["Qwen3_5ForCausalLM"], "rope_parameters": {"mrope_section": [11, 11, 10]}}
    artifact = replace(open_artifact(DATA / "tiny-qwen2"), config=config)
    padded = replace(artifact, config={**config, "rope_parameters": {"mrope_section": [11, 11, 10, 0]}})
    table = key_table(keys, load_family("families/qwen3_5"))
    sides = [DeclaredSide(View(each, families), keys, table) for each in (artifact, padded)]
    assert [side.said["rope_dimension_sections"].value for side in sides] == [(11, 11, 10)] * 2
