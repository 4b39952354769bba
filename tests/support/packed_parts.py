"""What the layouts of quantised folders make of one weight, and how they are declared."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, prod
from typing import Any

import numpy as np

from model_contracts.dtypes import DTYPES
from support.mutations import Stored

#: End of a part's name to its type and shape, or to the part itself.
Parts = dict[str, tuple[str, tuple[int, ...]] | Stored]


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


def ct(name: str, ignore: tuple[str, ...] = ("lm_head",), **weights: Any) -> dict[str, Any]:
    group = {"targets": ["Linear"], "input_activations": None, "weights": {"symmetric": True, **weights}}
    return {
        "quant_method": "compressed-tensors",
        "format": name,
        "quantization_status": "compressed",
        "config_groups": {"group_0": group},
        "ignore": list(ignore),
    }


def q(method: str, **block: Any) -> dict[str, Any]:
    return {"quant_method": method, **block}


def modelopt(algo: str, **block: Any) -> dict[str, Any]:
    return {"quant_algo": algo, "kv_cache_quant_algo": None, "exclude_modules": ["lm_head"], **block}


def state(rows: int, columns: int, nested: bool) -> Stored:
    state: dict[str, Any] = {"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [rows, columns]}
    if nested:
        state |= {"nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 0.05}
    data = json.dumps(state).encode()
    return Stored("U8", (len(data),), data)


def bnb(nested: bool) -> Callable[[int, int], Parts]:
    def parts(o: int, i: int) -> Parts:
        blocks = ceil(o * i / 64)
        made: Parts = {
            ".weight": ("U8", (o * i // 2, 1)),
            ".weight.absmax": ("U8" if nested else "F32", (blocks,)),
            ".weight.quant_map": ("F32", (16,)),
            ".weight.quant_state.bitsandbytes__nf4": state(o, i, nested),
        }
        if nested:
            made |= {
                ".weight.nested_absmax": ("F32", (ceil(blocks / 256),)),
                ".weight.nested_quant_map": ("F32", (256,)),
            }
        return made

    return parts


def gptq(bits: int) -> Callable[[int, int], Parts]:
    return lambda o, i: {
        ".qweight": ("I32", (i * bits // 32, o)),
        ".qzeros": ("I32", (i // 128, o * bits // 32)),
        ".scales": ("F16", (i // 128, o)),
        ".g_idx": numbers(*(column // 128 for column in range(i)), dtype="I32"),
    }


def pack(words: Callable[[int], int], group: int, zero: bool = False) -> Callable[[int, int], Parts]:
    def parts(o: int, i: int) -> Parts:
        made: Parts = {
            ".weight_packed": ("I32", (o, words(i))),
            ".weight_scale": ("BF16", (o, i // group)),
            ".weight_shape": numbers(o, i),
        }
        return made | ({".weight_zero_point": ("I32", (o // 8, i // group))} if zero else {})

    return parts


def awq(o: int, i: int) -> Parts:
    return {
        ".qweight": ("I32", (i, o // 8)),
        ".qzeros": ("I32", (i // 128, o // 8)),
        ".scales": ("F16", (i // 128, o)),
    }


def gemv(o: int, i: int) -> Parts:
    words = ceil(i / 128 / 8)
    return {".qweight": ("I32", (o, i // 8)), ".qzeros": ("I32", (o, words)), ".scales": ("F16", (o, 8 * words))}


def mlx(kind: str, bits: int, group: int) -> Callable[[int, int], Parts]:
    def parts(o: int, i: int) -> Parts:
        made: Parts = {".weight": ("U32", (o, i * bits // 32)), ".scales": (kind, (o, i // group))}
        return made | ({".biases": (kind, (o, i // group))} if kind != "U8" else {})

    return parts


FP4: Callable[[int, int], Parts] = lambda o, i: {  # noqa: E731
    ".weight": ("U8", (o, i // 2)),
    ".weight_scale": ("F8_E4M3", (o, i // 16)),
    ".weight_scale_2": ("F32", ()),
    ".input_scale": ("F32", ()),
}
FP8_ROW: Callable[[int, int], Parts] = lambda o, i: {  # noqa: E731
    ".weight": ("F8_E4M3", (o, i)),
    ".weight_scale": ("F32", (o, 1)),
}
BLOCKS: Callable[[int, int], Parts] = lambda o, i: {  # noqa: E731
    ".weight": ("F8_E4M3", (o, i)),
    ".weight_scale_inv": ("F32", (ceil(o / 128), ceil(i / 128))),
}
CT, BNB = "quantization_config", {"load_in_4bit": True, "load_in_8bit": False, "bnb_4bit_quant_type": "nf4"}
