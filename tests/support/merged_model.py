"""Makes the model of the README's transcript: Q and K of a layer in another order, and `rope_theta` lost."""

from __future__ import annotations

from pathlib import Path

from support.mutations import copied, json_of, safetensors_of
from support.shared_models import DATA


def merged(folder: Path) -> Path:
    """`merged`, a broken copy of the small Qwen2 model, which stands beside it as `base` where it is compared."""
    target = copied(DATA / "tiny-qwen2", folder, "merged")
    with json_of(target / "config.json") as config:
        del config["rope_parameters"]["rope_theta"]
    with safetensors_of(target / "model.safetensors") as tensors:
        for matrix, heads in (("q_proj", 4), ("k_proj", 2)):
            name = f"model.layers.2.self_attn.{matrix}.weight"
            rows = tensors[name].rows
            halves = rows.reshape(heads, 2, rows.shape[0] // heads // 2, -1)
            tensors[name] = tensors[name].of_rows(halves.swapaxes(1, 2).reshape(rows.shape))
    return target
