"""The classes that travel to GGUF and back, and what of each is drawn: flags, kinds of layers, groups, factors."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from support.round_trips import RoundTrip

_FLAG = st.booleans()
_ALL = (0, 1, 2)


def _kinds(*kinds: str) -> Any:
    """One of these kinds for each layer, three layers."""
    return st.lists(st.sampled_from(kinds), min_size=3, max_size=3)


def _layers(name: str, least: tuple[str, ...] = ()) -> Any:
    """As many layers as kinds were drawn; each of `least` is among them."""

    def made(sizes: dict[str, Any]) -> dict[str, Any]:
        kinds = [*sizes[name], *(kind for kind in least if kind not in sizes[name])]
        return {name: kinds, "num_hidden_layers": len(kinds)}

    return made


def _ssm(sizes: dict[str, Any]) -> dict[str, Any]:
    """Heads of the state space: two a group of eight values at the least."""
    return {"num_heads": 2 * sizes["hidden_size"] // sizes["head_dim"]}


_LATENT = {
    "kv_lora_rank": 32, "qk_nope_head_dim": 16, "qk_rope_head_dim": 8, "v_head_dim": 24, "head_dim": ...,
    "first_k_dense_replace": 1, "num_hidden_layers": 2, "n_shared_experts": 1, "num_nextn_predict_layers": 0,
    "q_lora_rank": 24,
}  # fmt: skip
_LINEAR = {
    "num_hidden_layers": 4, "layer_types": None, "linear_num_key_heads": 2, "linear_num_value_heads": 4,
    "linear_key_head_dim": 16, "linear_value_head_dim": 16, "head_dim": 32,
}  # fmt: skip
_SHARED = {"shared_expert_intermediate_size": 24}

CASES = (
    RoundTrip("LlamaForCausalLM", {"attention_bias": _FLAG}, ropes=_ALL),
    RoundTrip("MistralForCausalLM", fixed={"sliding_window": None}, ropes=_ALL),
    RoundTrip("MixtralForCausalLM", fixed={"sliding_window": None}, tie=False),
    RoundTrip("Qwen2ForCausalLM", ropes=(1,)),
    RoundTrip("Qwen2MoeForCausalLM", {"norm_topk_prob": st.just(False)}, _SHARED, tie=False),
    RoundTrip("Qwen3ForCausalLM", ropes=(1,)),
    RoundTrip("Qwen3MoeForCausalLM", fixed={"norm_topk_prob": True}, tie=False),
    RoundTrip("Qwen3NextForCausalLM", fixed={**_LINEAR, **_SHARED, "norm_topk_prob": True}, tie=False),
    RoundTrip("Qwen3_5ForCausalLM", fixed={**_LINEAR, "rope_parameters": ...}),
    RoundTrip("GemmaForCausalLM", tie=False),
    RoundTrip(
        "Gemma2ForCausalLM",
        {"final_logit_softcapping": st.sampled_from((10.0, 30.0))},
        {"sliding_window": 32},
        tie=False,
        made=lambda sizes: {"query_pre_attn_scalar": sizes["head_dim"]},
    ),
    RoundTrip(
        "Gemma3ForCausalLM",
        fixed={"sliding_window": 32, "rope_parameters": ..., "num_hidden_layers": 6},
        tie=False,
        made=lambda sizes: {"query_pre_attn_scalar": sizes["head_dim"]},
    ),
    RoundTrip("PhiForCausalLM", multihead=True, tie=False),
    RoundTrip("GPT2LMHeadModel", multihead=True, tie=False),
    RoundTrip("GPTBigCodeForCausalLM", fixed={"num_key_value_heads": 1, "multi_query": True}, tie=False),
    RoundTrip("GPTNeoXForCausalLM", {"use_parallel_residual": _FLAG}, multihead=True),
    RoundTrip(
        "FalconForCausalLM",
        {"new_decoder_architecture": _FLAG},
        {"alibi": False, "bias": False},
        made=lambda sizes: {} if sizes["new_decoder_architecture"] else {"num_kv_heads": 1},
    ),
    RoundTrip("BloomForCausalLM", multihead=True, tie=False),
    RoundTrip("MptForCausalLM", multihead=True, tie=False, made=lambda sizes: {"architectures": ["MPTForCausalLM"]}),
    RoundTrip("Starcoder2ForCausalLM", fixed={"sliding_window": None, "use_bias": True}),
    RoundTrip(
        "StableLmForCausalLM",
        {"use_qkv_bias": _FLAG, "use_parallel_residual": _FLAG},
        made=lambda sizes: {"qk_layernorm": sizes["use_parallel_residual"]},
        tie=False,
    ),
    RoundTrip("OlmoForCausalLM", {"clip_qkv": st.sampled_from((None, 2.0))}),
    RoundTrip("Olmo2ForCausalLM"),
    RoundTrip("OlmoeForCausalLM", fixed={"norm_topk_prob": False, "clip_qkv": None}, multihead=True, tie=False),
    RoundTrip(
        "GraniteForCausalLM",
        {"logits_scaling": st.sampled_from((1.0, 4.0)), "residual_multiplier": st.sampled_from((1.0, 0.25))},
    ),
    RoundTrip("GraniteMoeForCausalLM", {"attention_multiplier": st.sampled_from((1.0, 0.25))}),
    RoundTrip("NemotronForCausalLM", tie=False),
    RoundTrip("SmolLM3ForCausalLM", fixed={"num_hidden_layers": 4, "use_sliding_window": False, "layer_types": ...}),
    RoundTrip("CohereForCausalLM", {"logit_scale": st.sampled_from((0.5, 1.0))}, tie=False),
    RoundTrip(
        "Cohere2ForCausalLM", fixed={"num_hidden_layers": 4, "sliding_window": 32, "logit_scale": 1.0}, tie=False
    ),
    RoundTrip(
        "DeepseekV2ForCausalLM", fixed={**_LATENT, "topk_method": "greedy", "n_group": 1, "topk_group": 1}, tie=False
    ),
    RoundTrip("DeepseekV3ForCausalLM", fixed={**_LATENT, "n_group": 1, "topk_group": 1}, tie=False),
    RoundTrip("Glm4ForCausalLM", {"attention_bias": _FLAG}),
    RoundTrip(
        "Glm4MoeForCausalLM",
        {"attention_bias": _FLAG, "use_qk_norm": _FLAG},
        {
            "first_k_dense_replace": 1,
            "num_hidden_layers": 2,
            "n_group": 1,
            "topk_group": 1,
            "num_nextn_predict_layers": 0,
        },
        tie=False,
    ),
    RoundTrip(
        "Exaone4ForCausalLM",
        fixed={"sliding_window": None, "layer_types": ["full_attention"] * 2, "num_hidden_layers": 2},
        ropes=(2,),
    ),
    RoundTrip("HunYuanDenseV1ForCausalLM"),
    RoundTrip("Ernie4_5ForCausalLM"),
    RoundTrip(
        "Lfm2ForCausalLM",
        {"layer_types": _kinds("conv", "full_attention")},
        {"block_auto_adjust_ff_dim": False},
        tie=False,
        made=_layers("layer_types", ("conv", "full_attention")),
    ),
    RoundTrip("MambaForCausalLM", {"state_size": st.sampled_from((8, 16))}, {"time_step_rank": 4}),
    RoundTrip(
        "Mamba2ForCausalLM", {"n_groups": st.sampled_from((1, 2))}, {"state_size": 16, "chunk_size": 32}, made=_ssm
    ),
    RoundTrip("FalconMambaForCausalLM", fixed={"state_size": 16, "time_step_rank": 4}),
    RoundTrip(
        "Llama4ForCausalLM",
        fixed={
            "num_hidden_layers": 4,
            "intermediate_size_mlp": 64,
            "interleave_moe_layer_step": 2,
            "layer_types": None,
            "moe_layers": None,
            "num_experts_per_tok": 1,
            "no_rope_layers": None,
        },
        tie=False,
    ),
    RoundTrip("SeedOssForCausalLM", {"attention_bias": st.just(True)}),
    RoundTrip("ArceeForCausalLM", ropes=(1,)),
    RoundTrip(
        "Dots1ForCausalLM",
        multihead=True,
        fixed={
            "first_k_dense_replace": 1,
            "num_hidden_layers": 2,
            "n_shared_experts": 1,
            "n_group": 1,
            "topk_group": 1,
        },
        tie=False,
    ),
)
