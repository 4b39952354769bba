"""Owns fields of a few bits in bytes: the stream from the lowest bit up that most layouts have, and padded words."""

from __future__ import annotations

from typing import Any

import numpy as np

#: In which nibble of a word, from the lowest, each of its eight columns lies (AutoAWQ, Quark).
REORDERED = np.array([0, 4, 1, 5, 2, 6, 3, 7])


def stream(raw: Any, bits: int, first: int, count: int) -> Any:
    """Fields first..first+count-1 of each row of bytes [rows, bytes], field k being bits k*bits and up.

    uint8 for up to 8 bits.
    """
    raw = np.ascontiguousarray(raw)
    if bits == 8:
        return raw[:, first : first + count]
    if bits in (1, 2, 4):
        each = 8 // bits
        low, high = first // each, -(-(first + count) // each)
        some = raw[:, low:high]
        fields = np.empty((*some.shape, each), np.uint8)
        for place in range(each):
            np.right_shift(some, place * bits, out=fields[..., place])
        fields &= np.uint8((1 << bits) - 1)
        skip = first - low * each
        return fields.reshape(len(raw), -1)[:, skip : skip + count]
    start = np.arange(first, first + count) * bits
    byte, shift = start >> 3, (start & 7).astype(np.uint16)
    padded = np.pad(raw, ((0, 0), (0, 1)))
    both = padded[:, byte + 1].astype(np.uint16) << 8
    both |= padded[:, byte]
    both >>= shift
    both &= np.uint16((1 << bits) - 1)
    return both.astype(np.uint8)


def padded(words: Any, bits: int, first: int, count: int) -> Any:
    """The same where each 32-bit word [rows, words] holds as many whole fields as fit, and wastes the rest."""
    each = 32 // bits
    low, high = first // each, -(-(first + count) // each)
    shifts = np.arange(each, dtype=np.uint32) * bits
    fields = (words[:, low:high, None] >> shifts) & np.uint32((1 << bits) - 1)
    skip = first - low * each
    return fields.astype(np.uint8).reshape(len(words), -1)[:, skip : skip + count]
