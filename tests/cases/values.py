"""Broken values, seen in one artifact alone: NaN scales, infinities, dead tensors, rows and experts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cases.gates import ALIVE, CLAIMED, FINITE
from cases.interface import LLAMA_Q8_0, QWEN2, QWEN2_Q4_K_M, Make, Variant, broken, seen
from cases.makers import converted, gguf, weights
from support.gguf_models import GgufModel
from support.mutations import Floats, Stored, stored

OUT, UP = "model.layers.1.self_attn.o_proj.weight", "model.layers.1.mlp.up_proj.weight"
NORM = "model.layers.1.input_layernorm.weight"
EXPERTS = "blk.1.ffn_up_exps.weight"
_NAN = (0x00, 0x7E)


def _scale(name: str, block: int, nbytes: int, scale: int = 0) -> Callable[[GgufModel], None]:
    """The float16 at byte `scale` of one block is NaN."""

    def edit(model: GgufModel) -> None:
        tensor = model.tensors[name]
        data = bytearray(tensor.data)
        data[block * nbytes + scale : block * nbytes + scale + 2] = bytes(_NAN)
        model.tensors[name] = Stored(tensor.dtype, tensor.shape, bytes(data))

    return edit


def _changed(name: str, change: Callable[[Floats], Floats | None]) -> Make:
    def edit(tensors: dict[str, Stored]) -> None:
        tensors[name] = tensors[name].map(change)

    return weights(QWEN2, edit)


def _put(*at: int | slice, value: float) -> Callable[[Floats], None]:
    def change(values: Floats) -> None:
        values[at] = value

    return change


def _whole_numbers(tensor: Stored) -> Stored:
    """The same bytes under a type of integers, without a configuration that says what they stand for."""
    return Stored("I16", tensor.shape, tensor.data)


def _last_rows_dead(values: Floats) -> None:
    values[-max(1, len(values) // 100) :] = 0


def _to_f16(model: GgufModel) -> None:
    """One value past the range of F16, as BF16 holds it and a cast loses it."""
    name = "blk.1.ffn_up.weight"
    values = model.tensors[name].values.copy()
    values[3, 5] = np.inf
    model.tensors[name] = model.tensors[name].map(lambda _: values)


def _experts(change: Callable[[Floats], None]) -> Make:
    """A GGUF of an architecture that no family is shipped for, with a tensor of 8 experts."""

    def edit(model: GgufModel) -> None:
        for name in [name for name in model.keys if name.startswith("qwen2.")]:
            model.keys["grovemoe." + name.removeprefix("qwen2.")] = model.keys.pop(name)
        model["general.architecture"] = "grovemoe"
        for name in [name for name in model.tensors if ".ffn_up." in name]:
            up = model.tensors.pop(name).values.reshape(8, 64, 256).copy()
            if name.startswith("blk.1."):
                change(up)
            model.tensors[name.replace("ffn_up", "ffn_up_exps")] = stored(up, "F16")

    return converted(QWEN2, "F16", edit, against=False)


VARIANTS: tuple[Variant, ...] = (
    broken(
        "a-weight-stored-as-integers",
        weights(QWEN2, lambda tensors: tensors.update({UP: _whole_numbers(tensors[UP])})),
        seen(CLAIMED, "tensor_type", tensor=UP, expected="BF16", observed="I16"),
    ),
    broken(
        "f23-nan-scale-in-q4-k",
        gguf(QWEN2_Q4_K_M, _scale("blk.1.ffn_up.weight", 7, 144)),
        seen(FINITE, "nonfinite_values", tensor="blk.1.ffn_up.weight", row=7, expected=0, observed=256),
    ),
    broken(
        "f23-nan-minimum-in-q4-k",
        gguf(QWEN2_Q4_K_M, _scale("blk.1.ffn_up.weight", 7, 144, 2)),
        seen(FINITE, "nonfinite_values", tensor="blk.1.ffn_up.weight", row=7, expected=0, observed=256),
    ),
    broken(
        "f23-nan-scale-in-q6-k",
        gguf(QWEN2_Q4_K_M, _scale("token_embd.weight", 100, 210, 208)),
        seen(FINITE, "nonfinite_values", tensor="token_embd.weight", row=100, expected=0, observed=256),
    ),
    broken(
        "f23-nan-scale-in-q8-0",
        gguf(LLAMA_Q8_0, _scale("blk.1.attn_v.weight", 8, 34)),
        seen(FINITE, "nonfinite_values", tensor="blk.1.attn_v.weight", row=1, expected=0, observed=32),
    ),
    broken(
        "f25-overflow-to-infinity",
        converted(QWEN2, "F16", _to_f16, against=False),
        seen(FINITE, "nonfinite_values", tensor="blk.1.ffn_up.weight", row=3, observed=1, words="0 NaN, 1 infinite"),
    ),
    broken(
        "one-nan-in-bfloat16",
        _changed(OUT, _put(17, 4, value=np.nan)),
        seen(FINITE, "nonfinite_values", tensor=OUT, row=17, expected=0, observed=1, words="1 NaN, 0 infinite"),
    ),
    broken(
        "a-tensor-of-zeros",
        _changed(UP, np.zeros_like),
        seen(ALIVE, "tensor_varies", tensor=UP, observed="every value is 0"),
    ),
    broken(
        "a-norm-of-zeros",
        _changed(NORM, np.zeros_like),
        seen(ALIVE, "tensor_varies", tensor=NORM, observed="every value is 0"),
    ),
    broken(
        "a-matrix-of-one-value",
        _changed(UP, lambda values: np.full_like(values, 0.02)),
        seen(ALIVE, "tensor_varies", tensor=UP),
    ),
    broken(
        "last-percent-of-rows-dead",
        _changed(UP, _last_rows_dead),
        seen(ALIVE, "dead_rows", tensor=UP, row=507, expected=0.0, observed=5 / 512, words="5 all-zero"),
    ),
    broken(
        "f23-a-dead-expert",
        _experts(_put(3, value=0.0)),
        seen(ALIVE, "experts_alive", tensor=EXPERTS, expected=0, observed=1, words="experts 3 hold only zeros"),
    ),
    broken(
        "f23-nan-in-two-experts",
        _experts(_put(slice(2, 6, 3), 7, 9, value=np.nan)),
        seen(FINITE, "nonfinite_values", tensor=EXPERTS, row=135, observed=2, words="of experts 2, 5"),
    ),
    broken(
        "half-the-vocabulary-dead",
        _changed("model.embed_tokens.weight", _put(slice(1000, None), value=0.0)),
        seen(ALIVE, "dead_rows", tensor="model.embed_tokens.weight", row=1000, observed=0.5),
    ),
)
