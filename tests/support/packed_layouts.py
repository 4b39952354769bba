"""The table of layouts: how each is declared in a small model, and the parts of its weights."""

from __future__ import annotations

from math import ceil

from support.packed_parts import (
    BLOCKS,
    BNB,
    CT,
    FP4,
    FP8_ROW,
    Layout,
    awq,
    bnb,
    ct,
    gemv,
    gptq,
    mlx,
    modelopt,
    numbers,
    pack,
    q,
)

LAYOUTS: dict[str, Layout] = {
    "ct-int8": Layout(
        CT,
        ct("int-quantized", num_bits=8, type="int", strategy="channel"),
        lambda o, i: {".weight": ("I8", (o, i)), ".weight_scale": ("BF16", (o, 1))},
    ),
    "ct-int8-static": Layout(
        CT,
        ct("int-quantized", num_bits=8, type="int", strategy="tensor"),
        lambda o, i: {".weight": ("I8", (o, i)), ".weight_scale": ("BF16", (1,)), ".input_scale": ("BF16", (1,))},
    ),
    "ct-fp8-block": Layout(
        CT,
        ct("float-quantized", num_bits=8, type="float", strategy="block", block_structure=[128, 128]),
        lambda o, i: {".weight": ("F8_E4M3", (o, i)), ".weight_scale": ("BF16", (ceil(o / 128), ceil(i / 128)))},
    ),
    "ct-fp8-naive": Layout(
        CT,
        ct("naive-quantized", num_bits=8, type="float", strategy="channel"),
        lambda o, i: {".weight": ("F8_E4M3", (o, i)), ".weight_scale": ("F32", (o, 1))},
    ),
    "ct-int4": Layout(
        CT,
        ct("pack-quantized", num_bits=4, type="int", strategy="group", group_size=128),
        pack(lambda i: i // 8, 128),
    ),
    "ct-int4-asymmetric": Layout(
        CT,
        ct("pack-quantized", num_bits=4, type="int", strategy="group", group_size=64, symmetric=False),
        pack(lambda i: i // 8, 64, zero=True),
    ),
    "ct-int3-padded": Layout(
        CT,
        ct("pack-quantized", num_bits=3, type="int", strategy="group", group_size=64),
        pack(lambda i: ceil(i / 10), 64),
    ),
    "ct-int3-dense": Layout(
        CT,
        ct("pack-quantized", num_bits=3, type="int", strategy="group", group_size=64),
        pack(lambda i: i * 3 // 32, 64),
    ),
    "ct-nvfp4": Layout(
        CT,
        ct("nvfp4-pack-quantized", num_bits=4, type="float", strategy="tensor_group", group_size=16),
        lambda o, i: {
            ".weight_packed": ("U8", (o, i // 2)),
            ".weight_scale": ("F8_E4M3", (o, i // 16)),
            ".weight_global_scale": ("F32", (1,)),
            ".input_global_scale": ("F32", (1,)),
        },
    ),
    "ct-mxfp4": Layout(
        CT,
        ct("mxfp4-pack-quantized", num_bits=4, type="float", strategy="group", group_size=32),
        lambda o, i: {".weight_packed": ("U8", (o, i // 2)), ".weight_scale": ("U8", (o, i // 32))},
    ),
    "ct-mxfp6": Layout(
        CT,
        ct("mxfp6-pack-quantized", num_bits=6, type="float", strategy="group", group_size=32),
        lambda o, i: {".weight_packed": ("U8", (o, i * 3 // 4)), ".weight_scale": ("U8", (o, i // 32))},
    ),
    "ct-mxfp8": Layout(
        CT,
        ct("mxfp8-quantized", num_bits=8, type="float", strategy="group", group_size=32),
        lambda o, i: {".weight": ("F8_E4M3", (o, i)), ".weight_scale": ("U8", (o, i // 32))},
    ),
    "ct-bitmask": Layout(
        CT,
        ct("sparse-bitmask", num_bits=16, type="float"),
        lambda o, i: {
            ".weight.compressed": ("BF16", (o * i // 4,)),
            ".weight.bitmask": ("U8", (o, i // 8)),
            ".weight.row_offsets": ("I64", (o,)),
            ".weight.shape": numbers(o, i),
        },
    ),
    "ct-24": Layout(
        CT,
        ct("sparse-24-bitmask", num_bits=16, type="float"),
        lambda o, i: {
            ".compressed": ("BF16", (o, i // 2)),
            ".bitmask": ("U8", (o, i // 8)),
            ".shape": numbers(o, i),
        },
    ),
    "fp8-block": Layout(CT, q("fp8", weight_block_size=[128, 128], activation_scheme="dynamic"), BLOCKS),
    "fp8-tensor": Layout(
        CT,
        q("fp8", activation_scheme="static"),
        lambda o, i: {
            ".weight": ("F8_E4M3", (o, i)),
            ".weight_scale_inv": ("F32", ()),
            ".activation_scale": ("F32", ()),
        },
    ),
    "fp8-deepseek-v4": Layout(
        CT,
        q("fp8", weight_block_size=[128, 128], scale_fmt="ue8m0"),
        lambda o, i: {".weight": ("F8_E4M3", (o, i)), ".scale": ("F8_E8M0", (ceil(o / 128), ceil(i / 128)))},
    ),
    "fbgemm": Layout(CT, q("fbgemm_fp8", activation_scale_ub=1200, modules_to_not_convert=["lm_head"]), FP8_ROW),
    "awq-gemm": Layout(CT, q("awq", bits=4, group_size=128, zero_point=True, version="gemm"), awq),
    "awq-quant-config": Layout(
        "", {"w_bit": 4, "q_group_size": 128, "zero_point": True, "version": "GEMM"}, awq, "quant_config.json"
    ),
    "awq-gemv": Layout(CT, q("awq", bits=4, group_size=128, zero_point=True, version="gemv"), gemv),
    "gptq-4": Layout(CT, q("gptq", bits=4, group_size=128, desc_act=False, sym=True), gptq(4)),
    "gptq-3": Layout(CT, q("gptq", bits=3, group_size=128, checkpoint_format="gptq_v2"), gptq(3)),
    "gptq-quantize-config": Layout("", {"bits": 8, "group_size": 128, "sym": True}, gptq(8), "quantize_config.json"),
    "auto-round": Layout(CT, q("auto-round", bits=4, group_size=128, packing_format="auto_round:auto_gptq"), gptq(4)),
    "auto-round-awq": Layout(CT, q("auto-round", bits=4, group_size=128, packing_format="auto_round:auto_awq"), awq),
    "bnb-nf4": Layout(CT, q("bitsandbytes", **BNB, bnb_4bit_use_double_quant=False), bnb(nested=False)),
    "bnb-nf4-nested": Layout(CT, q("bitsandbytes", **BNB, bnb_4bit_use_double_quant=True), bnb(nested=True)),
    "bnb-int8": Layout(
        CT,
        q("bitsandbytes", load_in_8bit=True, load_in_4bit=False, llm_int8_skip_modules=["lm_head"]),
        lambda o, i: {".weight": ("I8", (o, i)), ".SCB": ("F32", (o,)), ".weight_format": ("U8", ())},
    ),
    "modelopt-fp8": Layout(
        "quantization",
        modelopt("FP8"),
        lambda o, i: {".weight": ("F8_E4M3", (o, i)), ".weight_scale": ("F32", ()), ".input_scale": ("F32", ())},
        "hf_quant_config.json",
    ),
    "modelopt-fp8-channel": Layout(
        "quantization",
        modelopt("FP8_PER_CHANNEL_PER_TOKEN"),
        lambda o, i: {".weight": ("F8_E4M3", (o, i)), ".weight_scale": ("F32", (o,))},
        "hf_quant_config.json",
    ),
    "modelopt-nvfp4": Layout("quantization", modelopt("NVFP4", group_size=16), FP4, "hf_quant_config.json"),
    "modelopt-nvfp4-config": Layout(
        CT,
        {
            "quant_method": "modelopt",
            "quant_algo": "NVFP4",
            "ignore": ["lm_head"],
            "config_groups": {
                "group_0": {"targets": ["Linear"], "weights": {"num_bits": 4, "type": "float", "group_size": 16}}
            },
        },
        FP4,
    ),
    "modelopt-w4": Layout(
        "quantization",
        modelopt("W4A16_AWQ", group_size=128),
        lambda o, i: {
            ".weight": ("U8", (o // 2, i)),
            ".weight_scale": ("F32", (o, i // 128)),
            ".pre_quant_scale": ("F32", (i,)),
        },
        "hf_quant_config.json",
    ),
    "quark-fp8": Layout(
        CT,
        q("quark", exclude=["lm_head"], global_quant_config={"weight": {"dtype": "fp8_e4m3"}}),
        lambda o, i: {".weight": ("F8_E4M3", (o, i)), ".weight_scale": ("F32", ()), ".input_scale": ("F32", ())},
    ),
    "quark-mxfp4": Layout(
        CT,
        q("quark", exclude=["lm_head"], global_quant_config={"weight": {"dtype": "fp4"}}),
        lambda o, i: {".weight": ("U8", (o, i // 2)), ".weight_scale": ("U8", (o, i // 32))},
    ),
    "mlx-4": Layout("quantization", {"group_size": 64, "bits": 4, "mode": "affine"}, mlx("BF16", 4, 64)),
    "mlx-6": Layout("quantization", {"group_size": 32, "bits": 6}, mlx("F16", 6, 32)),
    "mlx-mxfp4": Layout("quantization", {"group_size": 32, "bits": 4, "mode": "mxfp4"}, mlx("U8", 4, 32)),
    "mlx-nvfp4": Layout("quantization", {"group_size": 16, "bits": 4, "mode": "nvfp4"}, mlx("U8", 4, 16)),
    "torchao": Layout(
        CT,
        q("torchao", quant_type={"default": {}}),
        lambda o, i: {
            "._weight_qdata": ("U8", (o, i // 2)),
            "._weight_scale": ("BF16", (i // 32, o)),
            "._weight_zero_point": ("BF16", (i // 32, o)),
        },
    ),
    "hqq": Layout(
        CT,
        q("hqq", quant_config={"weight_quant_params": {"nbits": 4, "group_size": 64, "axis": 1}}),
        lambda o, i: {
            ".W_q": ("U8", (o * i // 128, 64)),
            ".scale": ("F16", (o * i // 64, 1)),
            ".zero": ("F16", (o * i // 64, 1)),
            ".shape": numbers(o, i),
            ".nbits": ("I64", ()),
        },
    ),
    "exl2": Layout(
        CT,
        q("exl2", bits=4.0, head_bits=6),
        lambda o, i: {
            ".q_weight": ("I32", (i // 8, o)),
            ".q_invperm": ("I32", (i,)),
            ".q_groups": ("I16", (2 * (i // 128),)),
            ".q_scale": ("I32", (i // 128, o // 8)),
            ".q_scale_max": ("F16", (i // 128,)),
        },
    ),
    "exl3": Layout(
        CT,
        q("exl3", bits=4.0, head_bits=6),
        lambda o, i: {
            ".trellis": ("I16", (i // 16, o // 16, 64)),
            ".suh": ("F16", (i,)),
            ".svh": ("F16", (o,)),
            ".mcg": ("I32", ()),
        },
    ),
    "aqlm": Layout(
        CT,
        q("aqlm", in_group_size=8, out_group_size=1, num_codebooks=1, nbits_per_codebook=8),
        lambda o, i: {
            ".codes": ("I16", (o, i // 8, 1)),
            ".codebooks": ("F16", (1, 256, 1, 8)),
            ".scales": ("F16", (o, 1, 1, 1)),
        },
    ),
    "vptq": Layout(
        CT,
        q("vptq", config_for_layers={}),
        lambda o, i: {".indices": ("I32", (1, o, i // 8)), ".centroids.weight": ("BF16", (1, 2048))},
    ),
    "quip": Layout(
        CT,
        q("quip"),
        lambda o, i: {".Qidxs": ("I64", (o, i // 8)), ".SU": ("F16", (i,)), ".SV": ("F16", (o,))},
    ),
    "eetq": Layout(CT, q("eetq"), lambda o, i: {".weight": ("I8", (i, o)), ".weight_scales": ("F16", (o,))}),
    "bitnet": Layout(CT, q("bitnet"), lambda o, i: {".weight": ("U8", (o // 4, i)), ".weight_scale": ("BF16", (1,))}),
}
