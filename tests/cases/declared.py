"""Declarations that are not kept: keys of two configs that differ, parts and layers that a config owes, copies."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cases.gates import ALIVE, CONFIG, DECLARED, LAYERS, ROPE_FACTORS, TIED
from cases.interface import LLAMA, LLAMA_Q8_0, QWEN2, QWEN2_Q4_K_M, CheckArguments, Make, Variant, broken, seen
from cases.makers import config, gguf, weights
from support.conversions import to_gguf
from support.gguf_models import GgufModel
from support.mutations import Stored, copied, json_of, safetensors_of, stored, write_safetensors

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
LONG, SHORT = "rope_factors_long.weight", "rope_factors_short.weight"
#: Heads of 32 have 16 pairs; 2,048 positions are four times 512.
LONGROPE: dict[str, Any] = {
    "rope_type": "longrope",
    "rope_theta": 500000.0,
    "factor": 4.0,
    "original_max_position_embeddings": 512,
    "long_factor": [1.0 + 0.5 * pair for pair in range(16)],
    "short_factor": [1.0 + 0.01 * pair for pair in range(16)],
}
#: sqrt(1 + ln 4 / ln 512)
ATTENTION_FACTOR = 1.1055415868759155


def longrope(edit: Callable[[GgufModel], None]) -> Make:
    """A conversion of a Llama with longrope scaling, whole but for the edit, against its source."""

    def make(folder: Path) -> CheckArguments:
        source = copied(LLAMA, folder)
        with json_of(source / "config.json") as value:
            value["rope_parameters"] = LONGROPE
        model = to_gguf(source, "Q8_0")
        for name, key in ((LONG, "long_factor"), (SHORT, "short_factor")):
            model.tensors[name] = stored(np.array(LONGROPE[key], np.float32), "F32")
        model["llama.rope.scaling.original_context_length"] = 512
        model["llama.rope.scaling.attn_factor"] = ATTENTION_FACTOR
        edit(model)
        return CheckArguments(model.write(folder / "tiny-llama-Q8_0.gguf"), source)

    return make


def sentence(edit: Callable[[GgufModel, Path], None]) -> Make:
    """A conversion of a sentence model that takes the last token through a dense layer, against its folder."""

    def make(folder: Path) -> CheckArguments:
        source = copied(QWEN2, folder)
        kinds = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Dense", "Dense"))
        modules = [{"idx": at, "path": path, "type": f"sentence_transformers.models.{kind}"}
                   for at, (path, kind) in enumerate(kinds)]  # fmt: skip
        (source / "modules.json").write_text(json.dumps(modules), "utf-8")
        for name, said in (
            ("1_Pooling", {"word_embedding_dimension": 256, "pooling_mode_lasttoken": True}),
            ("2_Dense", {"in_features": 256, "out_features": 128, "bias": False}),
        ):
            (source / name).mkdir()
            (source / name / "config.json").write_text(json.dumps(said), "utf-8")
        values = np.random.default_rng(3).normal(size=(128, 256)).astype(np.float32)
        write_safetensors(source / "2_Dense" / "model.safetensors", {"linear.weight": stored(values, "F32")}, {})
        model = to_gguf(source, "Q8_0")
        model["qwen2.pooling_type"] = 3
        model.tensors["dense_2.weight"] = stored(values, "F32")
        edit(model, source)
        return CheckArguments(model.write(folder / "tiny-qwen2-Q8_0.gguf"), source)

    return make


def _without(*names: str) -> Callable[[GgufModel, Path], None]:
    def edit(model: GgufModel, source: Path) -> None:
        for name in names:
            (model.tensors if name in model.tensors else model.keys).pop(name)

    return edit


def _no_dense_weights(model: GgufModel, source: Path) -> None:
    (source / "2_Dense" / "model.safetensors").unlink()


def _scaled_dense(model: GgufModel, source: Path) -> None:
    model.tensors["dense_2.weight"] = model.tensors["dense_2.weight"].map(lambda values: values * 1.5)


def _layer_twice(tensors: dict[str, Stored]) -> None:
    for name in [name for name in tensors if name.startswith("model.layers.0.")]:
        tensors[name.replace(".0.", ".2.", 1)] = tensors[name]


def _rows(*at: int) -> Callable[[dict[str, Stored]], None]:
    def edit(tensors: dict[str, Stored]) -> None:
        values = tensors[EMBEDDING].values.copy()
        values[list(at)] = 0.0
        tensors[EMBEDDING] = tensors[EMBEDDING].map(lambda _: values)

    return edit


def _copied_head(folder: Path) -> CheckArguments:
    target = copied(QWEN2, folder)
    with json_of(target / "config.json") as value:
        value["tie_word_embeddings"] = False
    with safetensors_of(target / "model.safetensors") as tensors:
        tensors[HEAD] = tensors[EMBEDDING]
    return CheckArguments(target)


def _subnormal(tensors: dict[str, Stored]) -> None:
    name = "model.layers.1.mlp.up_proj.weight"
    tensors[name] = tensors[name].map(lambda values: values * 1e-39)


def _key(name: str, value: Any) -> Callable[[GgufModel], None]:
    def edit(model: GgufModel) -> None:
        if isinstance(value, list):
            model.keys.pop(name, None)  # an array is of another type than the number it takes the place of
        model[name] = value

    return edit


def _swapped(model: GgufModel) -> None:
    model.tensors[LONG], model.tensors[SHORT] = model.tensors[SHORT], model.tensors[LONG]


def _no_factors(model: GgufModel) -> None:
    del model.tensors[LONG], model.tensors[SHORT]


def _config_variant(key: str, value: Any, expected: Any, base: Path = QWEN2) -> Variant:
    change = config(base, base, **{key: value})
    return broken(f"{key}-changed-in-config", change, seen(DECLARED, key, key=key, expected=expected, observed=value))


VARIANTS: tuple[Variant, ...] = (
    _config_variant("hidden_act", "gelu", "silu"),
    _config_variant("max_window_layers", 2, 28),
    broken(
        "an-unknown-key-changed",
        config(QWEN2, QWEN2, layer_types=["full_attention", "full_attention", "full_attention", "sliding_attention"]),
        seen(DECLARED, "layer_types", key="layer_types"),
    ),
    broken(
        "theta-changed-inside-rope-parameters",
        config(QWEN2, QWEN2, rope_parameters={"rope_theta": 10000.0, "rope_type": "default"}),
        seen(DECLARED, "rope_theta", key="rope_parameters.rope_theta", expected=1e6, observed=10000.0),
    ),
    broken(
        "rotary-width-halved",
        gguf(LLAMA_Q8_0, _key("llama.rope.dimension_count", 16), LLAMA),
        seen(DECLARED, "rope_dimension_count", key="llama.rope.dimension_count", expected=32, observed=16),
    ),
    broken(
        "converted-over-another-activation",
        lambda folder: _over(folder, hidden_act="gelu"),
        seen(DECLARED, "hidden_act", key="hidden_act", observed="gelu", words="build this in"),
    ),
    broken(
        "dynamic-scaling-lost",
        lambda folder: _over(folder, rope_parameters={"rope_type": "dynamic", "rope_theta": 1e6, "factor": 2.0}),
        seen(DECLARED, "rope_scaling_type", expected="dynamic", observed=None),
    ),
    broken(
        "layer-types-one-short",
        config(QWEN2, layer_types=["full_attention"] * 3),
        seen(CONFIG, "layer_types", key="layer_types", observed="an array of 3 entries"),
    ),
    broken(
        "prediction-layer-declared",
        config(QWEN2, num_nextn_predict_layers=1),
        seen(CONFIG, "num_nextn_predict_layers", key="num_nextn_predict_layers", observed=None),
    ),
    broken(
        "an-array-with-an-entry-too-many",
        gguf(QWEN2_Q4_K_M, _key("qwen2.attention.head_count_kv", [2] * 5)),
        seen(CONFIG, "head_count_kv", key="qwen2.attention.head_count_kv", observed="an array of 5 entries"),
    ),
    broken(
        "head-is-the-embedding",
        _copied_head,
        seen(TIED, "untied_head", tensor=HEAD, observed="equal in every byte", words="trained head was lost"),
    ),
    broken(
        "one-layer-twice",
        weights(QWEN2, _layer_twice),
        seen(LAYERS, "layer_equal", tensor="model.layers.2", observed="the bytes of model.layers.0"),
    ),
    broken(
        "row-of-a-word-zero",
        weights(QWEN2, _rows(300)),
        seen(ALIVE, "rows_of_tokens_in_use", tensor=EMBEDDING, row=300, expected=0, observed=1),
    ),
    broken(
        "a-matrix-of-subnormals",
        weights(QWEN2, _subnormal),
        seen(ALIVE, "tensor_normal", tensor="model.layers.1.mlp.up_proj.weight", words="flush"),
    ),
    broken(
        "longrope-factors-missing",
        longrope(_no_factors),
        seen(ROPE_FACTORS, "rope_factors", tensor=LONG, expected="16 factors", observed=None),
        seen(DECLARED, "rope_scaling_type", expected="longrope", observed=None),
    ),
    broken(
        "longrope-factors-swapped",
        longrope(_swapped),
        seen(ROPE_FACTORS, "rope_factors", tensor=LONG),
    ),
    broken(
        "longrope-attention-factor-one",
        longrope(_key("llama.rope.scaling.attn_factor", 1.0)),
        seen(ROPE_FACTORS, "attn_factor", key="llama.rope.scaling.attn_factor", expected=ATTENTION_FACTOR),
    ),
    broken(
        "pooling-lost",
        sentence(_without("qwen2.pooling_type")),
        seen(DECLARED, "pooling_type", key="qwen2.pooling_type", expected=3, observed=None),
    ),
    broken(
        "dense-lost",
        sentence(_without("dense_2.weight")),
        seen(DECLARED, "dense", tensor="dense_2.weight", expected=[128, 256], observed=None),
    ),
    broken(
        "dense-of-other-values",
        sentence(_scaled_dense),
        seen(DECLARED, "dense_relative_rmse", tensor="dense_2.weight", observed=0.5),
    ),
)


def _over(folder: Path, **changes: Any) -> CheckArguments:
    """A conversion of tiny-qwen2 held against a copy of it whose config says something else."""
    source = copied(QWEN2, folder)
    with json_of(source / "config.json") as value:
        value.update(changes)
    return CheckArguments(to_gguf(QWEN2, "Q8_0").write(folder / "tiny-qwen2-Q8_0.gguf"), source)


def _mixed(folder: Path) -> CheckArguments:
    """A dynamic mix: its name says UD and XL, its header keeps the type of the base."""
    model = to_gguf(QWEN2, "F16")
    model.tensors["blk.1.ffn_up.weight"] = model.tensors["blk.1.ffn_up.weight"].cast("Q8_0")
    model["general.file_type"] = 14
    return CheckArguments(model.write(folder / "tiny-qwen2-UD-Q4_K_XL.gguf"))


def _array(folder: Path) -> CheckArguments:
    model = to_gguf(LLAMA, "Q8_0")
    _key("llama.attention.head_count_kv", [2, 2, 2])(model)
    return CheckArguments(model.write(folder / "tiny-llama-Q8_0.gguf"), LLAMA)


def _padding_rows(folder: Path) -> CheckArguments:
    """The row of the padding token is zero: an embedding keeps it so while it is trained."""
    return weights(QWEN2, _rows(0))(folder)


HONEST: dict[str, Make] = {
    "qwen2-mix-of-types": _mixed,
    "llama-array-of-equal-entries": _array,
    "llama-longrope": longrope(lambda model: None),
    "qwen2-sentence-model": sentence(lambda model, source: None),
    "qwen2-no-prediction-layers": config(QWEN2, num_nextn_predict_layers=0),
    "qwen2-row-of-the-padding-token": _padding_rows,
}
