"""Broken sources beside an honest target: what they hold cannot vouch for anything."""

from __future__ import annotations

import os
from pathlib import Path

from cases.gates import SOURCE
from cases.interface import LLAMA, LLAMA_Q8_0, QWEN2, QWEN2_Q4_K_M, CheckArguments, Make, Variant, broken, seen
from support.mutations import copied

WEIGHTS = "model.safetensors"
SECOND = "model-00002-of-00003.safetensors"


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
        seen("F-CONTRACT-I2-001", "tensor_extra"),
    ),
)
