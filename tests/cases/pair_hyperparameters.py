"""Conversions that lost, changed or invented a hyper-parameter or a special id, against their source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cases.gates import CONFIG, DECLARED, LAYOUT, ROPE_FACTORS, SPECIAL_IDS, VALUES
from cases.interface import LLAMA, LLAMA_Q8_0, QWEN2, QWEN2_Q4_K_M, CheckArguments, Make, Variant, broken, seen
from cases.makers import apr, config, gguf
from support.conversions import to_gguf
from support.gguf_models import GgufModel
from support.mutations import copied, json_of, stored

#: What Llama 3.1 declares, for a model of 2,048 positions.
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 1024,
}


def _llama(key: str, value: Any = None) -> Make:
    """tiny-llama-Q8_0 with one key replaced, or dropped where no value is given."""
    return gguf(LLAMA_Q8_0, _key(key, value), LLAMA)


def _key(key: str, value: Any) -> Callable[[GgufModel], None]:
    def edit(model: GgufModel) -> None:
        if value is None:
            del model[key]
        else:
            model[key] = value

    return edit


def _from(source: Path, edit: Callable[[GgufModel], None], **changes: Any) -> Make:
    """A conversion of a directory whose config.json was changed, edited, against that directory."""

    def make(folder: Path) -> CheckArguments:
        changed = copied(source, folder)
        with json_of(changed / "config.json") as value:
            value.update(changes)
        model = to_gguf(changed, "Q8_0")
        edit(model)
        return CheckArguments(model.write(folder / "tiny-Q8_0.gguf"), changed)

    return make


def llama3_factors() -> np.ndarray:
    """What a converter stores for LLAMA3 and heads of 32: one divisor a pair, by wavelength (llama.cpp PR 8676)."""
    factors = []
    for pair in range(16):
        wavelength = 2 * np.pi * 500000.0 ** (2 * pair / 32)
        turns = 1024 / wavelength
        if turns < 1:
            factors.append(8.0)
        elif turns > 4:
            factors.append(1.0)
        else:
            smooth = (turns - 1) / 3
            factors.append(1 / ((1 - smooth) / 8 + smooth))
    return np.array(factors)


def with_llama3(factors: np.ndarray | None) -> Make:
    """A conversion of a model that declares llama3 scaling, with these factors (None: without the tensor)."""

    def edit(model: GgufModel) -> None:
        if factors is not None:
            model.tensors["rope_freqs.weight"] = stored(factors, "F32")

    return _from(LLAMA, edit, rope_parameters=LLAMA3)


def _sliding(window: int | None) -> Make:
    def edit(model: GgufModel) -> None:
        if window is not None:
            model["qwen2.attention.sliding_window"] = window

    layers = ["sliding_attention"] * 4
    return _from(QWEN2, edit, sliding_window=1024, use_sliding_window=True, max_window_layers=0, layer_types=layers)


def _linear(model: GgufModel) -> None:
    """Nothing is written: the scaling is lost."""


def _another_architecture(model: GgufModel) -> None:
    for name in [name for name in model.keys if name.startswith("qwen2.")]:
        model.keys["llama." + name.removeprefix("qwen2.")] = model.keys.pop(name)
    model["general.architecture"] = "llama"


THETA, EOS = "llama.rope.freq_base", "tokenizer.ggml.eos_token_id"

VARIANTS: tuple[Variant, ...] = (
    broken(
        "f07-theta-ten-thousand",
        _llama(THETA, 10000.0),
        seen(DECLARED, "rope_theta", key=THETA, expected=500000.0, observed=10000.0, words="config.json"),
    ),
    broken(
        "f07-theta-dropped",
        _llama(THETA),
        seen(DECLARED, "rope_theta", key=THETA, expected=500000.0, observed=10000.0, words="readers assume 10000"),
    ),
    broken(
        "f07-theta-dropped-from-config",
        config(LLAMA, LLAMA, drop="rope_parameters"),
        seen(DECLARED, "rope_theta", expected=500000.0, observed=10000.0, words="readers assume 10000"),
    ),
    broken(
        "f07-apr-theta",
        apr(LLAMA, lambda model: model.metadata.update(rope_theta=10000.0), against=True),
        seen(DECLARED, "rope_theta", key="rope_theta", expected=500000.0, observed=10000.0),
    ),
    broken(
        "epsilon-changed",
        _llama("llama.attention.layer_norm_rms_epsilon", 1e-5),
        seen(DECLARED, "rms_norm_eps", expected=1e-6, observed=1e-5),
    ),
    broken(
        "epsilon-dropped-in-a-conversion",
        _llama("llama.attention.layer_norm_rms_epsilon"),
        seen(CONFIG, "rms_norm_eps", expected="declared", observed=None),
        seen(DECLARED, "rms_norm_eps", expected=1e-6, observed=None),
    ),
    broken(
        "positions-doubled",
        _llama("llama.context_length", 4096),
        seen(DECLARED, "max_position_embeddings", key="llama.context_length", expected=2048, observed=4096),
    ),
    broken(
        "positions-changed-in-config",
        config(QWEN2, QWEN2, max_position_embeddings=32768),
        seen(DECLARED, "max_position_embeddings", key="max_position_embeddings", expected=2048, observed=32768),
    ),
    broken(
        "head-count-changed-in-a-conversion",
        gguf(QWEN2_Q4_K_M, _key("qwen2.attention.head_count", 8), QWEN2),
        seen(LAYOUT, "shape", tensor="blk.0.attn_k.bias", expected=[64], observed=[128]),
        seen(DECLARED, "num_attention_heads", key="qwen2.attention.head_count", expected=4, observed=8),
    ),
    broken(
        "key-value-head-count-dropped",
        _llama("llama.attention.head_count_kv"),
        seen(LAYOUT, "shape", tensor="blk.0.attn_k.weight", expected=[256, 256], observed=[64, 256]),
        seen(DECLARED, "num_key_value_heads", expected=2, observed=8, words="readers assume 8"),
    ),
    broken(
        "another-architecture",
        gguf(QWEN2_Q4_K_M, _another_architecture, QWEN2),
        seen(DECLARED, "architecture", key="general.architecture", observed="llama"),
        seen(VALUES, "differing_values", tensor="blk.0.attn_k.bias", words="rows not permuted"),
    ),
    broken(
        "f06-llama3-factors-missing",
        with_llama3(None),
        seen(ROPE_FACTORS, "rope_factors", expected="16 factors", observed=None, words="rope scaling was dropped"),
    ),
    broken(
        "f06-llama3-factors-all-one",
        with_llama3(np.ones(16)),
        seen(ROPE_FACTORS, "rope_factors", tensor="rope_freqs.weight", observed="16 factors, 1 … 1"),
    ),
    broken(
        "f06-llama3-factors-of-half-the-pairs",
        with_llama3(llama3_factors()[:8]),
        seen(ROPE_FACTORS, "rope_factors", tensor="rope_freqs.weight"),
    ),
    broken(
        "f06-linear-scaling-dropped",
        _from(LLAMA, _linear, rope_parameters={"rope_type": "linear", "rope_theta": 500000.0, "factor": 4.0}),
        seen(DECLARED, "rope_scaling_type", expected="linear", observed=None),
    ),
    broken(
        "f09-sliding-window-altered",
        _sliding(128),
        seen(DECLARED, "sliding_window", key="qwen2.attention.sliding_window", expected=1024, observed=128),
    ),
    broken(
        "f09-sliding-window-dropped",
        _sliding(None),
        seen(DECLARED, "sliding_window", expected=1024, observed=None),
    ),
    broken(
        "f09-sliding-window-invented",
        gguf(QWEN2_Q4_K_M, _key("qwen2.attention.sliding_window", 32768), QWEN2),
        seen(DECLARED, "sliding_window", expected=None, observed=32768, words="this value was invented"),
    ),
    broken(
        "f15-end-of-sequence-is-the-beginning",
        _llama(EOS, 1),
        seen(DECLARED, "eos_token_id", key=EOS, expected=[2], observed=1, words="the source declares 2"),
    ),
    broken(
        "f15-end-of-sequence-dropped",
        _llama(EOS),
        seen(DECLARED, "eos_token_id", expected=[2], observed=None),
    ),
    broken(
        "f15-end-of-sequence-past-the-vocabulary",
        _llama(EOS, 2000),
        seen(SPECIAL_IDS, "eos_token_id", key=EOS, expected="a token id below 2,000", observed=2000),
        seen(DECLARED, "eos_token_id", key=EOS, expected=[2], observed=2000),
    ),
    broken(
        "beginning-of-sequence-invented",
        _llama("tokenizer.ggml.bos_token_id", 1),
        seen(DECLARED, "bos_token_id", expected=None, observed=1, words="this value was invented"),
    ),
)
