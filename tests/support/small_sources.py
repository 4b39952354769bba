"""Small sources of three families, cut out of tiny-qwen2's trained matrices: what libraries quantised."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from support.mutations import Stored, read_safetensors_model, stored, write_safetensors
from support.shared_models import DATA

WIDTH, INNER, HEADS, GROUPS, DEEP, EXPERTS = 128, 256, 4, 2, 32, 4
_COMMON: dict[str, Any] = {
    "hidden_size": WIDTH, "intermediate_size": INNER, "num_hidden_layers": 1, "num_attention_heads": HEADS,
    "num_key_value_heads": GROUPS, "head_dim": DEEP, "vocab_size": 2000, "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "hidden_act": "silu", "tie_word_embeddings": True,
    "dtype": "bfloat16", "bos_token_id": None, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip
CONFIGS: dict[str, dict[str, Any]] = {
    "llama": {"architectures": ["LlamaForCausalLM"], "model_type": "llama", **_COMMON},
    "qwen3": {"architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", **_COMMON},
    "mixtral": {
        "architectures": ["MixtralForCausalLM"], "model_type": "mixtral", **_COMMON, "intermediate_size": 64,
        "num_local_experts": EXPERTS, "num_experts_per_tok": 2, "router_aux_loss_coef": 0.001, "sliding_window": None,
    },
}  # fmt: skip


def tensors_of(family: str) -> dict[str, Stored]:
    """The tensors of a source in BF16."""
    whole, _ = read_safetensors_model(DATA / "tiny-qwen2" / "model.safetensors")

    def cut(layer: int, name: str, *sizes: int, first: int = 0) -> Any:
        values = whole[f"model.layers.{layer}.{name}.weight"].values
        return values[(slice(first, first + sizes[0]), *(slice(size) for size in sizes[1:]))]

    layer = {"llama": 0, "qwen3": 1, "mixtral": 2}[family]
    at = "model.layers.0"
    made = {"model.embed_tokens.weight": whole["model.embed_tokens.weight"].values[:, :WIDTH]}
    for name, rows in (("q_proj", HEADS * DEEP), ("k_proj", GROUPS * DEEP), ("v_proj", GROUPS * DEEP)):
        made[f"{at}.self_attn.{name}.weight"] = cut(layer, f"self_attn.{name}", rows, WIDTH)
    made[f"{at}.self_attn.o_proj.weight"] = cut(layer, "self_attn.o_proj", WIDTH, HEADS * DEEP)
    if family == "mixtral":
        made[f"{at}.block_sparse_moe.gate.weight"] = cut(3, "mlp.gate_proj", EXPERTS, WIDTH, first=500)
        for expert in range(EXPERTS):
            for ours, theirs, rows, columns in (
                ("w1", "gate", 64, WIDTH),
                ("w3", "up", 64, WIDTH),
                ("w2", "down", WIDTH, 64),
            ):
                values = cut(expert, f"mlp.{theirs}_proj", rows, columns)
                made[f"{at}.block_sparse_moe.experts.{expert}.{ours}.weight"] = values
    else:
        for name, rows, columns in (("gate", INNER, WIDTH), ("up", INNER, WIDTH), ("down", WIDTH, INNER)):
            made[f"{at}.mlp.{name}_proj.weight"] = cut(layer, f"mlp.{name}_proj", rows, columns)
    for norm in ("input_layernorm", "post_attention_layernorm"):
        made[f"{at}.{norm}.weight"] = cut(layer, norm, WIDTH)
    if family == "qwen3":
        for norm, first in (("q_norm", 0), ("k_norm", 32)):
            made[f"{at}.self_attn.{norm}.weight"] = cut(0, "input_layernorm", DEEP, first=first)
    made["model.norm.weight"] = whole["model.norm.weight"].values[:WIDTH]
    return {name: stored(np.asarray(values, np.float32), "BF16") for name, values in made.items()}


def packed_names(family: str) -> list[str]:
    """Weights that writers quantise: the linear layers but the router."""
    return [n for n, t in tensors_of(family).items() if "layers" in n and len(t.shape) == 2 and "moe.gate" not in n]


def write_source(family: str, folder: Path) -> Path:
    """The source as a folder of Hugging Face."""
    return write_folder(folder, CONFIGS[family], tensors_of(family), {"format": "pt"})


def write_folder(folder: Path, config: Mapping[str, Any], tensors: dict[str, Stored], metadata: dict[str, str]) -> Path:
    """Config, weights, and the tokenizer of tiny-qwen2."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        shutil.copy(DATA / "tiny-qwen2" / name, folder / name)
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    write_safetensors(folder / "model.safetensors", tensors, metadata)
    return folder
