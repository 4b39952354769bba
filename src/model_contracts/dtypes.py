"""Owns the element types: what each is called, how many values a block holds and how many bytes it takes.

One name means one layout in the whole program, whatever number a container gives it. Sources: the safetensors
format page; ggml.h `enum ggml_type` and its block structures; the .apr dtype byte (apr.md section 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["float", "integer", "boolean", "complex", "quantised"]


@dataclass(frozen=True, slots=True)
class Dtype:
    """One element type: `block` values are stored together in `block_bytes` bytes."""

    name: str
    kind: Kind
    block: int
    block_bytes: int

    @property
    def bits(self) -> float:
        """Bits per stored value."""
        return 8 * self.block_bytes / self.block

    def nbytes(self, elements: int) -> int:
        """Bytes that `elements` values take; the last block is counted whole (exact Python integers, no overflow)."""
        return -(-elements // self.block) * self.block_bytes


def _plain(kind: Kind, **sizes: int) -> list[Dtype]:
    return [Dtype(name, kind, 1, size) for name, size in sizes.items()]


def _blocks(block: int, **sizes: int) -> list[Dtype]:
    return [Dtype(name, "quantised", block, size) for name, size in sizes.items()]


DTYPES: dict[str, Dtype] = {
    dtype.name: dtype
    for dtype in [
        *_plain("float", F64=8, F32=4, F16=2, BF16=2, F8_E4M3=1, F8_E5M2=1, F8_E8M0=1, F8_E4M3FNUZ=1, F8_E5M2FNUZ=1),
        Dtype("F4", "float", 2, 1),
        Dtype("F6_E2M3", "float", 4, 3),
        Dtype("F6_E3M2", "float", 4, 3),
        *_plain("integer", I64=8, I32=4, I16=2, I8=1, U64=8, U32=4, U16=2, U8=1),
        *_plain("boolean", BOOL=1),
        *_plain("complex", C64=8),
        *_blocks(32, Q4_0=18, Q4_1=20, Q5_0=22, Q5_1=24, Q8_0=34, Q8_1=36, IQ4_NL=18, MXFP4=17, APR_Q4=18),
        *_blocks(64, NVFP4=36, Q2_0=18),
        *_blocks(128, Q1_0=18),
        *_blocks(256, Q2_K=84, Q3_K=110, Q4_K=144, Q5_K=176, Q6_K=210, Q8_K=292, TQ1_0=54, TQ2_0=66),
        *_blocks(256, IQ1_S=50, IQ1_M=56, IQ2_XXS=66, IQ2_XS=74, IQ2_S=82, IQ3_XXS=98, IQ3_S=110, IQ4_XS=136),
        # One float32 scale for the whole tensor, then a signed byte a value: its size is 4 + elements (apr.md 3.2).
        Dtype("APR_Q8", "quantised", 1, 1),
    ]
}

#: ggml's type numbers (4, 5, 31-33 and 36-38 were removed upstream and are refused). Sizes are those that
#: `ggml_type_size` of llama.cpp b11549 gives; gguf-py 0.19 has 40 for Q8_1 and does not know Q2_0.
GGML_CODES: dict[int, str] = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 9: "Q8_1",
    10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K",
    16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS",
    24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 30: "BF16",
    34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4", 40: "NVFP4", 41: "Q1_0", 42: "Q2_0",
}  # fmt: skip

#: The dtype byte of .apr as its current writer means it; 8 and 9 are told apart by size (apr.md 3.1).
APR_CODES: dict[int, str] = {
    0: "F32", 1: "F16", 3: "F64", 4: "I32", 5: "I64", 6: "I8", 7: "U8", 8: "APR_Q4", 9: "APR_Q8",
    12: "Q4_K", 14: "Q6_K", 30: "BF16", 128: "APR_Q4", 129: "APR_Q8",
}  # fmt: skip

#: The dtype words of safetensors 0.8; every one of them is its own name here.
SAFETENSORS_NAMES: frozenset[str] = frozenset({
    "BOOL", "F4", "F6_E2M3", "F6_E3M2", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ",
    "I16", "U16", "F16", "BF16", "I32", "U32", "F32", "C64", "F64", "I64", "U64",
})  # fmt: skip
