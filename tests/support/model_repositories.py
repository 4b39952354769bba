"""Writes the repositories of tests/data/repositories, and small draft heads: values are made from names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from support.mutations import Stored, stored, write_safetensors
from support.recorded import made
from support.shared_models import DATA

#: By file, what is written: JSON as it is, weights as values by name.
Files = dict[str, Any]
Edit = Callable[[Files], None]


def repository(name: str, folder: Path, edit: Edit = lambda files: None) -> Path:
    """Write a record, changed by `edit`: a file of weights maps names to [type, shape]."""
    files: Files = json.loads((DATA / "repositories" / f"{name}.json").read_text())
    edit(files)
    for file, held in files.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".safetensors":
            write_safetensors(path, {one: stored(made(one, shape), kind) for one, (kind, shape) in held.items()})
        else:
            path.write_text(json.dumps(held))
    return folder


LLAMA: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "intermediate_size": 96,
    "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 1, "vocab_size": 512,
}  # fmt: skip


def layer(prefix: str, taken: int) -> dict[str, tuple[int, ...]]:
    """The tensors of a Llama layer whose attention takes vectors of a width."""
    return {
        f"{prefix}self_attn.q_proj.weight": (64, taken),
        f"{prefix}self_attn.k_proj.weight": (32, taken),
        f"{prefix}self_attn.v_proj.weight": (32, taken),
        f"{prefix}self_attn.o_proj.weight": (64, 64),
        f"{prefix}mlp.gate_proj.weight": (96, 64),
        f"{prefix}mlp.up_proj.weight": (96, 64),
        f"{prefix}mlp.down_proj.weight": (64, 96),
        f"{prefix}post_attention_layernorm.weight": (64,),
    }


EAGLE = {"embed_tokens.weight": (512, 64), "fc.weight": (64, 128), **layer("layers.0.", 64)}
EAGLE3: dict[str, tuple[int, ...]] = {
    "fc.weight": (64, 192), **layer("midlayer.", 128), "midlayer.hidden_norm.weight": (64,),
    "midlayer.input_layernorm.weight": (64,), "norm.weight": (64,), "lm_head.weight": (100, 64), "d2t": (100,),
    "t2d": (512,),
}  # fmt: skip
MEDUSA: dict[str, tuple[int, ...]] = {
    f"{head}.{name}": shape
    for head in range(2)
    for name, shape in {"0.linear.weight": (64, 64), "0.linear.bias": (64,), "1.weight": (512, 64)}.items()
}
HEADS: dict[str, tuple[dict[str, tuple[int, ...]], dict[str, Any]]] = {
    "eagle": (EAGLE, LLAMA),
    "eagle3": (EAGLE3, LLAMA | {"architectures": ["LlamaForCausalLMEagle3"], "draft_vocab_size": 100}),
    "medusa": (MEDUSA, {"medusa_num_heads": 2, "medusa_num_layers": 1, "hidden_size": 64, "vocab_size": 512}),
}


def head(kind: str, folder: Path, edit: Edit = lambda tensors: None, **changes: Any) -> Path:
    """Write a draft head; `edit` changes its shapes by name."""
    shapes, config = HEADS[kind]
    tensors: dict[str, Any] = dict(shapes)
    edit(tensors)
    folder.mkdir(exist_ok=True)
    weights = {name: _stored(name, shape) for name, shape in tensors.items()}
    write_safetensors(folder / "model.safetensors", weights)
    (folder / "config.json").write_text(json.dumps(config | changes))
    return folder


def _stored(name: str, shape: tuple[int, ...]) -> Stored:
    if name == "d2t":
        return Stored("I64", shape, np.arange(*shape, dtype=np.int64).tobytes())
    if name == "t2d":
        return Stored("BOOL", shape, (np.arange(*shape) < 100).tobytes())
    return stored(made(name, list(shape)), "BF16")
