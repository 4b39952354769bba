"""Other mistakes in packed files, one for each comparison that no documented defect of the list shows."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from cases.gates import CODES, COVERAGE, PARTS, SCALES
from cases.scheme_defects import Defect
from cases.scheme_edits import (
    DOWN,
    UP,
    L,
    Tensors,
    block,
    both,
    elements_of,
    every_plain,
    numbers_of,
    plain,
    set_to,
    tensors,
)
from support.mutations import Stored, stored
from support.quantised_parts import held

Q = L + "self_attn.q_proj"


def _promised(found: dict[str, Any]) -> None:
    found["kv_cache_scheme"] = {"num_bits": 8, "type": "float", "strategy": "tensor", "symmetric": True}


def _cache_of_zero(found: Tensors) -> None:
    for end in ("k_scale", "v_scale"):
        found[f"{L}self_attn.{end}"] = stored(np.zeros(1, np.float32), "F32")


def _orphan(found: Tensors) -> None:
    found[f"{L}input_layernorm.weight_scale_inv"] = stored(np.full((1, 1), 0.01, np.float32), "F32")


def _other_state(found: Tensors) -> None:
    name = f"{DOWN}.weight.quant_state.bitsandbytes__nf4"
    state = json.loads(found[name].data) | {"quant_type": "fp4"}
    found[name] = Stored("U8", (len(raw := json.dumps(state).encode()),), raw)


def _zero_points_left(found: Tensors) -> None:
    rows, groups = found[f"{DOWN}.weight_scale"].shape
    found[f"{DOWN}.weight_zero_point"] = held("I32", np.full((rows // 8, groups), 0x77777777, np.uint32))


def _not_symmetric(found: dict[str, Any]) -> None:
    found["config_groups"]["group_0"]["weights"]["symmetric"] = False


def _wide_zero_points(found: Tensors) -> None:
    for name in [name for name in found if name.endswith(".weight_scale")]:
        zeros = np.full(found[name].shape, 200, np.int32)
        found[name.replace("weight_scale", "weight_zero_point")] = held("I32", zeros)


def _one_target(found: dict[str, Any]) -> None:
    found["config_groups"]["group_0"]["targets"] = ["re:.*self_attn.*"]


def _layers(found: dict[str, Any]) -> None:
    found["quantized_layers"] = {UP: {"quant_algo": "NVFP4", "group_size": 16}}


def shuffled(array: Any) -> Any:
    """Columns in an order of activations."""
    return np.random.default_rng(1).permutation(array).astype(np.int32)


def one_code(array: Any) -> Any:
    """One code in every place of the first rows."""
    array[:40] = 0x33333333
    return array


_SCALE, _PROMISE = ".weight_scale", block(_promised)
KINDS: dict[str, Defect] = {
    "cache-scales-missing": Defect("", "ct-int8", _PROMISE, COVERAGE, "cache_scale_present"),
    "cache-scales-of-zero": Defect("", "ct-int8", both(_PROMISE, tensors(_cache_of_zero)), SCALES, "cache_scale"),
    "a-scale-beside-a-plain-norm": Defect("", "fp8-block", tensors(_orphan), PARTS, "part_type"),
    "no-group-for-a-packed-module": Defect("", "ct-int8", block(_one_target), COVERAGE, "module_packed", "no group"),
    "a-layer-with-settings-left-plain": Defect(
        "", "modelopt-nvfp4", both(block(_layers), tensors(plain(UP))), COVERAGE, "module_promised"
    ),
    "a-state-of-another-type": Defect("", "nf4", tensors(_other_state), PARTS, "state_named"),
    "another-table": Defect("", "nf4", numbers_of(".quant_map", lambda a: a * 0.9, UP), SCALES, "table"),
    "negative-scales": Defect("", "ct-int4", numbers_of(_SCALE, lambda a: -a, UP), SCALES, "scale_sign"),
    "scales-never-set": Defect("", "ct-int4", numbers_of(_SCALE, lambda a: a * 0 + 1, UP), SCALES, "scale_set"),
    "leftover-memory": Defect("", "ct-int4", numbers_of(_SCALE, set_to(1e-39, 3), UP), SCALES, "scale_normal"),
    "a-scale-of-zero": Defect("", "ct-int4", numbers_of(_SCALE, set_to(0.0, 3), UP), SCALES, "scale_not_zero"),
    "inverted-scales": Defect("", "ct-int4", numbers_of(_SCALE, lambda a: 1 / a, UP), SCALES, "root_mean_square"),
    "exponents-lost": Defect("", "ct-mxfp4", elements_of(_SCALE, "u1", lambda a: a * 0 + 127), SCALES, "scale_set"),
    "offsets-not-a-number": Defect("", "mlx", numbers_of(".biases", set_to(np.nan, 9), UP), SCALES, "shift_finite"),
    "offsets-lost": Defect("", "mlx", numbers_of(".biases", lambda a: a * 0, UP), SCALES, "shift_set"),
    "zero-points-out-of-range": Defect(
        "", "ct-int8", both(block(_not_symmetric), tensors(_wide_zero_points)), SCALES, "zero_in_range"
    ),
    "zero-points-lost": Defect("", "awq", elements_of(".qzeros", "<u4", lambda a: a * 0, UP), SCALES, "codes_centred"),
    "symmetric-by-name": Defect(
        "", "gptq", block(lambda b: b.update(sym=True)), SCALES, "zero_points_symmetric", "declared symmetric"
    ),
    "zero-points-left": Defect("", "ct-int4", tensors(_zero_points_left), SCALES, "zero_points_symmetric"),
    "an-order-of-zeros": Defect("", "gptq", elements_of(".g_idx", "<i4", lambda a: a * 0, UP), SCALES, "order_even"),
    "an-order-not-declared": Defect(
        "", "gptq", both(block(lambda b: b.update(desc_act=False)), elements_of(".g_idx", "<i4", shuffled, UP)), SCALES,
        "order_declared",
    ),
    "one-code-everywhere": Defect(
        "", "ct-int4", elements_of(".weight_packed", "<u4", one_code, UP), CODES, "units_flat"
    ),
    "scales-too-large": Defect(
        "", "ct-int8", elements_of("_proj.weight", "i1", lambda a: (a // 3).astype(np.int8), UP), CODES, "units_half"
    ),
    "codes-short-of-the-end": Defect(
        "", "ct-int8", elements_of("_proj.weight", "i1", lambda a: (a * 0.7).astype(np.int8), UP), CODES, "units_short"
    ),
    "nothing-packed": Defect("", "ct-int8", tensors(every_plain), COVERAGE, "quantization_declared"),
}  # fmt: skip
