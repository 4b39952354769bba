"""Owns how the files of this folder were recorded: layers of small models, packed by the libraries that publish them.

Run with the libraries of tests/data/schemes/make.py: `PYTHONPATH=src:tests python tests/data/quantised/make.py NAME …`.
A file holds what a library made of the linear layers; embedding, norms and router are those of
tests/support/small_sources.py, and stand in no file twice. `__metadata__` has the configuration that goes with it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from support.small_sources import packed_names, tensors_of

HERE = Path(__file__).parent
Tensors = dict[str, torch.Tensor]
Made = tuple[Tensors, str, dict[str, Any]]
#: Writes the parts of one weight, by the ends of their names (of the module's, `.weight` included where it is one).
Writer = Callable[[torch.Tensor], Tensors]


def each(family: str, writer: Writer) -> Tensors:
    """The parts of every packed weight of a family."""
    made: Tensors = {}
    sources = tensors_of(family)
    for name in packed_names(family):
        full = torch.from_numpy(np.array(sources[name].values)).to(torch.bfloat16)
        for end, part in writer(full).items():
            made[name.removesuffix(".weight") + end] = part.detach().contiguous().clone()
    return made


def compressed(family: str, form: str, **weights: Any) -> Made:
    """compressed-tensors: its compressor of a format, and its own configuration as it is saved."""
    from compressed_tensors.compressors.base import BaseCompressor
    from compressed_tensors.quantization import QuantizationArgs, QuantizationConfig, QuantizationScheme
    from compressed_tensors.quantization.utils import calculate_qparams

    args = QuantizationArgs(**weights)
    scheme = QuantizationScheme(targets=["Linear"], weights=args, format=form)
    compressor = BaseCompressor.get_value_from_registry(form)

    def ends(full: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        rows, columns = full.shape
        if args.strategy == "tensor":
            return full.min().reshape(1), full.max().reshape(1)
        if args.strategy == "block":
            tall, wide = args.block_structure
            pad = torch.nn.functional.pad(full, (0, -columns % wide, 0, -rows % tall))
            blocks = pad.reshape(pad.shape[0] // tall, tall, pad.shape[1] // wide, wide)
            return blocks.amin((1, 3)), blocks.amax((1, 3))
        groups = full.reshape(rows, -1, args.group_size if args.strategy != "channel" else columns)
        return groups.amin(2), groups.amax(2)

    def writer(full: torch.Tensor) -> Tensors:
        state = {"weight": full}
        if args.strategy == "tensor_group":
            state["weight_global_scale"] = (6 * 448 / full.abs().max().float()).reshape(1)
        scale, zero = calculate_qparams(*ends(full), args, global_scale=state.get("weight_global_scale"))
        state |= {"weight_scale": scale, "weight_zero_point": zero}
        return {f".{name}": part for name, part in compressor.compress(state, scheme).items()}

    config = QuantizationConfig(
        config_groups={"group_0": scheme}, format=form, ignore=["lm_head", "re:.*moe[.]gate"],
        quantization_status="compressed",
    )  # fmt: skip
    block = json.loads(json.dumps(config.to_dict() if hasattr(config, "to_dict") else config.model_dump(mode="json")))
    return each(family, writer), family, {"quantization_config": block}


def bits_and_bytes(family: str, **arguments: Any) -> Made:
    """bitsandbytes: its layers' own state, and transformers' configuration of them."""
    import bitsandbytes as bnb
    from transformers import BitsAndBytesConfig

    def writer(full: torch.Tensor) -> Tensors:
        linear = torch.nn.Linear(full.shape[1], full.shape[0], bias=False)
        linear.weight.data = full
        if arguments.get("load_in_8bit"):
            layer = bnb.nn.Linear8bitLt(full.shape[1], full.shape[0], bias=False, has_fp16_weights=False)
            codes, scale, _ = bnb.functional.int8_vectorwise_quant(full.to(torch.float16))
            assert layer is not None
            return {".weight": codes, ".SCB": scale, ".weight_format": torch.tensor(0, dtype=torch.uint8)}
        kind, nested = arguments["bnb_4bit_quant_type"], arguments["bnb_4bit_use_double_quant"]
        layer = bnb.nn.Linear4bit(
            full.shape[1], full.shape[0], bias=False, quant_type=kind, compress_statistics=nested,
            compute_dtype=torch.bfloat16,
        )  # fmt: skip
        layer.weight = bnb.nn.Params4bit(full, requires_grad=False, quant_type=kind, compress_statistics=nested)
        return {f".{name}": part for name, part in layer.to("cpu").state_dict().items()}

    return each(family, writer), family, {"quantization_config": BitsAndBytesConfig(**arguments).to_dict()}


def mlx(family: str, bits: int, group: int, mode: str = "affine", down: int | None = None) -> Made:
    """MLX: `mx.quantize` and the settings that mlx-lm's converter stores; `down` has bits of its own."""
    import mlx.core as mx

    made: Tensors = {}
    sources = tensors_of(family)
    settings: dict[str, Any] = {"group_size": group, "bits": bits, "mode": mode}
    for name in packed_names(family):
        module, wide = name.removesuffix(".weight"), bits
        if down is not None and module.endswith("down_proj"):
            settings[module], wide = {"group_size": group, "bits": down, "mode": mode}, down
        full = mx.array(np.array(sources[name].values)).astype(mx.bfloat16)
        parts = mx.quantize(full, group_size=group, bits=wide, mode=mode)
        for end, part in zip((".weight", ".scales", ".biases"), parts, strict=False):
            if part.dtype == mx.bfloat16:
                made[module + end] = torch.from_numpy(np.array(part.astype(mx.float32))).to(torch.bfloat16)
            else:
                made[module + end] = torch.from_numpy(np.array(part))
    return made, family, {"quantization": settings, "quantization_config": settings}


def gptq(family: str, bits: int, group: int) -> Made:
    """GPTQ's first version, rounded to the nearest, by auto-round's layer."""
    from auto_round_extension.torch import qlinear_torch_zp

    def writer(full: torch.Tensor) -> Tensors:
        rows, columns = full.shape
        linear = torch.nn.Linear(columns, rows, bias=False)
        linear.weight.data = full.float()
        groups = full.float().reshape(rows, -1, group)
        low, high = groups.amin(2).clamp(max=0), groups.amax(2).clamp(min=0)
        scale = ((high - low) / (2**bits - 1)).half().float()
        zero = torch.round(-low / scale).clamp(1, 2**bits - 1)
        layer = qlinear_torch_zp.QuantLinear(bits, group, columns, rows, bias=False)
        layer.pack(linear, scale, zero, None, "cpu")
        order = torch.arange(columns, dtype=torch.int32) // group
        return {".qweight": layer.qweight, ".qzeros": layer.qzeros, ".scales": layer.scales, ".g_idx": order}

    block = {"quant_method": "gptq", "bits": bits, "group_size": group, "desc_act": False, "sym": False,
             "checkpoint_format": "gptq", "lm_head": False}  # fmt: skip
    return each(family, writer), family, {"quantization_config": block}


def awq(family: str, group: int) -> Made:
    """AWQ's gemm by auto-round's copy of its layer; no scale is moved between layers."""
    from auto_round.export.export_to_awq.utils import WQLinear_GEMM

    def writer(full: torch.Tensor) -> Tensors:
        linear = torch.nn.Linear(full.shape[1], full.shape[0], bias=False)
        linear.weight.data = full.to(torch.float16)
        groups = full.float().reshape(full.shape[0], -1, group)
        low, high = groups.amin(2), groups.amax(2)
        scale = ((high - low) / 15).half()
        zero = torch.round(-low / scale.float()).clamp(0, 15)
        layer = WQLinear_GEMM.from_linear(linear, 4, group, False, scale.T.contiguous(), zero.T.contiguous(), "cpu")
        return {".qweight": layer.qweight, ".qzeros": layer.qzeros, ".scales": layer.scales}

    block = {"quant_method": "awq", "bits": 4, "group_size": group, "zero_point": True, "version": "gemm",
             "modules_to_not_convert": None}  # fmt: skip
    return each(family, writer), family, {"quantization_config": block}


def torch_ao(family: str, kind: str) -> Made:
    """torchao: subclasses of a weight, taken apart by its own safetensors support."""
    from torchao.prototype.safetensors.safetensors_support import flatten_tensor_state_dict
    from torchao.quantization import Float8Tensor, Int8Tensor, IntxUnpackedToInt8Tensor, PerRow

    sources = tensors_of(family)
    whole = {}
    for name in packed_names(family):
        full = torch.from_numpy(np.array(sources[name].values)).to(torch.bfloat16)
        if kind == "int8":
            whole[name] = Int8Tensor.from_hp(full, PerRow())
        elif kind == "float8":
            whole[name] = Float8Tensor.from_hp(full, granularity=PerRow())
        else:
            whole[name] = IntxUnpackedToInt8Tensor.from_hp(full, [1, 32], torch.int4)
    parts, metadata = flatten_tensor_state_dict(whole)
    block = {"quant_method": "torchao", "quant_type": {"default": kind}, "include_input_output_embeddings": False,
             "modules_to_not_convert": None}  # fmt: skip
    return parts, family, {"quantization_config": block, "__metadata__": metadata}


def modelopt(family: str, algo: str, group: int | None) -> Made:
    """ModelOpt's packing of a weight, and hf_quant_config.json as its exporter lays it out."""
    from modelopt.torch.export.quant_utils import to_quantized_weight
    from modelopt.torch.quantization.qtensor import NVFP4QTensor

    def writer(full: torch.Tensor) -> Tensors:
        if algo == "NVFP4":
            whole = (full.abs().max().float() / (6 * 448)).reshape(())
            packed, scale, whole = NVFP4QTensor.quantize(full, group, None, whole)
            parts = {".weight": packed._quantized_data, ".weight_scale": scale, ".weight_scale_2": whole}
        elif algo == "FP8":
            scale = (full.abs().max().float() / 448).reshape(())
            parts = {".weight": to_quantized_weight(full, scale, "fp8"), ".weight_scale": scale}
        else:
            scale = full.float().reshape(full.shape[0], -1, group).abs().amax(2) / 7
            return {".weight": to_quantized_weight(full, scale, "int4_awq", block_size=group), ".weight_scale": scale}
        return {**parts, ".input_scale": torch.tensor(0.01)}

    quantization = {"quant_algo": algo, "kv_cache_quant_algo": None, "exclude_modules": ["lm_head", "*gate"]}
    if group is not None:
        quantization["group_size"] = group
    file = {"producer": {"name": "modelopt", "version": "0.47.0"}, "quantization": quantization}
    return each(family, writer), family, {"hf_quant_config.json": file}


def quark(family: str, group: int) -> Made:
    """Quark's unsigned 4-bit groups in its default order."""
    from quark.torch.utils.pack import create_pack_method

    pack = create_pack_method("per_group", "uint4")

    def writer(full: torch.Tensor) -> Tensors:
        groups = full.float().reshape(full.shape[0], -1, group)
        low, high = groups.amin(2).clamp(max=0), groups.amax(2).clamp(min=0)
        scale = (high - low) / 15
        zero = torch.round(-low / scale).clamp(0, 15).to(torch.int32)
        codes = (torch.round(groups / scale[..., None]) + zero[..., None]).clamp(0, 15).to(torch.int32)
        return {
            ".weight": pack.pack(codes.reshape(full.shape), True), ".weight_scale": scale.T,
            ".weight_zero_point": pack.pack(zero, True),
        }  # fmt: skip

    weights = {"dtype": "uint4", "qscheme": "per_group", "group_size": group, "ch_axis": 1, "symmetric": False}
    block = {
        "quant_method": "quark", "export": {"kv_cache_group": [], "pack_method": "reorder"},
        "global_quant_config": {"weight": weights, "input_tensors": None, "output_tensors": None, "bias": None},
        "layer_quant_config": {}, "exclude": ["lm_head", "*gate"], "algo_config": None, "quant_mode": "eager_mode",
    }  # fmt: skip
    return each(family, writer), family, {"quantization_config": block}


def hqq(family: str, bits: int, group: int) -> Made:
    """HQQ's layer and its own state."""
    from hqq.core.quantize import BaseQuantizeConfig, HQQLinear

    def writer(full: torch.Tensor) -> Tensors:
        linear = torch.nn.Linear(full.shape[1], full.shape[0], bias=False)
        linear.weight.data = full
        config = BaseQuantizeConfig(nbits=bits, group_size=group, axis=1)
        layer = HQQLinear(linear, config, compute_dtype=torch.bfloat16, device="cpu", del_orig=False)
        return {f".{name}": part for name, part in layer.state_dict().items() if isinstance(part, torch.Tensor)}

    weights = {"nbits": bits, "group_size": group, "axis": 1, "optimize": True, "round_zero": bits == 4,
               "channel_wise": True, "view_as_float": False}  # fmt: skip
    block = {"quant_method": "hqq", "quant_config": {"weight_quant_params": weights}, "skip_modules": ["lm_head"]}
    return each(family, writer), family, {"quantization_config": block}


def fp8(family: str) -> Made:
    """FP8 blocks as DeepSeek publishes them, by transformers' quantising conversion."""
    from transformers import FineGrainedFP8Config
    from transformers.integrations.finegrained_fp8 import Fp8Quantize

    config = FineGrainedFP8Config(weight_block_size=(128, 128), modules_to_not_convert=["lm_head"])
    holder = type("Quantizer", (), {"quantization_config": config})()

    def writer(full: torch.Tensor) -> Tensors:
        rows, columns = full.shape
        pad = torch.nn.functional.pad(full, (0, -columns % 128, 0, -rows % 128))
        parts = Fp8Quantize(holder).convert({"m.weight": pad})
        codes, scale = parts["m.weight"], parts["m.weight_scale_inv"]
        return {".weight": codes[:rows, :columns], ".weight_scale_inv": scale}

    block = {**config.to_dict(), "weight_block_size": [128, 128], "fmt": "e4m3"}
    return each(family, writer), family, {"quantization_config": block}


_CT, _BNB, _AO, _OPT = "compressed-tensors 0.20.0", "bitsandbytes 0.50.2", "torchao 0.18.0", "modelopt 0.47.0"
_MLX, _ROUND = "mlx 0.32.4", "auto-round 0.16.1"
Arguments = dict[str, Any]
_ROW: Arguments = {"strategy": "channel"}
_GROUP: Arguments = {"strategy": "group", "group_size": 32}
_INT8: Arguments = {"num_bits": 8, "type": "int"}
_FP8: Arguments = {"num_bits": 8, "type": "float"}
_INT4: Arguments = {"num_bits": 4, "type": "int"}
_INT3: Arguments = {"num_bits": 3, "type": "int"}
_FP4: Arguments = {"num_bits": 4, "type": "float"}
_BLOCK: Arguments = {"strategy": "block", "block_structure": [64, 64]}
_ZEROS: Arguments = {"symmetric": False, "strategy": "group", "group_size": 64}
_NV: Arguments = {"strategy": "tensor_group", "group_size": 16, "scale_dtype": torch.float8_e4m3fn}
_MX: Arguments = {**_GROUP, "scale_dtype": torch.uint8}
_NF4: Arguments = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True}
_BFP4: Arguments = {"load_in_4bit": True, "bnb_4bit_quant_type": "fp4", "bnb_4bit_use_double_quant": False}
WRITERS: dict[str, tuple[str, Callable[[], Made]]] = {
    "ct-int8": (_CT, lambda: compressed("llama", "int-quantized", **_INT8, **_ROW)),
    "ct-fp8": (_CT, lambda: compressed("qwen3", "float-quantized", **_FP8, **_ROW)),
    "ct-fp8-block": (_CT, lambda: compressed("mixtral", "float-quantized", **_FP8, **_BLOCK)),
    "ct-int4": (_CT, lambda: compressed("mixtral", "pack-quantized", **_INT4, **_GROUP)),
    "ct-int4-zeros": (_CT, lambda: compressed("qwen3", "pack-quantized", **_INT4, **_ZEROS)),
    "ct-int3": (_CT, lambda: compressed("llama", "pack-quantized", **_INT3, **_GROUP)),
    "ct-nvfp4": (_CT, lambda: compressed("llama", "nvfp4-pack-quantized", **_FP4, **_NV)),
    "ct-mxfp4": (_CT, lambda: compressed("mixtral", "mxfp4-pack-quantized", **_FP4, **_MX)),
    "ct-mxfp8": (_CT, lambda: compressed("qwen3", "mxfp8-quantized", **_FP8, **_MX)),
    "bnb-nf4": (_BNB, lambda: bits_and_bytes("mixtral", **_NF4, bnb_4bit_compute_dtype=torch.bfloat16)),
    "bnb-fp4": (_BNB, lambda: bits_and_bytes("qwen3", **_BFP4)),
    "bnb-int8": (_BNB, lambda: bits_and_bytes("llama", load_in_8bit=True)),
    "mlx-4": (_MLX, lambda: mlx("qwen3", 4, 64)),
    "mlx-3-and-6": (_MLX, lambda: mlx("llama", 3, 32, down=6)),
    "mlx-mxfp4": (_MLX, lambda: mlx("llama", 4, 32, "mxfp4")),
    "mlx-nvfp4": (_MLX, lambda: mlx("qwen3", 4, 16, "nvfp4")),
    "gptq-4": (_ROUND, lambda: gptq("llama", 4, 32)),
    "awq": (_ROUND, lambda: awq("qwen3", 64)),
    "torchao-int8": (_AO, lambda: torch_ao("qwen3", "int8")),
    "torchao-float8": (_AO, lambda: torch_ao("llama", "float8")),
    "modelopt-nvfp4": (_OPT, lambda: modelopt("qwen3", "NVFP4", 16)),
    "modelopt-fp8": (_OPT, lambda: modelopt("mixtral", "FP8", None)),
    "modelopt-w4": (_OPT, lambda: modelopt("llama", "W4A16_AWQ", 64)),
    "quark-uint4": ("Quark 0.13", lambda: quark("llama", 32)),
    "hqq-4": ("hqq 0.2.8.post1", lambda: hqq("qwen3", 4, 64)),
    "fp8-block": ("transformers 5.24.0", lambda: fp8("llama")),
}


def main(names: list[str]) -> None:
    """Record the layouts named, or all of them."""
    for name in names or list(WRITERS):
        writer, make = WRITERS[name]
        try:
            parts, family, declared = make()
        except Exception as error:
            print("left out", name, type(error).__name__, str(error)[:300])
            continue
        metadata = {"family": family, "writer": writer, "declared": json.dumps(declared, default=str)}
        save_file(parts, HERE / f"{name}.safetensors", metadata)
        print(name, (HERE / f"{name}.safetensors").stat().st_size)


if __name__ == "__main__":
    main(sys.argv[1:])
