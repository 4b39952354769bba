"""Conversions with broken values, against their source: each rival explanation is named where it is the right one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from cases.gates import ALIVE, FINITE, MOMENTS, VALUES
from cases.interface import LLAMA, LLAMA_Q8_0, QWEN2, QWEN2_Q4_K_M, CheckArguments, Make, Variant, broken, seen
from cases.makers import apr, converted, gguf, weights
from cases.value_edits import (
    block_scales,
    changed,
    norms,
    put,
    rows_dead,
    rows_of_q_and_k,
    rows_swapped,
    tensors_swapped,
)
from support.conversions import interleaved, split_again, to_gguf
from support.gguf_models import GgufModel
from support.mutations import Stored, copied, safetensors_of

UP, OUT = "blk.1.ffn_up.weight", "blk.1.attn_output.weight"
Q, K, NORM = "blk.0.attn_q.weight", "blk.0.attn_k.weight", "blk.0.attn_norm.weight"
HF_UP, HF_K = "model.layers.1.mlp.up_proj.weight", "model.layers.0.self_attn.k_proj.weight"


def _k_with_the_wrong_heads(model: GgufModel) -> None:
    """K permuted by the number of attention heads, 8, where it has 2 (transformers issue 31766)."""
    for name, tensor in model.tensors.items():
        if ".attn_k." in name:
            model.tensors[name] = tensor.map(lambda values: interleaved(split_again(values, 2), 8))


def _k_restored_with_the_wrong_heads(tensors: dict[str, Stored]) -> None:
    for name, tensor in tensors.items():
        if ".k_proj." in name:
            tensors[name] = tensor.map(lambda values: split_again(interleaved(values, 2), 8))


def _from_gguf(edit: Callable[[dict[str, Stored]], None]) -> Make:
    """The way back: tiny-llama held against a GGUF that was made from it."""

    def make(folder: Path) -> CheckArguments:
        source = to_gguf(LLAMA, "F16").write(folder / "source-F16.gguf")
        return CheckArguments(weights(LLAMA, edit, file="model-00001-of-00003.safetensors")(folder).path, source)

    return make


def _unmerged(to: str) -> Make:
    """A source with an adapter of 3 % merged into one module, and a conversion of the model without it."""

    def make(folder: Path) -> CheckArguments:
        source = copied(QWEN2, folder, "merged")
        random = np.random.default_rng(3)
        with safetensors_of(source / "model.safetensors") as tensors:
            base = tensors[HF_UP].values
            delta = random.normal(size=(512, 8)) @ random.normal(size=(8, 256))
            delta *= 0.03 * np.linalg.norm(base) / np.linalg.norm(delta)
            tensors[HF_UP] = tensors[HF_UP].map(lambda values: values + delta)
        return CheckArguments(to_gguf(QWEN2, to).write(folder / f"merged-{to}.gguf"), source)

    return make


def _overflow(folder: Path) -> CheckArguments:
    """A source with a value past the range of F16, cast to F16."""
    source = copied(QWEN2, folder)
    with safetensors_of(source / "model.safetensors") as tensors:
        tensors[HF_UP] = tensors[HF_UP].map(put(3, 5, 7e4))
    return CheckArguments(to_gguf(source, "F16").write(folder / "tiny-qwen2-F16.gguf"), source)


VARIANTS: tuple[Variant, ...] = (
    broken(
        "f01-k-permuted-with-the-wrong-head-count",
        converted(LLAMA, "Q8_0", _k_with_the_wrong_heads),
        seen(
            VALUES,
            "relative_rmse",
            tensor=K,
            words="rows permuted to llama.cpp's order with 8 heads (num_attention_heads)",
        ),
    ),
    broken(
        "f01-k-restored-with-the-wrong-head-count",
        weights(LLAMA, _k_restored_with_the_wrong_heads, LLAMA, "model-00001-of-00003.safetensors"),
        seen(
            VALUES,
            "differing_values",
            tensor=HF_K,
            words=("taken back from llama.cpp's order with 8 heads (num_attention_heads)", "they have 2"),
        ),
    ),
    broken(
        "f01-k-restored-from-gguf-with-the-wrong-head-count",
        _from_gguf(_k_restored_with_the_wrong_heads),
        seen(
            VALUES,
            "differing_values",
            tensor=HF_K,
            words="rows permuted to Hugging Face's order with 8 heads (num_attention_heads)",
        ),
    ),
    broken(
        "f02-q-and-k-not-permuted",
        converted(LLAMA, "Q8_0", rows_of_q_and_k(split_again, 8, 2)),
        seen(VALUES, "relative_rmse", words="rows not permuted (Q/K left in the source's order)"),
    ),
    broken(
        "f02-q-and-k-permuted-where-they-are-not",
        converted(QWEN2, "Q8_0", rows_of_q_and_k(interleaved, 4, 2)),
        seen(
            VALUES,
            "differing_values",
            tensor="blk.0.attn_k.bias",
            words="rows permuted to llama.cpp's order with 2 heads (num_key_value_heads)",
        ),
    ),
    broken(
        "f03-norms-given-one",
        converted(QWEN2, "BF16", norms(1.0)),
        seen(MOMENTS, "mean", tensor=NORM, expected=0.9387, observed=1.9387),
        seen(VALUES, "differing_values", words="a norm that was given +1"),
    ),
    broken(
        "f03-norms-that-lost-one",
        converted(LLAMA, "Q8_0", norms(-1.0)),
        seen(MOMENTS, "mean", tensor=NORM, expected=0.9865, observed=-0.01347),
        seen(VALUES, "differing_values", tensor=NORM, words="a norm that lost 1"),
    ),
    broken(
        "f21-scales-dropped",
        converted(LLAMA, "Q8_0", changed(UP, lambda values: values * 3361)),
        seen(MOMENTS, "mean", tensor=UP),
        seen(VALUES, "relative_rmse", tensor=UP, words="scaled by 3361 explains it"),
    ),
    broken(
        "f25-overflow-against-the-source",
        _overflow,
        seen(FINITE, "nonfinite_values", tensor=UP, row=3, observed=1, words="0 NaN, 1 infinite"),
        seen(MOMENTS, "mean", tensor=UP),
        seen(VALUES, "nonfinite_values", tensor=UP, row=3, expected=0, observed=1),
    ),
    broken(
        "f30-adapter-not-merged-f16",
        _unmerged("F16"),
        seen(VALUES, "relative_rmse", tensor=UP, expected=0.0, observed=0.03),
    ),
    broken(
        "f30-adapter-not-merged-q8-0",
        _unmerged("Q8_0"),
        seen(VALUES, "relative_rmse", tensor=UP, expected=0.0, observed=0.0305),
    ),
    broken(
        "transposed",
        converted(LLAMA, "Q8_0", changed(OUT, lambda values: values.T.copy())),
        seen(VALUES, "relative_rmse", tensor=OUT, words="transposed explains it"),
    ),
    broken(
        "negated",
        converted(LLAMA, "Q8_0", changed(OUT, lambda values: -values)),
        seen(MOMENTS, "minimum", tensor=OUT),
        seen(VALUES, "relative_rmse", tensor=OUT, observed=2.0, words="negated explains it"),
    ),
    broken(
        "scaled-by-two-percent-q8-0",
        converted(LLAMA, "Q8_0", changed(UP, lambda values: values * 1.02)),
        seen(MOMENTS, "std", tensor=UP),
        seen(VALUES, "relative_rmse", tensor=UP, words="scaled by 1.02"),
    ),
    broken(
        "scaled-by-two-percent-q4-k",
        gguf(QWEN2_Q4_K_M, block_scales(UP, 1.02), QWEN2),
        seen(VALUES, "gain", tensor=UP, observed=1.0169, words="scaled by 1.017 explains it"),
    ),
    broken(
        "two-rows-swapped-q8-0",
        converted(LLAMA, "Q8_0", rows_swapped(UP, 3, 200)),
        seen(VALUES, "relative_rmse", tensor=UP, words="rows swapped (3 holds 200, 200 holds 3)"),
    ),
    broken(
        "two-rows-swapped-q4-k",
        gguf(QWEN2_Q4_K_M, rows_swapped(UP, 3, 200), QWEN2),
        seen(VALUES, "row_cosine", tensor=UP, words="rows swapped (3 holds 200, 200 holds 3)"),
    ),
    broken(
        "two-rows-of-the-embedding-swapped",
        gguf(LLAMA_Q8_0, rows_swapped("token_embd.weight", 300, 301), LLAMA),
        seen(VALUES, "relative_rmse", tensor="token_embd.weight", words="rows swapped (300 holds 301, 301 holds 300)"),
    ),
    broken(
        "two-layers-swapped",
        gguf(QWEN2_Q4_K_M, tensors_swapped("blk.1.ffn_gate.weight", "blk.2.ffn_gate.weight"), QWEN2),
        seen(MOMENTS, "std", tensor="blk.1.ffn_gate.weight"),
        seen(VALUES, "relative_rmse", tensor="blk.1.ffn_gate.weight", words="layer 2 in place of layer 1"),
    ),
    broken(
        "gate-and-up-swapped",
        gguf(QWEN2_Q4_K_M, tensors_swapped("blk.1.ffn_gate.weight", UP), QWEN2),
        seen(MOMENTS, "mean", tensor="blk.1.ffn_gate.weight"),
        seen(VALUES, "relative_rmse", tensor="blk.1.ffn_gate.weight", words=f"{HF_UP} in its place explains it"),
    ),
    broken(
        "last-percent-of-rows-dead-against-the-source",
        converted(LLAMA, "Q8_0", changed(UP, rows_dead)),
        seen(ALIVE, "dead_rows", tensor=UP, row=507),
        seen(VALUES, "relative_rmse", tensor=UP),
    ),
    broken(
        "one-value-of-ten-thousand",
        converted(QWEN2, "F16", changed(UP, put(9, 9, 1e4))),
        seen(MOMENTS, "mean", tensor=UP),
        seen(VALUES, "relative_rmse", tensor=UP),
    ),
    broken(
        "one-value-in-a-lossless-copy",
        apr(QWEN2, changed(HF_UP, put(9, 9, 0.0)), against=True),
        seen(MOMENTS, "mean", tensor=HF_UP),
        seen(VALUES, "differing_values", tensor=HF_UP, row=9, expected=0, observed=1, words="1 of 131,072 values"),
    ),
    broken(
        "quantised-twice",
        converted(LLAMA, "Q8_0", lambda model: model.tensors.update({UP: model.tensors[UP].cast("Q4_0").cast("Q8_0")})),
        seen(VALUES, "relative_rmse", tensor=UP),
    ),
    broken(
        "zero-point-moved",
        converted(LLAMA, "Q8_0", changed(UP, lambda values: values + 0.25 * values.std())),
        seen(MOMENTS, "mean", tensor=UP),
        seen(VALUES, "relative_rmse", tensor=UP),
    ),
)
