"""The documented defects of packed files (docs/faults.md), each as a change of an honest folder of one layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cases.gates import CODES, COVERAGE, ENGINES, FAMILY, FUSED, PARTS, SCALES, VALUES
from cases.scheme_edits import (
    DOWN,
    GATE,
    UP,
    Change,
    as_written,
    block,
    both,
    config,
    elements_of,
    every_plain,
    halved,
    kept_order,
    larger,
    leaked,
    mixed,
    narrow,
    numbers_of,
    order_left_out,
    other_file,
    packed_norm,
    plain,
    set_to,
    swapped,
    tensors,
    unpacked_zeros,
    version_two,
    without,
    zero_to_fifteen,
)


@dataclass(frozen=True)
class Defect:
    """One defect: where it was met, an honest layout, what is done to it, and where it has to be seen.

    `words` stand in a note; of the gate of values, which compares with the source, they name the mistake.
    """

    source: str
    layout: str
    change: Change
    gate: str
    measure: str
    words: str = ""

    @property
    def paired(self) -> bool:
        """Whether it takes the source to see it."""
        return self.gate == VALUES


_SCALE = ".weight_scale_inv"
DEFECTS: dict[str, Defect] = {
    "global-scales-missing": Defect(
        "vLLM 54444",
        "ct-nvfp4",
        without(".weight_global_scale"),
        PARTS,
        "part_present",
    ),
    "scale-of-one-weight-missing": Defect(
        "unsloth 6978",
        "fp8-block",
        without(_SCALE, DOWN),
        PARTS,
        "part_present",
    ),
    "every-scale-thrown-away": Defect(
        "abliterix 93",
        "fp8-block",
        without(_SCALE),
        PARTS,
        "part_present",
    ),
    "companion-missing-in-a-layer": Defect(
        "TensorRT-LLM 16437",
        "ct-int4-zeros",
        without(".weight_zero_point", UP),
        PARTS,
        "part_present",
    ),
    "half-of-the-scales": Defect(
        "Model-Optimizer 2038",
        "ct-nvfp4",
        tensors(halved),
        PARTS,
        "part_shape",
    ),
    "zero-points-unpacked": Defect(
        "vLLM 17862",
        "gptq",
        tensors(unpacked_zeros),
        PARTS,
        "part_shape",
    ),
    "group-size-of-another-file": Defect(
        "mlx 178",
        "mlx",
        config(lambda c: c["quantization"].update(group_size=32)),
        PARTS,
        "part_shape",
        "group_size 64",
    ),
    "a-group-that-comes-first": Defect(
        "ROCmFPX 79",
        "ct-int4",
        block(
            lambda b: b.update(
                config_groups={
                    "a": {
                        "targets": ["re:.*proj$"],
                        "weights": {
                            "num_bits": 8,
                            "type": "int",
                            "strategy": "group",
                            "group_size": 64,
                            "symmetric": True,
                        },
                    },
                    **b["config_groups"],
                }
            ),
        ),
        PARTS,
        "part_shape",
    ),
    "nothing-quantised": Defect(
        "Model-Optimizer 1596",
        "modelopt-nvfp4",
        both(
            block(
                mixed,
            ),
            tensors(every_plain),
        ),
        COVERAGE,
        "quantization_declared",
    ),
    "weights-left-out": Defect(
        "Model-Optimizer 2276",
        "ct-nvfp4",
        without("", UP),
        FAMILY,
        "tensor",
    ),
    "layers-of-one-path-left-plain": Defect(
        "Model-Optimizer 2427",
        "ct-int4",
        tensors(plain(DOWN)),
        COVERAGE,
        "module_packed",
    ),
    "list-of-modules-not-stored": Defect(
        "AutoAWQ 589",
        "awq",
        tensors(plain(GATE)),
        COVERAGE,
        "module_packed",
    ),
    "a-norm-packed": Defect(
        "aprender 234",
        "fp8-block",
        tensors(packed_norm),
        COVERAGE,
        "module_stays",
    ),
    "status-frozen": Defect(
        "transformers 47152",
        "ct-int4",
        block(
            lambda b: b.update(quantization_status="frozen"),
        ),
        ENGINES,
        "engine_takes",
    ),
    "two-configurations": Defect(
        "NeMo-RL 3615",
        "modelopt-nvfp4",
        other_file,
        COVERAGE,
        "configurations_agree",
    ),
    "version-two-as-one": Defect(
        "vLLM 38966",
        "gptq",
        version_two,
        SCALES,
        "codes_centred",
        "too high",
    ),
    "scale-not-a-number": Defect(
        "compressed-tensors 832, 854",
        "ct-int4",
        numbers_of(
            ".weight_scale",
            set_to(np.nan, 5, 700),
            DOWN,
        ),
        SCALES,
        "scale_finite",
    ),
    "scales-of-zero": Defect(
        "sglang 33541",
        "ct-mxfp4",
        elements_of(
            ".weight_scale",
            "u1",
            lambda a: a * 0,
            UP,
        ),
        SCALES,
        "",
    ),
    "scales-of-another-weight": Defect(
        "sheet Q6",
        "fp8-block",
        elements_of(
            "_proj.weight",
            "u1",
            larger,
            UP,
        ),
        CODES,
        "units_half",
    ),
    "calibration-dropped": Defect(
        "sheet Q6",
        "modelopt-nvfp4",
        tensors(leaked),
        FAMILY,
        "tensor",
    ),
    "codes-that-nobody-wrote": Defect(
        "compressed-tensors 832",
        "ct-int4",
        elements_of(
            ".weight_packed",
            "<u4",
            lambda a: np.where(np.arange(len(a))[:, None] % 3 == 0, 0x88888888, a).astype(np.uint32),
            UP,
        ),
        CODES,
        "units_blank",
    ),
    "nibbles-reversed": Defect(
        "sglang 23625",
        "modelopt-nvfp4",
        elements_of(
            "_proj.weight",
            "u1",
            swapped,
        ),
        VALUES,
        "",
        "nibbles in the other order",
    ),
    "order-of-zero-points": Defect(
        "pie 491",
        "awq",
        elements_of(
            ".qzeros",
            "<u4",
            order_left_out,
        ),
        VALUES,
        "",
        "zero points of each word in their own order",
    ),
    "zero-becomes-fifteen": Defect(
        "GPTQModel 2350, 2351",
        "awq",
        elements_of(
            ".qzeros",
            "<u4",
            zero_to_fifteen,
        ),
        VALUES,
        "",
        "one too low",
    ),
    "global-scale-reciprocal": Defect(
        "modular 6600",
        "ct-nvfp4",
        numbers_of(
            ".weight_global_scale",
            lambda a: 1 / a,
        ),
        SCALES,
        "global_scale_side",
        "reciprocal",
    ),
    "gate-and-up-differ": Defect(
        "vLLM 54150",
        "modelopt-nvfp4",
        as_written,
        FUSED,
        "siblings_share",
        "gate and up",
    ),
    "q-and-k-differ": Defect(
        "ATOM 2292",
        "ct-nvfp4",
        as_written,
        FUSED,
        "siblings_share",
    ),
    "not-smaller-than-its-source": Defect(
        "Model-Optimizer gate_ptq",
        "ct-int8",
        tensors(every_plain),
        COVERAGE,
        "quantization_declared",
    ),
    "order-of-activations": Defect(
        "compressed-tensors 840",
        "ct-int4",
        block(
            kept_order,
        ),
        ENGINES,
        "engine_takes",
        "27 August 2026",
    ),
    "rows-no-multiple": Defect(
        "sglang 40022, 19406",
        "ct-int4",
        tensors(narrow),
        ENGINES,
        "engine_takes",
        "64 rows",
    ),
}
