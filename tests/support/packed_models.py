"""Small quantised folders as their writers lay them out: one layer of tiny-qwen2, its linear layers in parts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, prod
from pathlib import Path
from typing import Any

import numpy as np

from model_contracts.dtypes import DTYPES
from support.mutations import Stored, copied, json_of, read_safetensors_model, write_safetensors
from support.shared_models import DATA

QWEN2 = DATA / "tiny-qwen2"
#: End of a part's name to its type and shape, or to the part itself.
Parts = dict[str, tuple[str, tuple[int, ...]] | Stored]
LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Layout:
    """How one layout is declared and what it makes of a weight of O rows and I columns."""

    key: str
    block: dict[str, Any]
    parts: Callable[[int, int], Parts]
    file: str = "config.json"


def zeros(dtype: str, shape: tuple[int, ...]) -> Stored:
    """A tensor of zeros."""
    return Stored(dtype, shape, bytes(DTYPES[dtype].nbytes(prod(shape))))


def numbers(*values: int, dtype: str = "I64") -> Stored:
    """A vector of whole numbers."""
    kind = {"I64": np.int64, "I32": np.int32}[dtype]
    return Stored(dtype, (len(values),), np.array(values, kind).tobytes())


def packed_folder(
    layout: Layout,
    folder: Path,
    change: Callable[[str, Parts], Parts] | None = None,
    declare: Callable[[dict[str, Any]], None] | None = None,
) -> Path:
    """A folder in a layout; `change` edits the parts of each module, `declare` the configuration."""
    target = copied(QWEN2, folder)
    tensors, metadata = read_safetensors_model(target / "model.safetensors")
    kept: dict[str, Stored] = {}
    for name, tensor in tensors.items():
        if ".layers." in name and ".layers.0." not in name:
            continue
        module = name.removesuffix(".weight")
        if not name.endswith(".weight") or module.rpartition(".")[2] not in LINEAR:
            kept[name] = tensor
            continue
        parts = layout.parts(*tensor.shape)
        for end, part in (change(module, parts) if change else parts).items():
            kept[module + end] = part if isinstance(part, Stored) else zeros(*part)
    write_safetensors(target / "model.safetensors", kept, metadata)
    with json_of(target / "config.json") as config:
        config["num_hidden_layers"] = 1
        config["layer_types"] = config["layer_types"][:1]
        if layout.file == "config.json":
            config[layout.key] = json.loads(json.dumps(layout.block))
        if declare is not None:
            declare(config)
    if layout.file != "config.json":
        block = {layout.key: layout.block} if layout.key else layout.block
        (target / layout.file).write_text(json.dumps(block), encoding="utf-8")
    return target


def _ct(name: str, ignore: tuple[str, ...] = ("lm_head",), **weights: Any) -> dict[str, Any]:
    group = {"targets": ["Linear"], "input_activations": None, "weights": {"symmetric": True, **weights}}
    return {
        "quant_method": "compressed-tensors",
        "format": name,
        "quantization_status": "compressed",
        "config_groups": {"group_0": group},
        "ignore": list(ignore),
    }


def _q(method: str, **block: Any) -> dict[str, Any]:
    return {"quant_method": method, **block}


def _modelopt(algo: str, **block: Any) -> dict[str, Any]:
    return {"quant_algo": algo, "kv_cache_quant_algo": None, "exclude_modules": ["lm_head"], **block}


def _state(rows: int, columns: int, nested: bool) -> Stored:
    state: dict[str, Any] = {"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [rows, columns]}
    if nested:
        state |= {"nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 0.05}
    data = json.dumps(state).encode()
    return Stored("U8", (len(data),), data)


def _bnb(nested: bool) -> Callable[[int, int], Parts]:
    def parts(o: int, i: int) -> Parts:
        blocks = ceil(o * i / 64)
        made: Parts = {
            ".weight": ("U8", (o * i // 2, 1)),
            ".weight.absmax": ("U8" if nested else "F32", (blocks,)),
            ".weight.quant_map": ("F32", (16,)),
            ".weight.quant_state.bitsandbytes__nf4": _state(o, i, nested),
        }
        if nested:
            made |= {
                ".weight.nested_absmax": ("F32", (ceil(blocks / 256),)),
                ".weight.nested_quant_map": ("F32", (256,)),
            }
        return made

    return parts


def _gptq(bits: int) -> Callable[[int, int], Parts]:
    return lambda o, i: {
        ".qweight": ("I32", (i * bits // 32, o)),
        ".qzeros": ("I32", (i // 128, o * bits // 32)),
        ".scales": ("F16", (i // 128, o)),
        ".g_idx": numbers(*range(i), dtype="I32"),
    }


def _pack(words: Callable[[int], int], group: int, zero: bool = False) -> Callable[[int, int], Parts]:
    def parts(o: int, i: int) -> Parts:
        made: Parts = {
            ".weight_packed": ("I32", (o, words(i))),
            ".weight_scale": ("BF16", (o, i // group)),
            ".weight_shape": numbers(o, i),
        }
        return made | ({".weight_zero_point": ("I32", (o // 8, i // group))} if zero else {})

    return parts


def _awq(o: int, i: int) -> Parts:
    return {
        ".qweight": ("I32", (i, o // 8)),
        ".qzeros": ("I32", (i // 128, o // 8)),
        ".scales": ("F16", (i // 128, o)),
    }


def _gemv(o: int, i: int) -> Parts:
    words = ceil(i / 128 / 8)
    return {".qweight": ("I32", (o, i // 8)), ".qzeros": ("I32", (o, words)), ".scales": ("F16", (o, 8 * words))}


def _mlx(kind: str, bits: int, group: int) -> Callable[[int, int], Parts]:
    def parts(o: int, i: int) -> Parts:
        made: Parts = {".weight": ("U32", (o, i * bits // 32)), ".scales": (kind, (o, i // group))}
        return made | ({".biases": (kind, (o, i // group))} if kind != "U8" else {})

    return parts


_FP4: Callable[[int, int], Parts] = lambda o, i: {  # noqa: E731
    ".weight": ("U8", (o, i // 2)),
    ".weight_scale": ("F8_E4M3", (o, i // 16)),
    ".weight_scale_2": ("F32", ()),
    ".input_scale": ("F32", ()),
}
_FP8_ROW: Callable[[int, int], Parts] = lambda o, i: {  # noqa: E731
    ".weight": ("F8_E4M3", (o, i)),
    ".weight_scale": ("F32", (o, 1)),
}
_BLOCKS: Callable[[int, int], Parts] = lambda o, i: {  # noqa: E731
    ".weight": ("F8_E4M3", (o, i)),
    ".weight_scale_inv": ("F32", (ceil(o / 128), ceil(i / 128))),
}
_CT, _BNB = "quantization_config", {"load_in_4bit": True, "load_in_8bit": False, "bnb_4bit_quant_type": "nf4"}

LAYOUTS: dict[str, Layout] = {
    "ct-int8": Layout(
        _CT,
        _ct("int-quantized", num_bits=8, type="int", strategy="channel"),
        lambda o, i: {".weight": ("I8", (o, i)), ".weight_scale": ("BF16", (o, 1))},
    ),
    "ct-int8-static": Layout(
        _CT,
        _ct("int-quantized", num_bits=8, type="int", strategy="tensor"),
        lambda o, i: {".weight": ("I8", (o, i)), ".weight_scale": ("BF16", (1,)), ".input_scale": ("BF16", (1,))},
    ),
    "ct-fp8-block": Layout(
        _CT,
        _ct("float-quantized", num_bits=8, type="float", strategy="block", block_structure=[128, 128]),
        lambda o, i: {".weight": ("F8_E4M3", (o, i)), ".weight_scale": ("BF16", (ceil(o / 128), ceil(i / 128)))},
    ),
    "ct-fp8-naive": Layout(
        _CT,
        _ct("naive-quantized", num_bits=8, type="float", strategy="channel"),
        lambda o, i: {".weight": ("F8_E4M3", (o, i)), ".weight_scale": ("F32", (o, 1))},
    ),
    "ct-int4": Layout(
        _CT,
        _ct("pack-quantized", num_bits=4, type="int", strategy="group", group_size=128),
        _pack(lambda i: i // 8, 128),
    ),
    "ct-int4-asymmetric": Layout(
        _CT,
        _ct("pack-quantized", num_bits=4, type="int", strategy="group", group_size=64, symmetric=False),
        _pack(lambda i: i // 8, 64, zero=True),
    ),
    "ct-int3-padded": Layout(
        _CT,
        _ct("pack-quantized", num_bits=3, type="int", strategy="group", group_size=64),
        _pack(lambda i: ceil(i / 10), 64),
    ),
    "ct-int3-dense": Layout(
        _CT,
        _ct("pack-quantized", num_bits=3, type="int", strategy="group", group_size=64),
        _pack(lambda i: i * 3 // 32, 64),
    ),
    "ct-nvfp4": Layout(
        _CT,
        _ct("nvfp4-pack-quantized", num_bits=4, type="float", strategy="tensor_group", group_size=16),
        lambda o, i: {
            ".weight_packed": ("U8", (o, i // 2)),
            ".weight_scale": ("F8_E4M3", (o, i // 16)),
            ".weight_global_scale": ("F32", (1,)),
            ".input_global_scale": ("F32", (1,)),
        },
    ),
    "ct-mxfp4": Layout(
        _CT,
        _ct("mxfp4-pack-quantized", num_bits=4, type="float", strategy="group", group_size=32),
        lambda o, i: {".weight_packed": ("U8", (o, i // 2)), ".weight_scale": ("U8", (o, i // 32))},
    ),
    "ct-mxfp6": Layout(
        _CT,
        _ct("mxfp6-pack-quantized", num_bits=6, type="float", strategy="group", group_size=32),
        lambda o, i: {".weight_packed": ("U8", (o, i * 3 // 4)), ".weight_scale": ("U8", (o, i // 32))},
    ),
    "ct-mxfp8": Layout(
        _CT,
        _ct("mxfp8-quantized", num_bits=8, type="float", strategy="group", group_size=32),
        lambda o, i: {".weight": ("F8_E4M3", (o, i)), ".weight_scale": ("U8", (o, i // 32))},
    ),
    "ct-bitmask": Layout(
        _CT,
        _ct("sparse-bitmask", num_bits=16, type="float"),
        lambda o, i: {
            ".weight.compressed": ("BF16", (o * i // 4,)),
            ".weight.bitmask": ("U8", (o, i // 8)),
            ".weight.row_offsets": ("I64", (o,)),
            ".weight.shape": numbers(o, i),
        },
    ),
    "ct-24": Layout(
        _CT,
        _ct("sparse-24-bitmask", num_bits=16, type="float"),
        lambda o, i: {
            ".compressed": ("BF16", (o, i // 2)),
            ".bitmask": ("U8", (o, i // 8)),
            ".shape": numbers(o, i),
        },
    ),
    "fp8-block": Layout(_CT, _q("fp8", weight_block_size=[128, 128], activation_scheme="dynamic"), _BLOCKS),
    "fp8-tensor": Layout(
        _CT,
        _q("fp8", activation_scheme="static"),
        lambda o, i: {
            ".weight": ("F8_E4M3", (o, i)),
            ".weight_scale_inv": ("F32", ()),
            ".activation_scale": ("F32", ()),
        },
    ),
    "fp8-deepseek-v4": Layout(
        _CT,
        _q("fp8", weight_block_size=[128, 128], scale_fmt="ue8m0"),
        lambda o, i: {".weight": ("F8_E4M3", (o, i)), ".scale": ("F8_E8M0", (ceil(o / 128), ceil(i / 128)))},
    ),
    "fbgemm": Layout(_CT, _q("fbgemm_fp8", activation_scale_ub=1200, modules_to_not_convert=["lm_head"]), _FP8_ROW),
    "awq-gemm": Layout(_CT, _q("awq", bits=4, group_size=128, zero_point=True, version="gemm"), _awq),
    "awq-quant-config": Layout(
        "", {"w_bit": 4, "q_group_size": 128, "zero_point": True, "version": "GEMM"}, _awq, "quant_config.json"
    ),
    "awq-gemv": Layout(_CT, _q("awq", bits=4, group_size=128, zero_point=True, version="gemv"), _gemv),
    "gptq-4": Layout(_CT, _q("gptq", bits=4, group_size=128, desc_act=False, sym=True), _gptq(4)),
    "gptq-3": Layout(_CT, _q("gptq", bits=3, group_size=128, checkpoint_format="gptq_v2"), _gptq(3)),
    "gptq-quantize-config": Layout("", {"bits": 8, "group_size": 128, "sym": True}, _gptq(8), "quantize_config.json"),
    "auto-round": Layout(
        _CT, _q("auto-round", bits=4, group_size=128, packing_format="auto_round:auto_gptq"), _gptq(4)
    ),
    "auto-round-awq": Layout(_CT, _q("auto-round", bits=4, group_size=128, packing_format="auto_round:auto_awq"), _awq),
    "bnb-nf4": Layout(_CT, _q("bitsandbytes", **_BNB, bnb_4bit_use_double_quant=False), _bnb(nested=False)),
    "bnb-nf4-nested": Layout(_CT, _q("bitsandbytes", **_BNB, bnb_4bit_use_double_quant=True), _bnb(nested=True)),
    "bnb-int8": Layout(
        _CT,
        _q("bitsandbytes", load_in_8bit=True, load_in_4bit=False, llm_int8_skip_modules=["lm_head"]),
        lambda o, i: {".weight": ("I8", (o, i)), ".SCB": ("F32", (o,)), ".weight_format": ("U8", ())},
    ),
    "modelopt-fp8": Layout(
        "quantization",
        _modelopt("FP8"),
        lambda o, i: {".weight": ("F8_E4M3", (o, i)), ".weight_scale": ("F32", ()), ".input_scale": ("F32", ())},
        "hf_quant_config.json",
    ),
    "modelopt-fp8-channel": Layout(
        "quantization",
        _modelopt("FP8_PER_CHANNEL_PER_TOKEN"),
        lambda o, i: {".weight": ("F8_E4M3", (o, i)), ".weight_scale": ("F32", (o,))},
        "hf_quant_config.json",
    ),
    "modelopt-nvfp4": Layout("quantization", _modelopt("NVFP4", group_size=16), _FP4, "hf_quant_config.json"),
    "modelopt-nvfp4-config": Layout(
        _CT,
        {
            "quant_method": "modelopt",
            "quant_algo": "NVFP4",
            "ignore": ["lm_head"],
            "config_groups": {
                "group_0": {"targets": ["Linear"], "weights": {"num_bits": 4, "type": "float", "group_size": 16}}
            },
        },
        _FP4,
    ),
    "modelopt-w4": Layout(
        "quantization",
        _modelopt("W4A16_AWQ", group_size=128),
        lambda o, i: {
            ".weight": ("U8", (o // 2, i)),
            ".weight_scale": ("F32", (o, i // 128)),
            ".pre_quant_scale": ("F32", (i,)),
        },
        "hf_quant_config.json",
    ),
    "quark-fp8": Layout(
        _CT,
        _q("quark", exclude=["lm_head"], global_quant_config={"weight": {"dtype": "fp8_e4m3"}}),
        lambda o, i: {".weight": ("F8_E4M3", (o, i)), ".weight_scale": ("F32", ()), ".input_scale": ("F32", ())},
    ),
    "quark-mxfp4": Layout(
        _CT,
        _q("quark", exclude=["lm_head"], global_quant_config={"weight": {"dtype": "fp4"}}),
        lambda o, i: {".weight": ("U8", (o, i // 2)), ".weight_scale": ("U8", (o, i // 32))},
    ),
    "mlx-4": Layout("quantization", {"group_size": 64, "bits": 4, "mode": "affine"}, _mlx("BF16", 4, 64)),
    "mlx-6": Layout("quantization", {"group_size": 32, "bits": 6}, _mlx("F16", 6, 32)),
    "mlx-mxfp4": Layout("quantization", {"group_size": 32, "bits": 4, "mode": "mxfp4"}, _mlx("U8", 4, 32)),
    "mlx-nvfp4": Layout("quantization", {"group_size": 16, "bits": 4, "mode": "nvfp4"}, _mlx("U8", 4, 16)),
    "torchao": Layout(
        _CT,
        _q("torchao", quant_type={"default": {}}),
        lambda o, i: {"._weight_qdata": ("U8", (o, i // 2)), "._weight_scale": ("BF16", (i // 32, o))},
    ),
    "hqq": Layout(
        _CT,
        _q("hqq", quant_config={"weight_quant_params": {"nbits": 4, "group_size": 64, "axis": 1}}),
        lambda o, i: {
            ".W_q": ("U8", (o * i // 128, 64)),
            ".scale": ("F16", (o * i // 64, 1)),
            ".zero": ("F16", (o * i // 64, 1)),
            ".shape": numbers(o, i),
            ".nbits": ("I64", ()),
        },
    ),
    "exl2": Layout(
        _CT,
        _q("exl2", bits=4.0, head_bits=6),
        lambda o, i: {
            ".q_weight": ("I32", (i // 8, o)),
            ".q_invperm": ("I32", (i,)),
            ".q_groups": ("I16", (2 * (i // 128),)),
            ".q_scale": ("I32", (i // 128, o // 8)),
            ".q_scale_max": ("F16", (i // 128,)),
        },
    ),
    "exl3": Layout(
        _CT,
        _q("exl3", bits=4.0, head_bits=6),
        lambda o, i: {
            ".trellis": ("I16", (i // 16, o // 16, 64)),
            ".suh": ("F16", (i,)),
            ".svh": ("F16", (o,)),
            ".mcg": ("I32", ()),
        },
    ),
    "aqlm": Layout(
        _CT,
        _q("aqlm", in_group_size=8, out_group_size=1, num_codebooks=1, nbits_per_codebook=8),
        lambda o, i: {
            ".codes": ("I16", (o, i // 8, 1)),
            ".codebooks": ("F16", (1, 256, 1, 8)),
            ".scales": ("F16", (o, 1, 1, 1)),
        },
    ),
    "vptq": Layout(
        _CT,
        _q("vptq", config_for_layers={}),
        lambda o, i: {".indices": ("I32", (1, o, i // 8)), ".centroids.weight": ("BF16", (1, 2048))},
    ),
    "quip": Layout(
        _CT,
        _q("quip"),
        lambda o, i: {".Qidxs": ("I64", (o, i // 8)), ".SU": ("F16", (i,)), ".SV": ("F16", (o,))},
    ),
    "eetq": Layout(_CT, _q("eetq"), lambda o, i: {".weight": ("I8", (i, o)), ".weight_scales": ("F16", (o,))}),
    "bitnet": Layout(_CT, _q("bitnet"), lambda o, i: {".weight": ("U8", (o // 4, i)), ".weight_scale": ("BF16", (1,))}),
}
