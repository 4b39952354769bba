"""Packed folders that are not what their configuration says, and configurations of packing over plain weights."""

from __future__ import annotations

from pathlib import Path

from cases.gates import COVERAGE, PARTS
from cases.interface import QWEN2, CheckArguments, Variant, broken, seen
from support.mutations import copied, json_of, safetensors_of
from support.packed_layouts import LAYOUTS
from support.quantised_parts import quantised_folder

Q = "model.layers.0.self_attn.q_proj"


def _without_scales(folder: Path) -> CheckArguments:
    """The scales of one weight are not there."""
    target = quantised_folder("awq", folder)
    with safetensors_of(target / "model.safetensors") as tensors:
        del tensors[f"{Q}.scales"]
    return CheckArguments(target)


def _left_behind(folder: Path) -> CheckArguments:
    """The weights were merged and saved in 16 bits; the configuration still says four."""
    target = copied(QWEN2, folder)
    with json_of(target / "config.json") as config:
        config["quantization_config"] = LAYOUTS["bnb-nf4"].block
    return CheckArguments(target)


VARIANTS: tuple[Variant, ...] = (
    broken(
        "packing-declared-over-plain-weights",
        _left_behind,
        seen(COVERAGE, "quantization_declared", file="config.json", words="bitsandbytes"),
    ),
    broken(
        "awq-without-the-scales-of-one-weight",
        _without_scales,
        seen(PARTS, "part_present", tensor=f"{Q}.scales"),
    ),
)
