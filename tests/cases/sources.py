"""Broken sources beside an honest target: what they hold cannot vouch for anything."""

from __future__ import annotations

import os
from pathlib import Path

from cases.gates import BIJECTION, FAMILY, SOURCE
from cases.interface import LLAMA, LLAMA_Q8_0, QWEN2, QWEN2_Q4_K_M, CheckArguments, Make, Variant, broken, seen
from support.mutations import copied, json_of, safetensors_of

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
FIRST, SECOND = (f"model-0000{number}-of-00003.safetensors" for number in (1, 2))


def cut_to(size: int) -> Make:
    """The source's weights cut to so many bytes, beside the target that was made from all of them."""

    def make(folder: Path) -> CheckArguments:
        source = copied(QWEN2, folder / "source")
        os.truncate(source / WEIGHTS, size)
        return CheckArguments(QWEN2_Q4_K_M, source)

    return make


def _without_a_shard(folder: Path) -> CheckArguments:
    source = copied(LLAMA, folder / "source")
    (source / SECOND).unlink()
    return CheckArguments(LLAMA_Q8_0, source)


def _without_a_shard_and_one_tensor_more(folder: Path) -> CheckArguments:
    source = _without_a_shard(folder).against
    target = copied(LLAMA, folder / "target")
    with safetensors_of(target / FIRST) as tensors:
        tensors["model.layers.1.mlp.odd.weight"] = tensors["model.layers.0.mlp.up_proj.weight"]
    with json_of(target / INDEX) as index:
        index["weight_map"]["model.layers.1.mlp.odd.weight"] = FIRST
        del index["metadata"]
    return CheckArguments(target, source)


VARIANTS: tuple[Variant, ...] = (
    broken(
        "source-cut-after-a-third",
        cut_to(1_918_874),
        seen(SOURCE, "file_size", file=WEIGHTS, expected=5_756_624, observed=1_918_874),
    ),
    broken(
        "source-cut-by-one-byte",
        cut_to(5_756_623),
        seen(SOURCE, "file_size", file=WEIGHTS, expected=5_756_624, observed=5_756_623),
    ),
    broken("source-cut-in-its-header", cut_to(1_000), seen(SOURCE, "header_fits_file", file=WEIGHTS)),
    broken(
        "source-without-a-shard",
        _without_a_shard,
        seen(SOURCE, "shard_present", expected=SECOND, observed="no such file"),
    ),
    # What the index places in the missing shard is not proven; what it places nowhere the source never had.
    broken(
        "source-without-a-shard-and-a-tensor-that-its-index-knows-not",
        _without_a_shard_and_one_tensor_more,
        seen(FAMILY, "tensor_known", tensor="model.layers.1.mlp.odd.weight"),
        seen(SOURCE, "shard_present", expected=SECOND, observed="no such file"),
        seen(BIJECTION, "tensor_extra", tensor="model.layers.1.mlp.odd.weight"),
    ),
)
