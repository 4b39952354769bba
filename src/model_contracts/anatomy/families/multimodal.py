"""Owns where a model of several parts keeps its language model: in config.json, and in the names of its tensors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

#: Where config.json has the language model's own keys (transformers; InternVL; DeepSeek-OCR; Qwen2.5-Omni).
TEXT_CONFIGS = ("text_config", "llm_config", "language_config", "thinker_config.text_config")
#: What config.json has of other parts.
_OTHER_CONFIGS = ("vision_config", "audio_config", "encoder_config", "thinker_config")
#: What names of the language model have beside those of the model alone (transformers 4 and 5, Idefics3, Omni).
_ELEMENTS = re.compile(r"(?:(?<=\.)|^)(?:language_model|text_model|thinker|llm)\.")
#: What names of the other parts begin with, behind `model.` or `thinker.`, and what each part is.
_PARTS = {
    "vision encoder": ("vision_tower", "vision_model", "visual", "vision_embed_tokens", "vpm", "vit", "embed_vision"),
    "audio encoder": ("audio_tower", "audio_model", "audio_encoder", "embed_audio", "encoder", "sound_encoder"),
    "projector": (
        "multi_modal_projector", "mm_projector", "connector", "projector", "aligner", "resampler", "resampler_model",
        "mlp1", "patch_merger", "image_newline", "view_seperator", "vision_projector", "vision_adapter",
    ),
    "speech decoder": ("talker", "token2wav", "code2wav"),
}  # fmt: skip
_PART_OF = {word: part for part, words in _PARTS.items() for word in words}


def text_part(config: Mapping[str, Any] | None) -> tuple[str, Mapping[str, Any]] | None:
    """The dotted key of config.json under which the language model's own keys stand, and those."""
    for key in TEXT_CONFIGS:
        found: Any = config
        for part in key.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        if isinstance(found, Mapping) and found:
            return key, found
    return None


def text_config(config: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """What config.json declares of the language model: its own keys before those of the whole."""
    part = text_part(config)
    return config or {} if part is None else {**(config or {}), **part[1]}


def of_several_parts(config: Mapping[str, Any] | None) -> bool:
    """Whether config.json declares another part beside the language model."""
    other = any(isinstance((config or {}).get(key), Mapping) for key in _OTHER_CONFIGS)
    return other or text_part(config) is not None


def without_part(name: str) -> str:
    """A tensor's name as the language model alone would have it."""
    return _ELEMENTS.sub("", name, count=2)


def other_part(name: str) -> str | None:
    """What part of the model a tensor is of, if not of the language model."""
    return next((_PART_OF[word] for word in _heads(name) if word in _PART_OF), None)


def _heads(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield parts[0]
    if len(parts) > 1 and parts[0] in ("model", "thinker"):
        yield parts[1]
        if len(parts) > 2 and parts[1] == "model":
            yield parts[2]
