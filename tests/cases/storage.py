"""Packed folders that are not what their configuration says, and configurations of packing over plain weights."""

from __future__ import annotations

from pathlib import Path

from cases.gates import ALIVE, COVERAGE, PARTS
from cases.interface import QWEN2, CheckArguments, Make, Variant, broken, seen
from support.mutations import copied, json_of
from support.packed_layouts import LAYOUTS
from support.packed_models import packed_folder
from support.packed_parts import Parts

Q = "model.layers.0.self_attn.q_proj"


def _without(end: str, layout: str) -> Make:
    """One part of one weight is not there."""

    def change(module: str, parts: Parts) -> Parts:
        return {name: part for name, part in parts.items() if (module, name) != (Q, end)}

    return lambda folder: CheckArguments(packed_folder(LAYOUTS[layout], folder, change))


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
        _without(".scales", "awq-gemm"),
        seen(PARTS, "part_present", tensor=f"{Q}.scales"),
        seen(ALIVE, "tensor_varies", observed="every value is 0"),  # the other weights of the made-up folder are empty
    ),
)
