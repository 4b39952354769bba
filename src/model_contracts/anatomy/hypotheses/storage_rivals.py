"""Owns rival explanations that lie in how values are stored: the other byte order, the other order of nibbles."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from model_contracts.anatomy.hypotheses.fits import Matrix

#: Of so many values, by type, the first half lies in the low nibbles and the second in the high ones.
_NIBBLES = {"Q4_0": 32, "Q4_1": 32, "IQ4_NL": 32, "MXFP4": 32, "Q4_K": 64}


def storage_rivals(dtype: str, declared: Matrix) -> Iterator[tuple[str, Matrix]]:
    """What a target of that type would hold of `declared` values, [rows, columns], with its bytes laid otherwise."""
    if (swapped := _other_byte_order(dtype, declared)) is not None:
        yield "bytes in the other order (big-endian values in a little-endian file)", swapped
    span = _NIBBLES.get(dtype)
    if span is None or declared.shape[1] % span:
        return
    parts = declared.reshape(declared.shape[0], -1, 2, span // 2)
    yield "nibbles in the other order (the high half of each byte first)", _flat(parts[:, :, ::-1], declared)
    pairs = declared.reshape(declared.shape[0], -1, span // 2, 2)
    yield (
        "nibbles in pairs (neighbours in one byte, where halves of a block are)",
        _flat(pairs.swapaxes(2, 3), declared),
    )


def _flat(parts: np.ndarray, like: Matrix) -> Matrix:
    values: Matrix = np.ascontiguousarray(parts).reshape(like.shape)
    return values


def _other_byte_order(dtype: str, declared: Matrix) -> Matrix | None:
    """Values of a float type with the bytes of each turned round; None for types of other sizes and kinds."""
    with np.errstate(all="ignore"):
        if dtype == "F32":
            return declared.astype("<f4").byteswap()
        if dtype == "F16":
            return declared.astype("<f2").byteswap().astype(np.float32)
        if dtype == "BF16":
            bits = declared.astype("<f4").view("<u4")
            halves = ((bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)) >> 16).astype("<u2").byteswap()
            return (halves.astype("<u4") << 16).view(np.float32)
    return None
