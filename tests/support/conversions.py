"""Converts a Hugging Face directory of the tests into GGUF or .apr, honestly, with llama.cpp's names and row order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from support.apr_models import AprModel
from support.gguf_models import GgufModel
from support.mutations import Floats, Stored, read_safetensors_model, stored

#: What llama.cpp calls a tensor, by a part of its Hugging Face name.
_NAMES = (
    ("model.embed_tokens.", "token_embd."),
    ("lm_head.", "output."),
    ("model.norm.", "output_norm."),
    ("model.layers.", "blk."),
    (".self_attn.q_proj.", ".attn_q."),
    (".self_attn.k_proj.", ".attn_k."),
    (".self_attn.v_proj.", ".attn_v."),
    (".self_attn.o_proj.", ".attn_output."),
    (".input_layernorm.", ".attn_norm."),
    (".post_attention_layernorm.", ".ffn_norm."),
    (".mlp.gate_proj.", ".ffn_gate."),
    (".mlp.up_proj.", ".ffn_up."),
    (".mlp.down_proj.", ".ffn_down."),
)
_FILE_TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q8_0": 7, "BF16": 32}


def tensors_of(folder: Path) -> dict[str, Stored]:
    """Every tensor of a directory, its shards taken together."""
    found: dict[str, Stored] = {}
    for path in sorted(folder.glob("*.safetensors")):
        found |= read_safetensors_model(path)[0]
    return found


def gguf_name(name: str) -> str:
    """llama.cpp's name of a tensor."""
    for theirs, ours in _NAMES:
        name = name.replace(theirs, ours)
    return name


def interleaved(rows: Floats, heads: int) -> Floats:
    """llama.cpp's order of the rows of Q and K within each head."""
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(rows.shape)


def split_again(rows: Floats, heads: int) -> Floats:
    """The inverse of `interleaved`."""
    return rows.reshape(heads, rows.shape[0] // heads // 2, 2, -1).swapaxes(1, 2).reshape(rows.shape)


def heads_of(name: str, config: dict[str, Any]) -> int | None:
    """How many heads the rows of a tensor are permuted in, None where they are not."""
    if config["model_type"] != "llama":
        return None
    if "attn_q" in name:
        return int(config["num_attention_heads"])
    return int(config["num_key_value_heads"]) if "attn_k" in name else None


def to_gguf(folder: Path, dtype: str) -> GgufModel:
    """The model of a directory as llama.cpp's converter writes it: matrices in one type, vectors in F32."""
    config = json.loads((folder / "config.json").read_text("utf-8"))
    model = GgufModel()
    for key, value in (*_architecture(config, dtype), *_tokenizer(folder, config)):
        model[key] = value
    for theirs, tensor in tensors_of(folder).items():
        name, values = gguf_name(theirs), tensor.values
        if (heads := heads_of(name, config)) is not None:
            values = interleaved(values, heads)
        model.tensors[name] = stored(values, dtype if values.ndim > 1 else "F32")
    return model


def _architecture(config: dict[str, Any], dtype: str) -> list[tuple[str, Any]]:
    arch = config["model_type"]
    scaling = config.get("rope_scaling") or config["rope_parameters"]
    return [
        ("general.architecture", arch),
        ("general.type", "model"),
        ("general.name", "Tiny"),
        (f"{arch}.block_count", config["num_hidden_layers"]),
        (f"{arch}.context_length", config["max_position_embeddings"]),
        (f"{arch}.embedding_length", config["hidden_size"]),
        (f"{arch}.feed_forward_length", config["intermediate_size"]),
        (f"{arch}.attention.head_count", config["num_attention_heads"]),
        (f"{arch}.attention.head_count_kv", config["num_key_value_heads"]),
        (f"{arch}.rope.freq_base", float(config.get("rope_theta") or scaling["rope_theta"])),
        (f"{arch}.attention.layer_norm_rms_epsilon", float(config["rms_norm_eps"])),
        (f"{arch}.vocab_size", config["vocab_size"]),
        ("general.quantization_version", 2),
        ("general.file_type", _FILE_TYPES[dtype]),
    ]


def _tokenizer(folder: Path, config: dict[str, Any]) -> list[tuple[str, Any]]:
    tokenizer = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    tokens = _tokens(tokenizer, config["vocab_size"])
    said = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    unknown = [("tokenizer.ggml.unknown_token_id", tokens.index(said["unk_token"]))] if said.get("unk_token") else []
    special = {added["id"] for added in tokenizer["added_tokens"] if added["special"]}
    known = {*tokenizer["model"]["vocab"].values(), *(added["id"] for added in tokenizer["added_tokens"])}
    types = [3 if at in special else 1 if at in known else 5 for at in range(len(tokens))]
    return [
        ("tokenizer.ggml.model", "gpt2"),
        ("tokenizer.ggml.pre", "qwen2"),
        ("tokenizer.ggml.tokens", tokens),
        ("tokenizer.ggml.token_type", types),
        ("tokenizer.ggml.merges", [" ".join(merge) for merge in tokenizer["model"]["merges"]]),
        ("tokenizer.ggml.eos_token_id", config["eos_token_id"]),
        ("tokenizer.ggml.padding_token_id", config["pad_token_id"]),
        *unknown,
        ("tokenizer.chat_template", (folder / "chat_template.jinja").read_text("utf-8")),
    ]


def _tokens(tokenizer: dict[str, Any], size: int, padding: str = "[PAD{}]") -> list[str]:
    tokens = [padding.format(at) for at in range(size)]
    for token, at in tokenizer["model"]["vocab"].items():
        tokens[at] = token
    for added in tokenizer["added_tokens"]:
        tokens[added["id"]] = added["content"]
    return tokens


def to_apr(folder: Path) -> AprModel:
    """The model of a directory as `apr import` writes it: Hugging Face names, every tensor in its own type."""
    config = json.loads((folder / "config.json").read_text("utf-8"))
    tokenizer = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    tokens = _tokens(tokenizer, config["vocab_size"], "<unk>")
    tensors = tensors_of(folder)
    metadata = {
        "model_type": "Auto",
        "name": "tiny",
        "license": None,
        "data_source": None,
        "data_license": None,
        "total_size": 0,
        "param_count": sum(int(np.prod(tensor.shape)) for tensor in tensors.values()),
        "architecture": config["model_type"],
        "hf_architecture": config["architectures"][0],
        "hf_model_type": config["model_type"],
        "hidden_size": config["hidden_size"],
        "num_layers": config["num_hidden_layers"],
        "num_heads": config["num_attention_heads"],
        "num_kv_heads": config["num_key_value_heads"],
        "vocab_size": config["vocab_size"],
        "intermediate_size": config["intermediate_size"],
        "max_position_embeddings": config["max_position_embeddings"],
        "rope_theta": config["rope_parameters"]["rope_theta"],
        "rms_norm_eps": config["rms_norm_eps"],
        "tokenizer.model_type": tokenizer["model"]["type"],
        "tokenizer.vocabulary": tokens,
        "tokenizer.vocab_size": len(tokens),
        "tokenizer.merges": [" ".join(merge) for merge in tokenizer["model"]["merges"]],
        "tokenizer.eos_token_id": config["eos_token_id"],
    }
    return AprModel(metadata, dict(tensors))
