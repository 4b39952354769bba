"""Conversions with other types, tensors or shapes than their source and what was asked, against that source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cases.gates import BIJECTION, CLAIMED, CONFIG, FAMILY, LABEL, LAYOUT, PAIR_SHAPES, PAIR_TYPES, VOCABULARY
from cases.interface import LLAMA, QWEN2, QWEN2_Q4_K_M, CheckArguments, Make, Variant, broken, seen
from cases.makers import apr, converted, directory, gguf, weights
from support.conversions import to_gguf
from support.gguf_models import GgufModel
from support.mutations import Stored, json_of, safetensors_of, stored

UP, BIAS, K = "blk.1.ffn_up.weight", "blk.1.attn_q.bias", "blk.2.attn_k.weight"
HF_DOWN, EMBEDDING = "model.layers.1.mlp.down_proj.weight", "model.embed_tokens.weight"
Model = Callable[[GgufModel], None]


def _asked(source: Path, to: str, for_: str) -> Make:
    """A conversion to one type where another was asked for."""

    def make(folder: Path) -> CheckArguments:
        return CheckArguments(to_gguf(source, to).write(folder / f"{source.name}-{to}.gguf"), source, for_)

    return make


def _cast(name: str, to: str) -> Model:
    return lambda model: model.tensors.update({name: model.tensors[name].cast(to)})


def _file_type(number: int | None) -> Model:
    def edit(model: GgufModel) -> None:
        if number is None:
            del model["general.file_type"]
        else:
            model["general.file_type"] = number

    return edit


def _drop(*parts: str) -> Callable[[Any], None]:
    """Every tensor with one of these in its name is gone."""

    def edit(model: Any) -> None:
        tensors = getattr(model, "tensors", model)
        for name in [name for name in tensors if any(part in name for part in parts)]:
            del tensors[name]

    return edit


def _extra(model: GgufModel) -> None:
    model.tensors["blk.1.attn_gate.weight"] = model.tensors[UP]


def _turned(tensors: dict[str, Stored]) -> None:
    """The axes of the header turned round, the bytes left as they are."""
    tensor = tensors[HF_DOWN]
    tensors[HF_DOWN] = Stored(tensor.dtype, tensor.shape[::-1], tensor.data)


def _cut(tensors: dict[str, Stored]) -> None:
    tensors[EMBEDDING] = stored(tensors[EMBEDDING].values[:1984], "BF16")


def _upcast(dtype: str | None) -> Callable[[Path], None]:
    """Every tensor in float32; config.json still says bfloat16, or nothing."""

    def edit(target: Path) -> None:
        with safetensors_of(target / "model.safetensors") as tensors:
            tensors.update({name: tensor.cast("F32") for name, tensor in tensors.items()})
        with json_of(target / "config.json") as config:
            config["dtype"] = dtype

    return edit


def _apr_upcast(model: Any) -> None:
    model.tensors = {name: tensor.cast("F32") for name, tensor in model.tensors.items()}


VARIANTS: tuple[Variant, ...] = (
    broken(
        "quantised-in-silence",
        converted(QWEN2, "Q8_0", _file_type(None), label=False),
        seen(
            PAIR_TYPES,
            "tensor_type",
            tensor="token_embd.weight",
            expected="BF16",
            observed="Q8_0",
            words="quantised from BF16 to Q8_0 (0.53 x); nothing asked for it",
        ),
    ),
    broken(
        "quantised-where-f16-was-asked-for",
        _asked(QWEN2, "Q8_0", "F16"),
        seen(PAIR_TYPES, "tensor_type", expected="F16", observed="Q8_0", words="--dtype says F16"),
    ),
    broken(
        "q8-0-where-q4-k-m-was-asked-for",
        _asked(LLAMA, "Q8_0", "Q4_K_M"),
        seen(PAIR_TYPES, "tensor_type", observed="Q8_0", words="--dtype says Q4_K_M"),
    ),
    broken(
        "f24-file-says-all-f32-over-q8-0",
        converted(QWEN2, "Q8_0", _file_type(0), label=False),
        seen(CLAIMED, "tensor_type", expected="F32", observed="Q8_0", words="file_type 0 (F32)"),
        seen(PAIR_TYPES, "tensor_type", expected="F32", observed="Q8_0", words="file_type 0 (F32)"),
    ),
    broken(
        "f24-one-tensor-narrowed",
        converted(QWEN2, "F16", _cast(UP, "Q8_0")),
        seen(CLAIMED, "tensor_type", tensor=UP, expected="F16", observed="Q8_0"),
        seen(LABEL, "tensor_type", tensor=UP, expected="F16", observed="Q8_0"),
        seen(PAIR_TYPES, "tensor_type", tensor=UP, expected="F16", observed="Q8_0", words="quantised from BF16"),
    ),
    broken(
        "a-bias-in-f16-in-a-q8-0-file",
        converted(QWEN2, "Q8_0", _cast(BIAS, "F16")),
        seen(CLAIMED, "tensor_type", tensor=BIAS, expected="F32", observed="F16"),
        seen(LABEL, "tensor_type", tensor=BIAS, expected="F32", observed="F16"),
        seen(PAIR_TYPES, "tensor_type", tensor=BIAS, expected="F32", observed="F16"),
    ),
    broken(
        "upcast-in-silence",
        directory(QWEN2, _upcast(None), QWEN2),
        seen(PAIR_TYPES, "tensor_type", expected="BF16", observed="F32", words="upcast from BF16 to F32 (2.00 x)"),
    ),
    broken(
        "upcast-under-a-config-that-says-bfloat16",
        directory(QWEN2, _upcast("bfloat16"), QWEN2),
        seen(CLAIMED, "tensor_type", tensor=EMBEDDING, expected="BF16", observed="F32", words="dtype says bfloat16"),
        seen(PAIR_TYPES, "tensor_type", tensor=EMBEDDING, expected="BF16", observed="F32", words="upcast"),
    ),
    broken(
        "apr-upcast-in-silence",
        apr(QWEN2, _apr_upcast, against=True),
        seen(PAIR_TYPES, "tensor_type", expected="BF16", observed="F32", words="nothing asked for it"),
    ),
    broken(
        "f30-bias-of-one-module-dropped",
        converted(QWEN2, "Q8_0", _drop(BIAS)),
        seen(FAMILY, "tensor_present", tensor=BIAS, expected="once", observed="missing"),
        seen(BIJECTION, "tensor_missing", tensor="model.layers.1.self_attn.q_proj.bias", observed=None),
    ),
    broken(
        "f30-all-biases-dropped",
        gguf(QWEN2_Q4_K_M, _drop(".bias"), QWEN2),
        seen(FAMILY, "tensor_present", expected="once", observed="missing"),
        seen(BIJECTION, "tensor_missing", observed=None),
    ),
    broken(
        "f18-head-dropped-in-a-conversion",
        converted(LLAMA, "Q8_0", lambda model: model.tensors.pop("output.weight") and None),
        seen(BIJECTION, "tensor_missing", tensor="lm_head.weight", words="512,000 values"),
    ),
    broken(
        "last-layer-missing-in-a-conversion",
        converted(LLAMA, "Q8_0", _drop("blk.2.")),
        seen(FAMILY, "tensor_present", tensor="blk.2.attn_norm.weight", expected="once", observed="missing"),
        seen(CONFIG, "num_hidden_layers", key="llama.block_count", expected=2, observed=3),
        seen(BIJECTION, "tensor_missing", observed=None),
    ),
    broken(
        "last-layer-missing-and-not-counted",
        converted(LLAMA, "Q8_0", lambda model: (_drop("blk.2.")(model), model.__setitem__("llama.block_count", 2))),
        seen(BIJECTION, "tensor_missing", observed=None),
        seen("F-CONTRACT-I3-005", "num_hidden_layers", key="llama.block_count", expected=3, observed=2),
    ),
    broken(
        "an-unknown-tensor-in-a-conversion",
        converted(QWEN2, "Q8_0", _extra),
        seen(FAMILY, "tensor_known", tensor="blk.1.attn_gate.weight"),
        seen(BIJECTION, "tensor_extra", tensor="blk.1.attn_gate.weight", words="the source has no such tensor"),
    ),
    broken(
        "axes-turned-round",
        weights(QWEN2, _turned, QWEN2),
        seen(LAYOUT, "shape", tensor=HF_DOWN, expected=[256, 512], observed=[512, 256]),
        seen(PAIR_SHAPES, "shape", tensor=HF_DOWN, expected=[256, 512], words="the axes are turned round"),
    ),
    broken(
        "embedding-cut-short",
        weights(QWEN2, _cut, QWEN2),
        seen(LAYOUT, "shape", tensor=EMBEDDING, expected=[2000, 256], observed=[1984, 256]),
        seen(CONFIG, "vocab_size", expected=1984, observed=2000),
        seen(VOCABULARY, "embedding_rows", observed=1984),
        seen(PAIR_SHAPES, "shape", tensor=EMBEDDING, expected=[2000, 256], observed=[1984, 256]),
    ),
)
