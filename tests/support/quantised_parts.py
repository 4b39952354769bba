"""Honest parts of a weight in layouts that are decoded, made by rounding to the nearest; and layouts of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from model_contracts.sweep.kernels.decode_tables import float8
from model_contracts.sweep.schemes.codes import REORDERED
from model_contracts.sweep.schemes.float4 import E2M1
from support.mutations import Stored, read_safetensors_model, stored
from support.packed_models import QWEN2, packed_folder
from support.packed_parts import CT, Layout, Parts, ct, modelopt, numbers, q

#: Values of a weight [rows, columns] to its parts.
Writer = Callable[[Any], dict[str, Stored]]
E4M3 = float8("F8_E4M3")


def held(dtype: str, array: Any) -> Stored:
    """An array as a stored tensor of a type of its width."""
    return Stored(dtype, tuple(array.shape), np.ascontiguousarray(array).tobytes())


def nearest(values: Any, table: Any) -> Any:
    """The codes of the nearest entries of a table."""
    usable = np.flatnonzero(np.isfinite(table))
    order = usable[np.argsort(table[usable], kind="stable")]
    middles = (table[order][1:] + table[order][:-1]) / 2
    return order[np.searchsorted(middles, values)].astype(np.uint8)


def fields(codes: Any, bits: int) -> Any:
    """Codes [rows, n] as 32-bit words [rows, n * bits / 32], the lowest bits first."""
    rows, count = codes.shape
    each = (codes[..., None] >> np.arange(bits)) & 1
    return np.packbits(each.astype(np.uint8).reshape(rows, count * bits), axis=1, bitorder="little").view("<u4")


def grouped(values: Any, group: int) -> tuple[Any, Any]:
    """Values by groups, and the largest magnitude of each."""
    groups = values.reshape(len(values), -1, group)
    return groups, np.abs(groups).max(2, keepdims=True)


def affine(values: Any, bits: int, group: int) -> tuple[Any, Any, Any]:
    """Codes [rows, columns], zero points and scales [rows, groups] between the ends of each group."""
    groups, _ = grouped(values, group)
    low, high = groups.min(2, keepdims=True).clip(max=0), groups.max(2, keepdims=True).clip(min=0)
    scale = ((high - low) / (2**bits - 1)).astype(np.float16).astype(np.float32)
    zero = np.rint(-low / scale).clip(1, 2**bits - 1)
    codes = (np.rint(groups / scale) + zero).clip(0, 2**bits - 1)
    return codes.reshape(values.shape).astype(np.uint32), zero[..., 0].astype(np.uint32), scale[..., 0]


def fp8_blocks(values: Any) -> dict[str, Stored]:
    rows, columns = values.shape
    blocks = values.reshape(rows // 128, 128, columns // 128, 128)
    scale = np.abs(blocks).max((1, 3)) / 448
    codes = nearest(blocks / scale[:, None, :, None], E4M3).reshape(values.shape)
    return {".weight": held("F8_E4M3", codes), ".weight_scale_inv": stored(scale.astype(np.float32), "F32")}


def int8_rows(values: Any) -> dict[str, Stored]:
    scale = np.abs(values).max(1, keepdims=True) / 127.5
    codes = np.rint(values / scale).clip(-128, 127).astype(np.int8)
    return {".weight": held("I8", codes), ".weight_scale": stored(scale, "F32")}


def int4(values: Any) -> dict[str, Stored]:
    groups, largest = grouped(values, 64)
    scale = stored((largest / 7.5)[..., 0], "BF16")
    codes = np.rint(groups / scale.values[..., None]).clip(-8, 7) + 8
    words = fields(codes.reshape(values.shape).astype(np.uint32), 4)
    shape = numbers(*values.shape)
    return {".weight_packed": held("I32", words), ".weight_scale": scale, ".weight_shape": shape}


def int4_zeros(values: Any) -> dict[str, Stored]:
    codes, zero, scale = affine(values, 4, 64)
    return {
        ".weight_packed": held("I32", fields(codes, 4)),
        ".weight_scale": stored(scale, "F16"),
        ".weight_shape": numbers(*values.shape),
        ".weight_zero_point": held("I32", fields(zero.T, 4).T),
    }


def fp4(values: Any, group: int, scale: Any) -> Any:
    """Two codes a byte, the even column's in its low half."""
    groups, _ = grouped(values, group)
    codes = nearest(groups / scale[..., None], E2M1).reshape(values.shape)
    return codes[:, ::2] | (codes[:, 1::2] << 4)


def nvfp4(values: Any, divides: bool = True) -> dict[str, Stored]:
    _groups, largest = grouped(values, 16)
    whole = np.float32(6 * 448 / np.abs(values).max())
    codes = nearest((largest[..., 0] / 6 * whole).clip(0, 448), E4M3)
    scale = E4M3[codes] / whole
    packed = fp4(values, 16, scale)
    names = (".weight_packed", ".weight_global_scale") if divides else (".weight", ".weight_scale_2")
    shared = np.array([whole if divides else 1 / whole], np.float32)
    return {names[0]: held("U8", packed), ".weight_scale": held("F8_E4M3", codes), names[1]: held("F32", shared)}


def mxfp4(values: Any) -> dict[str, Stored]:
    _, largest = grouped(values, 32)
    exponent = np.floor(np.log2(largest[..., 0])) - 2
    packed = fp4(values, 32, np.exp2(exponent).astype(np.float32))
    scale = held("U8", (exponent + 127).astype(np.uint8))
    return {".weight_packed": held("U8", packed), ".weight_scale": scale}


def gptq(values: Any, less: int = 1) -> dict[str, Stored]:
    codes, zero, scale = affine(values, 4, 128)
    return {
        ".qweight": held("I32", fields(codes, 4).T),
        ".qzeros": held("I32", fields((zero - less).T, 4)),
        ".scales": stored(scale.T, "F16"),
        ".g_idx": numbers(*(column // 128 for column in range(values.shape[1])), dtype="I32"),
    }


def awq(values: Any, order: list[int] | None = None) -> dict[str, Stored]:
    codes, zero, scale = affine(values, 4, 128)
    there = np.argsort(REORDERED if order is None else order)

    def words(array: Any) -> Stored:
        eights = array.T.reshape(array.shape[1], -1, 8)[:, :, there].reshape(array.shape[1], -1)
        return held("I32", fields(eights, 4))

    return {".qweight": words(codes), ".qzeros": words(zero), ".scales": stored(scale.T, "F16")}


def nf4(values: Any) -> dict[str, Stored]:
    table = np.array([-1, -0.6961928, -0.52507305, -0.3949175, -0.28444138, -0.18477343, -0.09105004, 0, 0.0795803,
                      0.1609302, 0.2461123, 0.33791524, 0.44070983, 0.562617, 0.72295684, 1], np.float32)  # fmt: skip
    blocks = values.reshape(-1, 64)
    largest = np.abs(blocks).max(1, keepdims=True).astype(np.float32)
    codes = nearest(blocks / largest, table).reshape(-1)
    state = {"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": list(values.shape)}
    data = json.dumps(state).encode()
    return {
        ".weight": held("U8", ((codes[::2] << 4) | codes[1::2])[:, None]),
        ".weight.absmax": held("F32", largest[:, 0]),
        ".weight.quant_map": held("F32", table),
        ".weight.quant_state.bitsandbytes__nf4": Stored("U8", (len(data),), data),
    }


def mlx(values: Any) -> dict[str, Stored]:
    codes, zero, scale = affine(values, 4, 64)
    offset = -(zero.astype(np.float32)) * scale
    return {".weight": held("U32", fields(codes, 4)), ".scales": stored(scale, "F32"), ".biases": stored(offset, "F32")}


def _layout(key: str, block: dict[str, Any]) -> Layout:
    return Layout(key, block, lambda rows, columns: {})


_FP4 = {"num_bits": 4, "type": "float", "strategy": "group"}
_INT4 = {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 64}
#: Name to how a folder declares its layout, and what writes its parts.
QUANTISED: dict[str, tuple[Layout, Writer]] = {
    "fp8-block": (_layout(CT, q("fp8", weight_block_size=[128, 128], activation_scheme="dynamic")), fp8_blocks),
    "ct-int8": (_layout(CT, ct("int-quantized", num_bits=8, type="int", strategy="channel")), int8_rows),
    "ct-int4": (_layout(CT, ct("pack-quantized", **_INT4)), int4),
    "ct-int4-zeros": (_layout(CT, ct("pack-quantized", **_INT4, symmetric=False)), int4_zeros),
    "ct-nvfp4": (_layout(CT, ct("nvfp4-pack-quantized", **_FP4, group_size=16)), nvfp4),
    "modelopt-nvfp4": (
        _layout(CT, q("modelopt", **modelopt("NVFP4", group_size=16, input_activations=None))),
        lambda values: nvfp4(values, divides=False) | {".input_scale": stored(np.ones(1, np.float32), "F32")},
    ),
    "ct-mxfp4": (_layout(CT, ct("mxfp4-pack-quantized", **_FP4, group_size=32)), mxfp4),
    "gptq": (_layout(CT, q("gptq", bits=4, group_size=128, sym=False, checkpoint_format="gptq")), gptq),
    "gptq-v2": (
        _layout(CT, q("gptq", bits=4, group_size=128, sym=False, checkpoint_format="gptq_v2")),
        lambda values: gptq(values, 0),
    ),
    "awq": (_layout(CT, q("awq", bits=4, group_size=128, zero_point=True, version="gemm")), awq),
    "nf4": (_layout(CT, q("bitsandbytes", load_in_4bit=True, bnb_4bit_quant_type="nf4")), nf4),
    "mlx": (_layout("quantization", {"bits": 4, "group_size": 64}), mlx),
}


def quantised_folder(
    name: str,
    folder: Path,
    write: Writer | None = None,
    of_module: Callable[[str, Any], dict[str, Stored]] | None = None,
) -> Path:
    """One layer of tiny-qwen2 in a layout; `write` (of a module: `of_module`) stands in for what writes its parts."""
    layout, honest = QUANTISED[name]
    tensors, _ = read_safetensors_model(QWEN2 / "model.safetensors")

    def parts(module: str, empty: Parts) -> Parts:
        values = np.asarray(tensors[f"{module}.weight"].values, np.float32)
        return {**(of_module(module, values) if of_module is not None else (write or honest)(values))}

    return packed_folder(layout, folder, parts)
