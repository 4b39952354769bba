"""Small quantised folders as their writers lay them out: one layer of tiny-qwen2, its linear layers in parts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.mutations import Stored, copied, json_of, read_safetensors_model, write_safetensors
from support.packed_parts import Layout, Parts, zeros
from support.shared_models import DATA

QWEN2 = DATA / "tiny-qwen2"
LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def packed_folder(
    layout: Layout,
    folder: Path,
    change: Callable[[str, Parts], Parts] | None = None,
    declare: Callable[[dict[str, Any]], None] | None = None,
) -> Path:
    """A folder in a layout; `change` edits the parts of each module, `declare` the configuration."""
    target = copied(QWEN2, folder)
    tensors, metadata = read_safetensors_model(target / "model.safetensors")
    kept: dict[str, Stored] = {}
    for name, tensor in tensors.items():
        if ".layers." in name and ".layers.0." not in name:
            continue
        module = name.removesuffix(".weight")
        if not name.endswith(".weight") or module.rpartition(".")[2] not in LINEAR:
            kept[name] = tensor
            continue
        parts = layout.parts(*tensor.shape)
        for end, part in (change(module, parts) if change else parts).items():
            kept[module + end] = part if isinstance(part, Stored) else zeros(*part)
    write_safetensors(target / "model.safetensors", kept, metadata)
    with json_of(target / "config.json") as config:
        config["num_hidden_layers"] = 1
        config["layer_types"] = config["layer_types"][:1]
        if layout.file == "config.json":
            config[layout.key] = json.loads(json.dumps(layout.block))
        if declare is not None:
            declare(config)
    if layout.file != "config.json":
        block = {layout.key: layout.block} if layout.key else layout.block
        (target / layout.file).write_text(json.dumps(block), encoding="utf-8")
    return target
