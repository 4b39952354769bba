"""Records what llama.cpp's converter makes of towers: names, shapes and digests, of tiny models with made-up weights.

Run by hand: `PYTHONPATH=src:tests python -m support.record_towers LLAMA_CPP_FOLDER`. It takes transformers, torch and
the folder of llama.cpp that has convert_hf_to_gguf.py; tests read what it wrote to tests/data/towers.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from model_contracts.anatomy.families.multimodal import other_part
from support.recorded import digest, made
from support.shared_models import DATA

TEXT: dict[str, Any] = {
    "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "bos_token_id": 1,
    "num_key_value_heads": 1, "head_dim": 8, "vocab_size": 32, "pad_token_id": 0, "eos_token_id": 2,
}  # fmt: skip
VISION: dict[str, Any] = {
    "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 3, "num_attention_heads": 2, "image_size": 8,
    "patch_size": 4,
}  # fmt: skip
MERGED: dict[str, Any] = {
    "depth": 3, "hidden_size": 8, "num_heads": 2, "intermediate_size": 12, "out_hidden_size": 16, "patch_size": 4,
    "spatial_merge_size": 2, "temporal_patch_size": 2,
}  # fmt: skip
AUDIO: dict[str, Any] = {"num_mel_bins": 4, "max_source_positions": 6}
WHISPER: dict[str, Any] = {
    "d_model": 8, "encoder_layers": 3, "encoder_attention_heads": 2, "encoder_ffn_dim": 12, **AUDIO
}  # fmt: skip


def _parts(text: str, vision: str | None, **more: Any) -> dict[str, Any]:
    kind = {"model_type": vision} if vision is not None else {}
    return {"text_config": {**TEXT, "model_type": text}, "vision_config": {**VISION, **kind, **more}}


SIGLIP = {"vision_use_head": False}
#: Class and configuration; those of the second have no converter, and are recorded as a folder.
CONVERTED: dict[str, tuple[str, dict[str, Any]]] = {
    "pixtral": ("LlavaForConditionalGeneration", _parts("mistral", "pixtral", head_dim=4) | {"image_token_index": 5}),
    "mistral3": ("Mistral3ForConditionalGeneration", _parts("mistral", "pixtral", head_dim=4)),
    "gemma3": ("Gemma3ForConditionalGeneration", _parts("gemma3_text", "siglip_vision_model", **SIGLIP)),
    "idefics3": ("Idefics3ForConditionalGeneration", _parts("llama", "idefics3_vision")),
    "llama4": (
        "Llama4ForConditionalGeneration",
        _parts(
            "llama4_text",
            "llama4_vision_model",
            vision_output_dim=20,
            projector_input_dim=10,
            projector_output_dim=20,
            pixel_shuffle_ratio=0.5,
        ),
    ),
    "lfm2vl": (
        "Lfm2VlForConditionalGeneration",
        _parts("lfm2", "siglip2_vision_model", num_patches=4, **SIGLIP, patch_size=16) | {"projector_hidden_size": 10},
    ),
    "qwen2vl": (
        "Qwen2VLForConditionalGeneration",
        {
            "text_config": {**TEXT, "model_type": "qwen2_vl_text"},
            "vision_config": {
                "depth": 3,
                "embed_dim": 8,
                "num_heads": 2,
                "patch_size": 4,
                "hidden_size": 16,
                "mlp_ratio": 3,
            },
        },
    ),
    "qwen2_5_vl": (
        "Qwen2_5_VLForConditionalGeneration",
        {
            "text_config": {**TEXT, "model_type": "qwen2_5_vl_text"},
            "vision_config": {**MERGED, "fullatt_block_indexes": [1]},
        },
    ),
    "qwen3vl": (
        "Qwen3VLForConditionalGeneration",
        {
            "text_config": {**TEXT, "model_type": "qwen3_vl_text"},
            "vision_config": {**MERGED, "depth": 3, "num_position_embeddings": 4, "deepstack_visual_indexes": [1, 2]},
        },
    ),
    "glm4v": (
        "Glm4vForConditionalGeneration",
        {
            "text_config": {**TEXT, "model_type": "glm4v_text", "partial_rotary_factor": 1.0},
            "vision_config": {**MERGED, "image_size": 8},
        },
    ),
    "internvl": (
        "InternVLForConditionalGeneration",
        _parts(
            "qwen2",
            "internvl_vision",
            num_hidden_layers=4,
            image_size=[8, 8],
            patch_size=[4, 4],
            use_qk_norm=True,
            architectures=["InternVisionModel"],
        ),
    ),
    "qwen2_audio": (
        "Qwen2AudioForConditionalGeneration",
        {
            "text_config": {**TEXT, "model_type": "qwen2"},
            "audio_config": {**WHISPER, "model_type": "qwen2_audio_encoder"},
        },
    ),
    "voxtral": (
        "VoxtralForConditionalGeneration",
        {
            "text_config": {**TEXT, "model_type": "llama"},
            "audio_config": {
                "model_type": "voxtral_encoder",
                "hidden_size": 8,
                "intermediate_size": 32,
                "num_hidden_layers": 3,
                "num_attention_heads": 2,
                **AUDIO,
            },
        },
    ),
}
FOLDERS: dict[str, tuple[str, dict[str, Any]]] = {
    "llava": ("LlavaForConditionalGeneration", _parts("llama", "clip_vision_model")),
    "llava_next": ("LlavaNextForConditionalGeneration", _parts("llama", "clip_vision_model")),
    "llava_onevision": ("LlavaOnevisionForConditionalGeneration", _parts("qwen2", "siglip_vision_model", **SIGLIP)),
    "paligemma": ("PaliGemmaForConditionalGeneration", _parts("gemma", "siglip_vision_model")),
}
PROCESSED = {"image_mean": [0.5, 0.25, 0.5], "image_std": [0.5, 0.5, 0.75], "size": {"longest_edge": 8}}


def record(name: str, architecture: str, parts: dict[str, Any], converter: Path | None) -> dict[str, Any]:
    """Build the class, give every tower tensor the values of its name, convert, and keep names, shapes and digests."""
    import torch
    import transformers
    from safetensors.torch import save_file

    model = getattr(transformers, architecture)
    config = model.config_class(**parts)
    with TemporaryDirectory() as place:
        folder = Path(place) / name
        model(config).save_pretrained(folder)
        stored = _stored(folder / "model.safetensors", converter is not None)
        values = {one: torch.from_numpy(made(one, list(shape))).to(torch.bfloat16) for one, shape in stored.items()}
        save_file(values, folder / "model.safetensors", {"format": "pt"})
        (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSED))
        _tokenizer(folder)
        declared = json.loads((folder / "config.json").read_text())
        towers = {one: list(shape) for one, shape in stored.items() if other_part(one) is not None}
        found = {"config": declared, "folder": towers, "keys": {}, "gguf": {}}
        return found | (_converted(folder, Path(place) / "mmproj.gguf", converter) if converter is not None else {})


def _stored(path: Path, converted: bool) -> dict[str, tuple[int, ...]]:
    """Names and shapes, the names as published files have them: the converter knows no others of some."""
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    if not any("vision_tower.embeddings.patch_embedding." in name for name in shapes) or not converted:
        intern = any("encoder.layer.0.lambda_1" in name for name in shapes)
        return {f"model.{name}" if intern and other_part(name) else name: one for name, one in shapes.items()}
    return {
        re.sub(r"(?:(?<=\.)|^)vision_tower\.", "vision_tower.vision_model.", name): one for name, one in shapes.items()
    }


def _tokenizer(folder: Path) -> None:
    """What the converter of Pixtral looks for."""
    token = {"id": 31, "content": "[IMG_BREAK]", "special": True}
    (folder / "tokenizer_config.json").write_text("{}")
    (folder / "tokenizer.json").write_text(json.dumps({"added_tokens": [token]}))


def _converted(folder: Path, out: Path, llama_cpp: Path) -> dict[str, Any]:
    import gguf

    script = [sys.executable, str(llama_cpp / "convert_hf_to_gguf.py"), str(folder), "--mmproj", "--outtype", "bf16"]
    subprocess.run([*script, "--outfile", str(out)], check=True, capture_output=True)
    reader = gguf.GGUFReader(out)
    keys = {name: field.contents() for name, field in reader.fields.items() if name.startswith(("clip.", "general."))}
    tensors = {}
    for one in reader.tensors:
        shape = [int(size) for size in reversed(one.shape)]
        values = gguf.quants.dequantize(one.data, one.tensor_type).reshape(shape)
        tensors[one.name] = {"shape": shape, "type": one.tensor_type.name, "digest": digest(np.asarray(values))}
    return {"keys": keys, "gguf": tensors}


def main(llama_cpp: Path) -> None:
    """Write a record of each."""
    (DATA / "towers").mkdir(exist_ok=True)
    for name, (architecture, parts) in (CONVERTED | FOLDERS).items():
        found = record(name, architecture, parts, llama_cpp if name in CONVERTED else None)
        (DATA / "towers" / f"{name}.json").write_text(json.dumps(found, sort_keys=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
