"""A small Mixtral of random weights, written without torch: a model with experts that a runtime loads."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

TOKENIZER = Path(__file__).resolve().parents[1] / "data" / "tiny-qwen2"
_HIDDEN, _INTER, _EXPERTS, _LAYERS, _VOCABULARY = 64, 96, 4, 2, 2000


def write(folder: Path, *, nan_in: str | None = None) -> Path:
    """The model in a folder; `nan_in` names a tensor whose first block of 32 values is NaN."""
    folder.mkdir(parents=True)
    tensors = _tensors(np.random.default_rng(0))
    if nan_in is not None:
        tensors[nan_in][0, :32] = np.nan
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = {
        "architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "vocab_size": _VOCABULARY,
        "hidden_size": _HIDDEN, "intermediate_size": _INTER, "num_hidden_layers": _LAYERS, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 16, "num_local_experts": _EXPERTS, "num_experts_per_tok": 2,
        "max_position_embeddings": 2048, "rope_theta": 1e6, "rms_norm_eps": 1e-6, "tie_word_embeddings": False,
        "bos_token_id": None, "eos_token_id": 2, "pad_token_id": 0, "hidden_act": "silu", "torch_dtype": "float32",
        "sliding_window": None,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(TOKENIZER / name, folder / name)
    return folder


def _tensors(random: np.random.Generator) -> dict[str, np.ndarray]:
    def matrix(rows: int, columns: int) -> np.ndarray:
        return (random.standard_normal((rows, columns)) * 0.05).astype(np.float32)

    found = {"model.embed_tokens.weight": matrix(_VOCABULARY, _HIDDEN), "lm_head.weight": matrix(_VOCABULARY, _HIDDEN)}
    found["model.norm.weight"] = np.ones(_HIDDEN, np.float32)
    for layer in range(_LAYERS):
        at = f"model.layers.{layer}."
        for name, rows in (("q_proj", 64), ("k_proj", 32), ("v_proj", 32), ("o_proj", 64)):
            found[f"{at}self_attn.{name}.weight"] = matrix(rows, _HIDDEN)
        for name in ("input_layernorm", "post_attention_layernorm"):
            found[f"{at}{name}.weight"] = np.ones(_HIDDEN, np.float32)
        found[f"{at}block_sparse_moe.gate.weight"] = matrix(_EXPERTS, _HIDDEN)
        for expert in range(_EXPERTS):
            below = f"{at}block_sparse_moe.experts.{expert}."
            found[f"{below}w1.weight"], found[f"{below}w3.weight"] = matrix(_INTER, _HIDDEN), matrix(_INTER, _HIDDEN)
            found[f"{below}w2.weight"] = matrix(_HIDDEN, _INTER)
    return found
