"""Builds transformers' own class of a family, tiny and with random weights, and reads what it saves."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from model_contracts.anatomy.families.multimodal import other_part, text_config, without_part
from model_contracts.definitions import load_families
from model_contracts.family import Family
from support.family_files import Side, safetensors_values

#: Sizes of a tiny model, under whatever names a configuration knows; each that it does not know is left out.
SIZES: dict[str, Any] = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 128, "max_position_embeddings": 64,
    "moe_intermediate_size": 48, "shared_expert_intermediate_size": 80, "num_experts": 4, "num_local_experts": 4,
    "n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 1, "n_group": 1, "topk_group": 1,
    "first_k_dense_replace": 1, "decoder_sparse_step": 1, "kv_lora_rank": 32, "q_lora_rank": 24,
    "qk_nope_head_dim": 16, "qk_rope_head_dim": 16, "v_head_dim": 24, "linear_num_key_heads": 2,
    "linear_num_value_heads": 4, "linear_key_head_dim": 16, "linear_value_head_dim": 16, "pad_token_id": 0,
    "intermediate_size_mlp": 128, "hidden_size_per_layer_input": 32, "vocab_size_per_layer_input": 128,
    "n_embd": 64, "n_head": 4, "n_layer": 2, "n_inner": 96, "d_model": 64, "shared_intermediate_size": 80,
}  # fmt: skip
#: What a class needs besides, or has otherwise.
OWN: dict[str, dict[str, Any]] = {
    "Qwen3NextForCausalLM": {"num_hidden_layers": 4, "layer_types": None},
    "Qwen3_5ForCausalLM": {"num_hidden_layers": 4, "layer_types": None},
    "Qwen3_5MoeForCausalLM": {"num_hidden_layers": 4, "layer_types": None},
    "JambaForCausalLM": {"attn_layer_offset": 1, "attn_layer_period": 2},
    "families/jamba_dense": {"num_experts": 1, "num_local_experts": 1},
    "Lfm2MoeForCausalLM": {"layer_types": ["conv", "full_attention"], "num_dense_layers": 1},
    "NemotronHForCausalLM": {
        "layers_block_type": ["mamba", "mlp", "attention"],
        "num_hidden_layers": None,
        "mamba_num_heads": 8,
        "mamba_head_dim": 16,
        "n_groups": 2,
        "ssm_state_size": 16,
    },
    "families/nemotron_h_moe": {"layers_block_type": ["mamba", "moe", "attention", "mlp"]},
    "GraniteMoeHybridForCausalLM": {
        "layer_types": ["mamba", "attention"],
        "mamba_n_heads": 8,
        "mamba_n_groups": 2,
        "mamba_d_head": 16,
        "mamba_d_state": 16,
    },
    "families/granite_hybrid": {"num_local_experts": 0},
    "Mamba2ForCausalLM": {"num_heads": 8, "n_groups": 2, "state_size": 16},
    "Gemma3nForCausalLM": {
        "num_hidden_layers": 6,
        "layer_types": ["sliding_attention", "full_attention"] * 3,
        "num_kv_shared_layers": 2,
        "laurel_rank": 8,
        "activation_sparsity_pattern": [0.95, 0.0, 0.0, 0.0, 0.0, 0.0],
        "intermediate_size": 96,
    },
    "Cohere2MoeForCausalLM": {
        "num_hidden_layers": 3,
        "mlp_layer_types": ["dense", "dense", "sparse"],
        "prefix_dense_intermediate_size": 112,
        "num_shared_experts": 2,
    },
    "Glm4MoeLiteForCausalLM": {"num_hidden_layers": 3, "mlp_layer_types": ["dense", "dense", "sparse"]},
    "HYV3ForCausalLM": {"num_hidden_layers": 3, "mlp_layer_types": ["dense", "dense", "sparse"]},
    "DbrxForCausalLM": {
        "n_heads": 4,
        "n_layers": 2,
        "attn_config": {"kv_n_heads": 2, "rope_theta": 10000.0, "clip_qkv": 8.0},
        "ffn_config": {"ffn_hidden_size": 96, "moe_num_experts": 4, "moe_top_k": 2},
    },
    "GlmMoeDsaForCausalLM": {"indexer_types": ["full", "shared"], "index_n_heads": 2, "index_head_dim": 32},
    "GPTJForCausalLM": {"rotary_dim": 8},
    "KimiLinearForCausalLM": {
        "layer_types": ["linear_attention", "full_attention"],
        "q_lora_rank": None,
        "linear_num_heads": 2,
        "linear_head_dim": 16,
        "model_max_length": 64,
    },
    "OPTForCausalLM": {"ffn_dim": 96, "word_embed_proj_dim": 32},
    "Llama4ForCausalLM": {"interleave_moe_layer_step": 2, "layer_types": None, "moe_layers": None},
}


#: Sizes of a tiny vision encoder, under whatever names its configuration knows.
VISION: dict[str, Any] = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28,
    "patch_size": 14, "depth": 1, "embed_dim": 32, "num_heads": 2, "out_hidden_size": 64, "head_dim": 16,
}  # fmt: skip
#: Classes whose published files have no biases, and that no reader of GGUF gives any.
WITHOUT_BIASES = {
    "ModernBertModel", "ModernBertForMaskedLM", "JambaForCausalLM", "Lfm2ForCausalLM", "Lfm2MoeForCausalLM",
    "NemotronHForCausalLM", "FalconH1ForCausalLM",
}  # fmt: skip
#: Classes that refuse a head that is the embedding.
NEVER_TIED = {"DbrxForCausalLM"}


def config_of(architecture: str) -> Any:
    """The configuration class of a model class. None where transformers has no such class."""
    import transformers

    model = getattr(transformers, architecture, None)
    return None if model is None else model.config_class


@cache
def known_keys(architecture: str) -> frozenset[str]:
    """Names that the configuration of a class has: what it writes, and other names of the same."""
    made = config_of(architecture)()
    if (text := getattr(made, "text_config", None)) is not None:
        return frozenset({*made.to_dict(), *_known(text)})
    return _known(made)


def _known(made: Any) -> frozenset[str]:
    rope = {"rope_parameters.rope_theta", "rope_parameters.rope_type", "rope_parameters.factor"}
    return frozenset({*made.to_dict(), *type(made).attribute_map, *vars(made), *rope})


def _turned(architecture: str) -> dict[str, bool]:
    """Flags of biases and norms that are off by default, on; and embeddings tied where they are not, and untied."""
    made = dict(text_config(config_of(architecture)().to_dict()))
    biases = {name for name in made if "bias" in name and architecture not in WITHOUT_BIASES}
    ties = set() if architecture in NEVER_TIED else {"tie_word_embeddings"}
    named = {name for name in made if name in biases or name in ("use_qk_norm", *ties)}
    return {name: not made[name] for name in named if made[name] is False or (made[name] is True and "tie" in name)}


def small(family_id: str, architecture: str) -> dict[str, Any]:
    """The members of a tiny configuration of a class, as a family has them."""
    known = known_keys(architecture)
    sizes = {**SIZES, **OWN.get(architecture, {}), **OWN.get(family_id, {})}
    return {name: size for name, size in sizes.items() if name in known and size is not None}


@cache
def saved(family_id: str, architecture: str, turned: bool = False) -> Side:
    """A folder as transformers saves the class, with flags as they are by default, or the other way round."""
    import torch
    import transformers

    family = next(family for family in load_families() if family.id == family_id)
    sizes = small(family_id, architecture)
    sizes |= _turned(architecture) if turned else {}
    if hasattr(config_of(architecture)(), "text_config"):
        tied = {name: sizes[name] for name in ("tie_word_embeddings",) if name in sizes}
        sizes = {"text_config": sizes, "vision_config": VISION, **tied}
    config = config_of(architecture)(**sizes)
    torch.manual_seed(0)
    model = getattr(transformers, architecture)(config)
    with TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        declared = json.loads((Path(folder) / "config.json").read_text())
        values = safetensors_values(Path(folder))
        if "text_config" in sizes:
            values = {without_part(name): value for name, value in values.items() if other_part(name) is None}
        whole = {name: declared[name] for name in ("tie_word_embeddings",) if name in declared}
        return Side("huggingface", family, values, {**text_config(declared), **whole})


def gguf_names(family: Family, word: str) -> set[str]:
    """Names of GGUF tensors that the gguf package gives an architecture, `{n}` for the layer, without `.weight`."""
    from gguf.constants import MODEL_ARCH_NAMES, MODEL_TENSORS, TENSOR_NAMES

    (architecture,) = (arch for arch, name in MODEL_ARCH_NAMES.items() if name == word)
    return {TENSOR_NAMES[tensor].replace("{bid}", "{n}") for tensor in MODEL_TENSORS[architecture]}
