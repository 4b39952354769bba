"""Owns how schemes.safetensors was recorded: small weights packed and unpacked by the libraries that write them.

Run with compressed-tensors 0.20.0, bitsandbytes 0.50.2, mlx 0.32.4, mlx-lm 0.32.2, auto-round 0.16.1, hqq 0.2.8.post1,
torchao 0.18.0, modelopt 0.47.0, Quark 0.13, transformers 5.24.0 and torch 2.13.0 installed, and with compressed-tensors
0.10.2 and AutoAWQ 0.2.9 in folders of their own: `python make.py deepseek … padded=FOLDER awq_rows=FOLDER`.
Nothing of the tests needs them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import later_writers as later
import torch
from recording import CASES, COLUMNS, ROWS, TENSORS, case, weight
from safetensors import safe_open
from safetensors.torch import save_file


def compressed() -> None:
    from compressed_tensors.compressors.base import BaseCompressor
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
    from compressed_tensors.quantization.utils import calculate_qparams

    writer = "compressed-tensors 0.20.0"
    roles = {"weight": "values", "weight_packed": "values", "weight_scale": "scale", "weight_zero_point": "zero"}
    roles["weight_global_scale"] = "global"

    def one(name: str, format: str, decoder: str, settings: dict[str, Any], seed: int, **arguments: Any) -> None:
        args = QuantizationArgs(**arguments)
        full = weight(seed).to(torch.bfloat16)
        group = args.group_size or COLUMNS
        if args.strategy == "tensor":
            low, high = full.min().reshape(1), full.max().reshape(1)
        elif args.strategy == "block":
            tall, wide = args.block_structure
            blocks = full.reshape(ROWS // tall, tall, COLUMNS // wide, wide)
            low, high = blocks.amin((1, 3)), blocks.amax((1, 3))
        else:
            groups = full.reshape(ROWS, -1, group if args.strategy != "channel" else COLUMNS)
            low, high = groups.amin(2), groups.amax(2)
        state = {"weight": full}
        if args.strategy == "tensor_group":
            state["weight_global_scale"] = (6 * 448 / full.abs().max().float()).reshape(1)
        scale, zero = calculate_qparams(low, high, args, global_scale=state.get("weight_global_scale"))
        state |= {"weight_scale": scale, "weight_zero_point": zero}
        scheme = QuantizationScheme(targets=["Linear"], weights=args, format=format)
        compressor = BaseCompressor.get_value_from_registry(format)
        packed = compressor.compress(state, scheme)
        back = compressor.decompress(packed, scheme)["weight"]
        parts = {roles[key]: value for key, value in packed.items() if key in roles}
        if args.symmetric:
            parts.pop("zero", None)
        case(name, decoder, settings, parts, back, writer)

    for strategy in ("tensor", "channel", "group"):
        group = 64 if strategy == "group" else None
        settings = {"group": group, "symmetric": True}
        one(f"int8-{strategy}", "int-quantized", "scaled", settings, 1, num_bits=8, type="int", strategy=strategy,
            group_size=group)  # fmt: skip
    one("int8-asymmetric", "int-quantized", "scaled", {"symmetric": False}, 2, num_bits=8, type="int",
        strategy="channel", symmetric=False)  # fmt: skip
    for strategy in ("tensor", "channel"):
        one(f"fp8-{strategy}", "float-quantized", "scaled", {}, 3, num_bits=8, type="float", strategy=strategy)
    one("fp8-block", "float-quantized", "scaled", {"block_rows": 16, "block_columns": 32}, 4, num_bits=8,
        type="float", strategy="block", block_structure=[16, 32])  # fmt: skip
    for bits in range(1, 9):
        settings = {"bits": bits, "group": 64, "symmetric": True}
        one(f"int{bits}-packed", "pack-quantized", "pack_quantized", settings, 10 + bits, num_bits=bits, type="int",
            strategy="group", group_size=64)  # fmt: skip
    for bits in (3, 4, 8):
        settings = {"bits": bits, "group": 32, "symmetric": False}
        one(f"int{bits}-packed-asymmetric", "pack-quantized", "pack_quantized", settings, 20 + bits, num_bits=bits,
            type="int", strategy="group", group_size=32, symmetric=False)  # fmt: skip
    one("int4-packed-channel", "pack-quantized", "pack_quantized", {"bits": 4, "symmetric": True}, 30, num_bits=4,
        type="int", strategy="channel")  # fmt: skip
    one("nvfp4", "nvfp4-pack-quantized", "float4", {"bits": 4, "group": 16, "global_divides": True}, 31, num_bits=4,
        type="float", strategy="tensor_group", group_size=16, scale_dtype=torch.float8_e4m3fn)  # fmt: skip
    for bits, format in ((4, "mxfp4-pack-quantized"), (6, "mxfp6-pack-quantized"), (8, "mxfp8-quantized")):
        decoder, settings = ("float4" if bits < 8 else "scaled"), {"bits": bits, "group": 32}
        try:
            one(f"mxfp{bits}", format, decoder, settings, 32 + bits, num_bits=bits, type="float", strategy="group",
                group_size=32, scale_dtype=torch.uint8)  # fmt: skip
        except Exception as error:
            print("left out", format, type(error).__name__, error)


def padded(folder: str) -> None:
    """Fields of odd widths as versions until June 2026 packed them, by such a version in a process of its own."""
    code = """
import sys, torch
from compressed_tensors.compressors.quantized_compressors.pack_quantized import pack_to_int32, unpack_from_int32
codes, bits = torch.load(sys.argv[1]), int(sys.argv[2])
packed = pack_to_int32(codes, bits)
assert (unpack_from_int32(packed, bits, codes.shape) == codes).all()
torch.save(packed, sys.argv[1])
"""
    for bits in (3, 5, 6, 7):
        made = torch.Generator().manual_seed(40 + bits)
        codes = torch.randint(-(1 << bits - 1), 1 << bits - 1, (ROWS, COLUMNS), generator=made).to(torch.int8)
        scale = (torch.rand(ROWS, 2, generator=made) / 100).to(torch.bfloat16)
        with TemporaryDirectory() as place:
            file = Path(place) / "padded.pt"
            torch.save(codes, file)
            subprocess.run([sys.executable, "-c", code, str(file), str(bits)], check=True, env={"PYTHONPATH": folder})
            packed = torch.load(file)
        expected = codes.float() * scale.float().repeat_interleave(64, 1)
        settings = {"bits": bits, "group": 64, "symmetric": True}
        parts = {"values": packed, "scale": scale}
        case(f"int{bits}-padded", "pack_quantized", settings, parts, expected, "compressed-tensors 0.10.2")


def deepseek() -> None:
    """FP8 blocks as transformers 5.24 multiplies them (w = fp8 * scale_inv, block by block), the last ones cut."""
    full = weight(50, 40, 100)
    tall, wide = 16, 32
    grid = torch.zeros(-(-40 // tall), -(-100 // wide))
    codes = torch.zeros(40, 100, dtype=torch.float8_e4m3fn)
    for row in range(grid.shape[0]):
        for column in range(grid.shape[1]):
            here = slice(row * tall, (row + 1) * tall), slice(column * wide, (column + 1) * wide)
            grid[row, column] = full[here].abs().max() / 448
            codes[here] = (full[here] / grid[row, column]).to(torch.float8_e4m3fn)
    spread = grid.repeat_interleave(tall, 0)[:40].repeat_interleave(wide, 1)[:, :100]
    settings = {"rows": tall, "columns": wide}
    case("fp8-deepseek", "scaled", settings, {"values": codes, "scale": grid}, codes.float() * spread, "torch 2.13.0")


def bits_and_bytes() -> None:
    import bitsandbytes.functional as bnb

    for name, kind, nested in (("nf4-nested", "nf4", True), ("nf4", "nf4", False), ("fp4", "fp4", False),
                               ("fp4-nested", "fp4", True)):  # fmt: skip
        full = weight(60 + nested, 96 if nested else 32, 192)
        packed, state = bnb.quantize_4bit(full, blocksize=64, compress_statistics=nested, quant_type=kind)
        parts = {"values": packed, "scale": state.absmax, "codebook": state.code}
        settings: dict[str, Any] = {"blocksize": 64, "nested": nested}
        if nested:
            parts |= {"nested": state.state2.absmax, "nested_codebook": state.state2.code}
            settings |= {"nested_offset": float(state.offset), "nested_blocksize": state.state2.blocksize}
        back = bnb.dequantize_4bit(packed, state)
        case(name, "bitsandbytes", settings, parts, back, "bitsandbytes 0.50.2")
    full = weight(64)
    codes, scale, _ = bnb.int8_vectorwise_quant(full.to(torch.float16))
    back = bnb.int8_vectorwise_dequant(codes, scale)
    case("bnb-int8", "scaled", {"divisor": 127}, {"values": codes, "scale": scale}, back, "bitsandbytes 0.50.2")


def mlx() -> None:
    import mlx.core as mx
    import numpy as np

    def taken(array: Any) -> torch.Tensor:
        return torch.from_numpy(np.array(array))

    for bits in (2, 3, 4, 5, 6, 8):
        full = mx.array(weight(70 + bits).numpy())
        codes, scales, biases = mx.quantize(full, group_size=64, bits=bits)
        back = mx.dequantize(codes, scales, biases, group_size=64, bits=bits)
        parts = {"values": taken(codes), "scale": taken(scales), "offset": taken(biases)}
        case(f"mlx-{bits}", "mlx", {"bits": bits, "group": 64}, parts, taken(back), "mlx 0.32.4")
    for mode, bits, group in (("mxfp4", 4, 32), ("mxfp8", 8, 32), ("nvfp4", 4, 16)):
        full = mx.array(weight(80 + bits).numpy())
        codes, scales = mx.quantize(full, group_size=group, bits=bits, mode=mode)
        back = mx.dequantize(codes, scales, group_size=group, bits=bits, mode=mode, dtype=mx.float32)
        settings = {"bits": bits, "group": group}
        if mode == "nvfp4":
            settings |= {"scale_type": "F8_E4M3", "global_per": 2688}
        case(f"mlx-{mode}", "float4", settings, {"values": taken(codes), "scale": taken(scales)}, taken(back),
             "mlx 0.32.4")  # fmt: skip


def gptq() -> None:
    from auto_round_extension.torch import qlinear_torch, qlinear_torch_zp

    for bits in (2, 3, 4, 8):
        linear = torch.nn.Linear(COLUMNS, 64, bias=False)
        full = linear.weight.data = weight(90 + bits, 64).to(torch.float16).float()
        groups = full.reshape(64, -1, 32)
        low, high = groups.amin(2).clamp(max=0), groups.amax(2).clamp(min=0)
        scale = ((high - low) / (2**bits - 1)).half().float()
        zero = torch.round(-low / scale).clamp(1, 2**bits - 1)
        first = qlinear_torch_zp.QuantLinear(bits, 32, COLUMNS, 64, bias=False)
        first.pack(linear, scale, zero, None, "cpu")
        parts = {"values": first.qweight, "zero": first.qzeros, "scale": first.scales}
        # The second version reads the same bytes without adding 1 to what stands for a zero point.
        second = qlinear_torch.QuantLinear(bits, 32, COLUMNS, 64, bias=False)
        second.qweight, second.qzeros, second.scales = parts["values"], parts["zero"], parts["scale"]
        order = torch.randperm(COLUMNS, generator=torch.Generator().manual_seed(bits)).to(torch.int32) // 32
        for name, layer, more in (
            ("gptq", first, {}),
            ("gptq_v2", second, {}),
            ("gptq-order", first, {"order": order}),
        ):
            if more:
                layer.g_idx = order
            back = layer(torch.eye(COLUMNS, dtype=torch.float32)).T
            settings = {"bits": bits, "group": 32, "format": name.partition("-")[0], "method": "gptq"}
            case(f"{name}-{bits}", "gptq", settings, parts | more, back.half(), "auto-round 0.16.1")


def awq() -> None:
    from auto_round.export.export_to_awq.utils import WQLinear_GEMM, dequantize_gemm

    linear = torch.nn.Linear(COLUMNS, 64, bias=False)
    linear.weight.data = weight(99, 64).to(torch.float16)
    groups = linear.weight.data.float().reshape(64, -1, 32)
    low, high = groups.amin(2), groups.amax(2)
    scale = ((high - low) / 15).half()
    zero = torch.round(-low / scale.float()).clamp(0, 15)
    layer = WQLinear_GEMM.from_linear(linear, 4, 32, False, scale.T.contiguous(), zero.T.contiguous(), device="cpu")
    back = dequantize_gemm(layer.qweight, layer.qzeros, layer.scales, 4, 32).T
    parts = {"values": layer.qweight, "zero": layer.qzeros, "scale": layer.scales}
    case("awq", "awq", {"bits": 4, "group": 32}, parts, back, "auto-round 0.16.1 (WQLinear_GEMM)")


def hqq() -> None:
    from hqq.core.quantize import Quantizer

    for bits in (1, 2, 3, 4, 8):
        for axis in (0, 1):
            arguments: dict[str, Any] = {"nbits": bits, "group_size": 64, "axis": axis, "optimize": False}
            kind = torch.float32
            codes, meta = Quantizer.quantize(weight(110 + bits, 60), device="cpu", compute_dtype=kind, **arguments)
            back = Quantizer.dequantize(codes, meta)
            parts = {"values": codes, "scale": meta["scale"], "zero": meta["zero"]}
            settings = {"bits": bits, "group": 64, "axis": axis}
            case(f"hqq-{bits}-axis{axis}", "hqq", settings, parts, back, "hqq 0.2.8.post1")


#: Steps that need a folder: `padded=FOLDER`, of compressed-tensors 0.10.2 or AutoAWQ 0.2.9.
FOLDERS = {"padded": padded, "sparse": later.sparse, "awq_rows": later.awq_rows}
STEPS = {"deepseek": deepseek, "compressed": compressed, "bitsandbytes": bits_and_bytes, "mlx": mlx, "gptq": gptq,
         "awq": awq, "hqq": hqq, "modelopt": later.modelopt, "quark": later.quark, "torchao": later.torch_ao,
         "gpt_oss": later.gpt_oss, "fbgemm": later.fbgemm, "mlx_experts": later.mlx_experts}  # fmt: skip


def main(steps: list[str]) -> None:
    """Run the steps named (`padded=FOLDER` among them), and keep what others have recorded before."""
    for step in steps:
        name, _, folder = step.partition("=")
        FOLDERS[name](folder) if name in FOLDERS else STEPS[name]()
    file = Path(__file__).with_name("schemes.safetensors")
    kept: dict[str, torch.Tensor] = {}
    before: dict[str, Any] = {}
    if file.exists():
        with safe_open(file, "pt") as opened:
            before = json.loads(opened.metadata()["cases"])
            names = [name for name in opened.keys() if name.partition("/")[0] not in CASES]  # noqa: SIM118
            kept = {name: opened.get_tensor(name) for name in names}
    save_file(kept | TENSORS, file, {"cases": json.dumps(before | CASES, sort_keys=True)})
    print(len(CASES), "cases of", len(before | CASES))


if __name__ == "__main__":
    main(sys.argv[1:])
