"""Files of tensors without a container, random blocks of every type, and plain definitions of what a pass measures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from model_contracts.artifact import Tensor
from model_contracts.dtypes import DTYPES

#: Where the half-precision scales of a block lie; random bytes there would mostly be absurd.
SCALES: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(["Q4_0", "Q5_0", "Q8_0", "IQ4_NL", "IQ4_XS", "APR_Q4", "IQ1_S"], (0,)),
    **dict.fromkeys(["IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S"], (0,)),
    **dict.fromkeys(["Q4_1", "Q5_1", "Q4_K", "Q5_K"], (0, 2)),
    "Q2_K": (80, 82), "Q3_K": (108,), "Q6_K": (208,), "TQ1_0": (52,), "TQ2_0": (64,),
}  # fmt: skip


def random_blocks(name: str, blocks: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Random blocks of a type, uint8 [blocks, block_bytes], with scales of the size that weights have."""
    rng = np.random.default_rng(seed)
    raw = rng.integers(0, 256, (blocks, DTYPES[name].block_bytes), dtype=np.uint8)
    for place in SCALES.get(name, ()):
        scale = rng.uniform(-0.01, 0.01, blocks).astype(np.float16)
        raw[:, place : place + 2] = scale.view(np.uint8).reshape(blocks, 2)
    if name in ("Q8_1", "Q8_K"):
        raw[:, :4] = rng.uniform(-0.01, 0.01, blocks).astype("<f4").view(np.uint8).reshape(blocks, 4)
    return raw


def bf16(values: Any) -> bytes:
    """float32 values as BF16 bytes, truncated."""
    return (np.ascontiguousarray(values, "<f4").view(np.uint32) >> 16).astype("<u2").tobytes()


def as_float(data: bytes) -> Any:
    """BF16 bytes as float32."""
    return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)


class TensorFile:
    """A file that grows tensor by tensor."""

    def __init__(self, path: Path, header: bytes = b"") -> None:
        self.path = path
        self.path.write_bytes(header)

    def add(self, name: str, dtype: str, shape: tuple[int, ...], data: bytes, **changes: Any) -> Tensor:
        """Append a tensor's bytes; `changes` replace fields of its Tensor."""
        offset = self.path.stat().st_size
        with self.path.open("ab") as file:
            file.write(data)
        return replace(Tensor(name, dtype, shape, self.path, offset, len(data)), **changes)

    def pad(self, data: bytes) -> None:
        """Append bytes that belong to no tensor."""
        with self.path.open("ab") as file:
            file.write(data)
