"""Owns the writers of make.py that are not in the first table: kernels of GPUs, tensor subclasses, sparse weights."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from recording import case, weight


def awq_rows(folder: str) -> None:
    """AutoAWQ's gemv and gemv_fast as its own classes pack them; its kernels run on a GPU only."""
    import importlib.util
    import types

    for name in ("awq", "awq.utils", "awq.utils.module"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["awq.utils.module"].try_import = lambda _: (None, "")  # type: ignore[attr-defined]

    def loaded(name: str) -> Any:
        place = Path(folder) / "awq" / "modules" / "linear" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(name, place)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    for name, group in (("gemv", 64), ("gemv", 32), ("gemv_fast", 64), ("gemv_fast", 128)):
        made = torch.Generator().manual_seed(120 + group)
        codes = torch.randint(0, 16, (32, 256), generator=made)
        zero = torch.randint(1, 16, (32, 256 // group), generator=made).half()
        scale = (torch.rand(32, 256 // group, generator=made) / 64 + 1e-3).half()
        linear = torch.nn.Linear(256, 32, bias=False)
        spread = (scale.repeat_interleave(group, 1), zero.repeat_interleave(group, 1))
        linear.weight.data = ((codes - spread[1].float()) * spread[0].float()).double()
        kind = "WQLinear_GEMV" if name == "gemv" else "WQLinear_GEMVFast"
        layer = getattr(loaded(name), kind).from_linear(linear, 4, group, scales=scale, zeros=zero)
        settings: dict[str, Any] = {"bits": 4, "group": group, "padded": True}
        parts = {"values": layer.qweight, "scale": layer.scales}
        if name == "gemv":
            parts["zero"], back = layer.qzeros, (codes - spread[1].float()) * spread[0].float()
        else:
            settings |= {"upright": True, "fields": "shuffled"}
            parts["offset"] = layer.qzeros
            back = codes * spread[0].float() + layer.qzeros[: 256 // group].T.float().repeat_interleave(group, 1)
        case(f"awq-{name}-{group}", "nibbles", settings, parts, back, f"AutoAWQ 0.2.9 ({kind})")


def modelopt() -> None:
    from modelopt.torch.export.quant_utils import to_quantized_weight
    from modelopt.torch.quantization.qtensor import NVFP4QTensor

    full = weight(130, 32, 128)
    for name, count in (("modelopt-w4", 1), ("modelopt-w4-scaled", 2)):
        scale = full.reshape(32, -1, 64).abs().amax(2) / 7
        packed = to_quantized_weight(full, scale, "int4_awq", block_size=64)
        spread = scale.repeat_interleave(64, 1)
        back = torch.round(full / spread).clamp(-8, 7) * spread
        parts = {"values": packed, "scale": scale}
        if count == 2:
            parts["inputs"] = torch.rand(128, generator=torch.Generator().manual_seed(131)) + 0.5
            back = back * parts["inputs"]
        settings = {"group": 64, "fields": "pairs", "signed": True}
        case(name, "nibbles", settings, parts, back, "modelopt 0.47.0")
    full = weight(132).to(torch.bfloat16)
    whole = (full.abs().max().float() / (6 * 448)).reshape(())
    packed, scale, whole = NVFP4QTensor.quantize(full, 16, None, whole)
    back = packed.dequantize(dtype=torch.float32, scale=scale, double_scale=whole, block_sizes={-1: 16})
    parts = {"values": packed._quantized_data, "scale": scale, "global": whole}
    case("modelopt-nvfp4", "float4", {"group": 16}, parts, back, "modelopt 0.47.0")
    scale = full.abs().max().float() / 448
    packed = to_quantized_weight(full, scale, "fp8")
    back = packed.float() * scale
    case("modelopt-fp8", "scaled", {}, {"values": packed, "scale": scale}, back, "modelopt 0.47.0")


def quark() -> None:
    from quark.torch.utils.pack import create_pack_method

    writer = "Quark 0.13 (create_pack_method)"
    for kind in ("int4", "uint4"):
        low, high = (-8, 8) if kind == "int4" else (0, 16)
        for scheme in ("per_group", "per_channel"):
            for order in ("reorder", "order"):
                if scheme == "per_channel" and order == "order":
                    continue
                made = torch.Generator().manual_seed(140)
                pack = create_pack_method(scheme, kind)
                codes = torch.randint(low, high, (64, 128), generator=made, dtype=torch.int32)
                groups = 4 if scheme == "per_group" else 1
                scale = torch.rand(64, groups, generator=made) / 64
                zero = torch.randint(0, 16, (64, groups), generator=made, dtype=torch.int32)
                parts = {"values": pack.pack(codes, order == "reorder"), "scale": scale}
                wide = 128 // groups
                spread = scale.repeat_interleave(wide, 1)
                back = codes * spread
                assert (pack.unpack(parts["values"], order == "reorder") == codes).all()
                settings: dict[str, Any] = {"element": kind, "group": wide, "order": order}
                if kind == "uint4":
                    back = (codes - zero.repeat_interleave(wide, 1)) * spread
                    parts["zero"] = pack.pack(zero if groups > 1 else zero[:, 0], order == "reorder")
                if groups > 1:
                    parts["scale"] = scale.T
                else:
                    parts["scale"] = scale[:, 0]
                    settings = {"element": kind, "fields": "reordered"}
                decoder = "awq" if groups > 1 else "nibbles"
                case(f"quark-{kind}-{scheme}-{order}", decoder, settings, parts, back, writer)
    for kind in ("fp6_e2m3", "fp6_e3m2", "fp4"):
        pack = create_pack_method("per_group", kind)
        bits = 4 if kind == "fp4" else 6
        made = torch.Generator().manual_seed(150)
        raw = torch.randint(0, 256, (32, 128 * bits // 8), generator=made, dtype=torch.uint8)
        exponents = torch.randint(110, 130, (32, 4), generator=made, dtype=torch.uint8)
        back = pack.unpack(raw, True) * torch.exp2(exponents.float() - 127).repeat_interleave(32, 1)
        settings = {"bits": bits, "group": 32, "element": kind}
        case(f"quark-{kind}", "float4", settings, {"values": raw, "scale": exponents}, back, writer)


def torch_ao() -> None:
    from torchao.prototype.mx_formats.mx_tensor import MXTensor
    from torchao.prototype.mx_formats.nvfp4_tensor import NVFP4Tensor
    from torchao.quantization import Float8Tensor, Int8Tensor, IntxUnpackedToInt8Tensor, PerRow, PerTensor

    writer = "torchao 0.18.0"
    full = weight(160, 136, 96)
    cuts = {"row": PerRow(), "tensor": PerTensor()}
    for name, cut in cuts.items():
        kept = Int8Tensor.from_hp(full, cut)
        parts = {"values": kept.qdata, "scale": kept.scale}
        case(f"torchao-int8-{name}", "scaled", {}, parts, kept.dequantize(), writer)
        kept = Float8Tensor.from_hp(full, granularity=cut)
        parts = {"values": kept.qdata, "scale": kept.scale}
        case(f"torchao-float8-{name}", "scaled", {}, parts, kept.dequantize(), writer)
    kept = IntxUnpackedToInt8Tensor.from_hp(full, [1, 32], torch.int4)
    parts = {"values": kept.qdata, "scale": kept.scale, "zero": kept.zero_point}
    settings: dict[str, Any] = {"element": "int4", "block_rows": 1, "block_columns": 32}
    case("torchao-intx4", "scaled", settings, parts, kept.dequantize(), writer)
    for swizzled in (False, True):
        whole = full.abs().max() / (6 * 448)
        kept = NVFP4Tensor.to_nvfp4(full, per_tensor_scale=whole, is_swizzled_scales=swizzled)
        parts = {"values": kept.qdata, "scale": kept.scale, "global": kept.per_tensor_scale}
        settings = {"group": 16, "swizzled": swizzled}
        name = f"torchao-nvfp4{'-swizzled' * swizzled}"
        case(name, "float4", settings, parts, kept.dequantize(torch.float32), writer)
    for name, kind in (("mxfp8", torch.float8_e4m3fn), ("mxfp4", torch.float4_e2m1fn_x2)):
        for swizzled in (False, True):
            kept = MXTensor.to_mx(full, kind, 32, is_swizzled_scales=swizzled)
            parts = {"values": kept.qdata, "scale": kept.scale.view(torch.uint8)}
            settings = {"group": 32, "bits": int(name[-1]), "swizzled": swizzled}
            named = f"torchao-{name}{'-swizzled' * swizzled}"
            case(named, "float4", settings, parts, kept.dequantize(torch.float32), writer)


def sparse(folder: str) -> None:
    """Weights without their zeros, by compressed-tensors 0.10.2 in a process of its own."""
    code = """
import sys, torch
from compressed_tensors.compressors.sparse_compressors.sparse_24_bitmask import Sparse24BitMaskTensor
from compressed_tensors.compressors.sparse_compressors.sparse_bitmask import BitmaskTensor
full = torch.load(sys.argv[1])
kept = (Sparse24BitMaskTensor if sys.argv[2] == "24" else BitmaskTensor).from_dense(full)
torch.save({**kept.dict("w"), "back": kept.decompress()}, sys.argv[1])
"""
    for kind in ("24", "any"):
        full = weight(170, 32, 124).to(torch.bfloat16)
        made = torch.rand(full.shape, generator=torch.Generator().manual_seed(171)) < 0.4
        full = full * made if kind == "any" else full
        with TemporaryDirectory() as place:
            file = Path(place) / "sparse.pt"
            torch.save(full, file)
            subprocess.run([sys.executable, "-c", code, str(file), kind], check=True, env={"PYTHONPATH": folder})
            kept = torch.load(file)
        parts = {"values": kept["w.compressed"], "mask": kept["w.bitmask"]}
        if kind == "any":
            parts["offsets"] = kept["w.row_offsets"]
        case(f"sparse-{kind}", "sparse", {}, parts, kept["back"], "compressed-tensors 0.10.2")


def gpt_oss() -> None:
    """Stacked experts of gpt-oss; transformers exchanges rows and columns behind it."""
    from transformers.integrations.mxfp4 import convert_moe_packed_tensors

    made = torch.Generator().manual_seed(180)
    blocks = torch.randint(0, 256, (3, 64, 2, 16), generator=made, dtype=torch.uint8)
    scales = torch.randint(110, 130, (3, 64, 2), generator=made, dtype=torch.uint8)
    back = convert_moe_packed_tensors(blocks, scales, dtype=torch.bfloat16).transpose(1, 2)
    case("gpt-oss", "float4", {}, {"values": blocks, "scale": scales}, back, "transformers 5.24.0")


def fbgemm() -> None:
    """FP8 with a scale a row, and stacked experts with one a column, as transformers 5.24 lays them out."""
    full = weight(190)
    scale = full.abs().amax(1) / 448
    codes = (full / scale[:, None]).to(torch.float8_e4m3fn)
    parts = {"values": codes, "scale": scale[:, None]}
    case("fbgemm", "scaled", {}, parts, codes.float() * scale[:, None], "torch 2.13.0")
    full = torch.stack([weight(191 + expert, 32, 48) for expert in range(3)])
    scale = full.abs().amax(1, keepdim=True) / 448
    codes = (full / scale).to(torch.float8_e4m3fn)
    for name, kept in (("", scale), ("-down", scale.transpose(1, 2))):
        parts = {"values": codes, "scale": kept}
        case(f"fbgemm-experts{name}", "scaled", {"upright": True}, parts, codes.float() * scale, "torch 2.13.0")


def mlx_experts() -> None:
    """Stacked experts with a global scale each, as mlx-lm's switch layers quantise them."""
    import mlx.core as mx
    import numpy as np
    from mlx_lm.models.switch_layers import _quantize_experts

    full = mx.array(torch.stack([weight(200 + expert, 32, 64) for expert in range(3)]).numpy())
    codes, scales, whole = _quantize_experts(full, group_size=16, bits=4, mode="nvfp4")
    back = mx.stack([
        mx.dequantize(codes[e], scales[e], group_size=16, bits=4, mode="nvfp4", global_scale=whole[e], dtype=mx.float32)
        for e in range(3)
    ])  # fmt: skip
    parts = {"values": codes, "scale": scales, "global": whole}
    taken = {name: torch.from_numpy(np.array(array)) for name, array in parts.items()}
    settings = {"bits": 4, "group": 16, "scale_type": "F8_E4M3", "global_per": 2688}
    case("mlx-nvfp4-experts", "float4", settings, taken, torch.from_numpy(np.array(back)), "mlx-lm 0.32.2")
