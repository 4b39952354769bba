"""Makes models whose embedding has more rows than the tokenizer has tokens, as Qwen2.5's has 151,936 for 151,665."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from support.mutations import copied, json_of, safetensors_of, stored
from support.shared_models import DATA

TOKENS, ROWS = 2000, 2048


def padded(folder: Path, rows: int = ROWS, *, zero: bool = False) -> Path:
    """The small Qwen2 with rows of padding behind its 2,000 tokens: small random values, or zeros."""
    target = copied(DATA / "tiny-qwen2", folder, "padded-qwen2")
    with json_of(target / "config.json") as config:
        config["vocab_size"] = rows
    random = np.random.default_rng(7)
    with safetensors_of(target / "model.safetensors") as tensors:
        embedding = tensors["model.embed_tokens.weight"]
        extra = random.standard_normal((rows - TOKENS, embedding.shape[1])).astype(np.float32) * 1e-3
        values = np.concatenate([embedding.values, extra * 0 if zero else extra])
        tensors["model.embed_tokens.weight"] = stored(values, embedding.dtype)
    return target
