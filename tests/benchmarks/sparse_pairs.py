"""Writes pairs that take no room: a Hugging Face folder and a GGUF of a family, of which only the headers are stored.

python tests/benchmarks/sparse_pairs.py KIND FOLDER [GIGABYTES]
"""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

Shape = tuple[int, ...]
_ALIGN = 32


def experts(layers: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, Shape], dict[str, Shape]]:
    """Mixtral: eight experts of their own in the folder, stacked in the GGUF; 2.8 GB a layer."""
    hidden, inner, count = 4096, 14_336, 8
    config = _config("MixtralForCausalLM", "mixtral", layers, hidden, inner) | {"num_local_experts": count}
    keys = _keys("llama", layers, hidden, inner) | {"llama.expert_count": count, "llama.expert_used_count": 2}
    source, target = dict[str, Shape](), dict[str, Shape]()
    for layer in range(layers):
        for theirs, ours, shape in (
            ("w1", "ffn_gate_exps", (inner, hidden)),
            ("w3", "ffn_up_exps", (inner, hidden)),
            ("w2", "ffn_down_exps", (hidden, inner)),
        ):
            target[f"blk.{layer}.{ours}.weight"] = (count, *shape)
            for expert in range(count):
                source[f"model.layers.{layer}.block_sparse_moe.experts.{expert}.{theirs}.weight"] = shape
    return config, keys, source, target


def transposed(layers: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, Shape], dict[str, Shape]]:
    """GPT-2: every matrix [in, out] in the folder and [out, in] in the GGUF; 6.4 GB a layer."""
    hidden = 16_384
    config = {
        "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_layer": layers, "n_embd": hidden, "n_head": 128,
        "n_positions": 1024, "vocab_size": 1000,
    }  # fmt: skip
    keys = _keys("gpt2", layers, hidden, 4 * hidden)
    source, target = dict[str, Shape](), dict[str, Shape]()
    for layer in range(layers):
        for theirs, ours, rows, columns in (
            ("attn.c_attn", "attn_qkv", 3 * hidden, hidden),
            ("attn.c_proj", "attn_output", hidden, hidden),
            ("mlp.c_fc", "ffn_up", 4 * hidden, hidden),
            ("mlp.c_proj", "ffn_down", hidden, 4 * hidden),
        ):
            source[f"transformer.h.{layer}.{theirs}.weight"] = (columns, rows)
            target[f"blk.{layer}.{ours}.weight"] = (rows, columns)
    return config, keys, source, target


def fused(layers: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, Shape], dict[str, Shape]]:
    """GPT-NeoX: Q, K and V head by head in the folder, one after another in the GGUF; 1.6 GB a layer."""
    hidden = 16_384
    config = _config("GPTNeoXForCausalLM", "gpt_neox", layers, hidden, 4 * hidden)
    keys = _keys("gptneox", layers, hidden, 4 * hidden)
    shape = (3 * hidden, hidden)
    source = {f"gpt_neox.layers.{layer}.attention.query_key_value.weight": shape for layer in range(layers)}
    return config, keys, source, {f"blk.{layer}.attn_qkv.weight": shape for layer in range(layers)}


#: A pair, and its layers for each 20 GB.
KINDS = {"experts": (experts, 7), "transposed": (transposed, 3), "fused": (fused, 12)}


def write(kind: str, folder: Path, gigabytes: float = 20.0) -> tuple[Path, Path]:
    """The GGUF and the folder, of about so many gigabytes each."""
    make, layers = KINDS[kind]
    config, keys, source, target = make(max(1, round(layers * gigabytes / 20)))
    there = folder / f"{kind}-source"
    there.mkdir(parents=True)
    (there / "config.json").write_text(json.dumps(config), "utf-8")
    _safetensors(there / "model.safetensors", source)
    return _gguf(folder / f"{kind}.gguf", keys, target), there


def _config(word: str, kind: str, layers: int, hidden: int, inner: int) -> dict[str, Any]:
    return {
        "architectures": [word], "model_type": kind, "num_hidden_layers": layers, "hidden_size": hidden,
        "intermediate_size": inner, "num_attention_heads": 128, "num_key_value_heads": 128, "vocab_size": 1000,
        "max_position_embeddings": 1024,
    }  # fmt: skip


def _keys(word: str, layers: int, hidden: int, inner: int) -> dict[str, Any]:
    numbers = {
        "block_count": layers, "embedding_length": hidden, "feed_forward_length": inner, "context_length": 1024,
        "attention.head_count": 128, "attention.head_count_kv": 128, "vocab_size": 1000,
    }  # fmt: skip
    return {"general.architecture": word} | {f"{word}.{key}": value for key, value in numbers.items()}


def _safetensors(path: Path, shapes: Mapping[str, Shape]) -> None:
    header, at = dict[str, Any](), 0
    for name, size in _sizes(shapes):
        header[name] = {"dtype": "BF16", "shape": shapes[name], "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + at)


def _gguf(path: Path, keys: Mapping[str, Any], shapes: Mapping[str, Shape]) -> Path:
    parts = [struct.pack("<4sIQQ", b"GGUF", 3, len(shapes), len(keys))]
    for key, value in keys.items():
        word = isinstance(value, str)
        parts += [_text(key), struct.pack("<I", 8 if word else 4), _text(value) if word else struct.pack("<I", value)]
    at = 0
    for name, size in _sizes(shapes):
        axes: Sequence[int] = shapes[name][::-1]
        parts += [_text(name), struct.pack(f"<I{len(axes)}QIQ", len(axes), *axes, 30, at)]  # 30: BF16
        at += -(-size // _ALIGN) * _ALIGN
    header = b"".join(parts)
    with path.open("wb") as file:
        file.write(header)
        file.truncate(-(-len(header) // _ALIGN) * _ALIGN + at)
    return path


def _sizes(shapes: Mapping[str, Shape]) -> Iterator[tuple[str, int]]:
    for name, shape in shapes.items():
        size = 2
        for axis in shape:
            size *= axis
        yield name, size


def _text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


if __name__ == "__main__":
    sys.stdout.write(" ".join(map(str, write(sys.argv[1], Path(sys.argv[2]), *map(float, sys.argv[3:4])))) + "\n")
