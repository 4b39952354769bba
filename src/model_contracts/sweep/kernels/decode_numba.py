"""Owns decoding in numba: blocks of bytes to float32, one block after another. Layouts as in decode_numpy.

Every loop runs from 0 over slices, and as often as a size that is known only at run time: a loop of a constant 32 is
unrolled before it can be vectorised and takes three times as long. Nothing is contracted or reordered, so that results
are bit-equal to the reference.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from model_contracts.sweep.kernels.bits_numba import compiled, float_of, half_value, scale_of
from model_contracts.sweep.kernels.decode_tables import IQ4

_LEVELS = IQ4.astype(np.float32)


@compiled
def bf16(bits: Any, out: Any) -> Any:
    """uint16 [n] to float32 [n]."""
    for k in range(bits.size):
        out[k] = float_of(np.uint32(bits[k]) << np.uint32(16))


@compiled
def f16(bits: Any, out: Any) -> Any:
    """uint16 [n] to float32 [n]."""
    for k in range(bits.size):
        out[k] = half_value(bits[k])


@compiled
def apr_q8(quants: Any, scale: Any, out: Any) -> Any:
    """int8 [n] under one scale."""
    for k in range(quants.size):
        out[k] = np.float32(quants[k]) * scale


@compiled
def _low(quants: Any, offset: Any, scale: Any, out: Any) -> Any:
    for k in range(quants.size):
        out[k] = scale * np.float32(np.int32(quants[k] & np.uint8(15)) - offset)


@compiled
def _high(quants: Any, offset: Any, scale: Any, out: Any) -> Any:
    for k in range(quants.size):
        out[k] = scale * np.float32(np.int32(quants[k] >> np.uint8(4)) - offset)


@compiled
def _add(out: Any, minimum: Any) -> Any:
    for k in range(out.size):
        out[k] += minimum


@compiled
def q4_0(blocks: Any, out: Any) -> Any:
    """d, nibbles: (q - 8) d."""
    half = out.shape[1] // 2
    for n in range(blocks.shape[0]):
        quants, values = blocks[n, 2 : 2 + half], out[n]
        d = scale_of(blocks[n], 0)
        _low(quants, np.int32(8), d, values[:half])
        _high(quants, np.int32(8), d, values[half:])


@compiled
def q4_1(blocks: Any, out: Any) -> Any:
    """d, m, nibbles: q d + m."""
    half = out.shape[1] // 2
    for n in range(blocks.shape[0]):
        quants, values = blocks[n, 4 : 4 + half], out[n]
        d = scale_of(blocks[n], 0)
        _low(quants, np.int32(0), d, values[:half])
        _high(quants, np.int32(0), d, values[half:])
        _add(values, scale_of(blocks[n], 2))


@compiled
def _fives(block: Any, packed: Any, first: Any, offset: Any, scale: Any, values: Any) -> Any:
    """Five-bit quants: nibbles from byte `first`, fifth bits in the word `packed`."""
    half = values.size // 2
    quants, low, high = block[first : first + half], values[:half], values[half:]
    for k in range(half):
        fifth = np.int32((packed >> np.uint32(k)) & np.uint32(1)) << np.int32(4)
        low[k] = scale * np.float32(np.int32(np.int32(quants[k] & np.uint8(15)) | fifth) - offset)
    for k in range(half):
        fifth = np.int32((packed >> np.uint32(k + 16)) & np.uint32(1)) << np.int32(4)
        high[k] = scale * np.float32(np.int32(np.int32(quants[k] >> np.uint8(4)) | fifth) - offset)


@compiled
def _word(block: Any, place: Any) -> Any:
    word = np.uint32(0)
    for k in range(4):
        word |= np.uint32(block[place + k]) << np.uint32(8 * k)
    return np.uint32(word)


@compiled
def q5_0(blocks: Any, out: Any) -> Any:
    """d, fifth bits, nibbles: (q - 16) d."""
    for n in range(blocks.shape[0]):
        block = blocks[n]
        _fives(block, _word(block, 2), 6, np.int32(16), scale_of(block, 0), out[n])


@compiled
def q5_1(blocks: Any, out: Any) -> Any:
    """d, m, fifth bits, nibbles: q d + m."""
    for n in range(blocks.shape[0]):
        block, values = blocks[n], out[n]
        _fives(block, _word(block, 4), 8, np.int32(0), scale_of(block, 0), values)
        _add(values, scale_of(block, 2))


@compiled
def q8_0(blocks: Any, out: Any) -> Any:
    """d, signed bytes: q d."""
    for n in range(blocks.shape[0]):
        block, values = blocks[n], out[n]
        d = scale_of(block, 0)
        quants = block[2:34]
        for k in range(values.size):
            values[k] = np.float32(np.int8(quants[k])) * d


@compiled
def q2_k(blocks: Any, out: Any) -> Any:
    """Scale and minimum nibbles, 2-bit quants, d, dmin."""
    narrow = out.shape[1] // 16
    for n in range(blocks.shape[0]):
        block, values = blocks[n], out[n]
        d, dmin = scale_of(block, 80), scale_of(block, 82)
        for group in range(16):
            # Sixteen values: half 128s, then two bits, then which sixteen bytes.
            shift = np.uint8(2 * (group % 8 // 2))
            first = 16 + group // 8 * 32 + group % 2 * 16
            scale = d * np.float32(block[group] & np.uint8(15))
            minimum = dmin * np.float32(block[group] >> np.uint8(4))
            quants, into = block[first : first + 16], values[16 * group : 16 * group + 16]
            for k in range(narrow):
                into[k] = scale * np.float32((quants[k] >> shift) & np.uint8(3)) - minimum


@compiled
def q3_k(blocks: Any, out: Any) -> Any:
    """High bits, 2-bit quants, 6-bit scales, d."""
    narrow = out.shape[1] // 16
    for n in range(blocks.shape[0]):
        block, values = blocks[n], out[n]
        d = scale_of(block, 108)
        for group in range(16):
            shift = np.uint8(2 * (group % 8 // 2))
            first = 32 + group // 8 * 32 + group % 2 * 16
            bit = np.uint8(1 << (group // 2))
            six = (block[96 + group % 8] >> np.uint8(group // 8 * 4)) & np.uint8(15)
            six |= ((block[104 + group % 4] >> np.uint8(group // 4 * 2)) & np.uint8(3)) << np.uint8(4)
            scale = d * np.float32(np.int32(six) - 32)
            quants, high = block[first : first + 16], block[group % 2 * 16 : group % 2 * 16 + 16]
            into = values[16 * group : 16 * group + 16]
            for k in range(narrow):
                quant = np.int32((quants[k] >> shift) & np.uint8(3))
                into[k] = scale * np.float32(np.int32(quant - (0 if high[k] & bit else 4)))


@compiled
def _six_bits(block: Any, place: Any) -> Any:
    """Scale and minimum number `place` of the eight packed in bytes 4..15."""
    if place < 4:
        return block[4 + place] & np.uint8(63), block[8 + place] & np.uint8(63)
    packed = block[8 + place]
    scale = (packed & np.uint8(15)) | ((block[place] >> np.uint8(2)) & np.uint8(48))
    minimum = (packed >> np.uint8(4)) | ((block[4 + place] >> np.uint8(2)) & np.uint8(48))
    return scale, minimum


@compiled
def q4_k(blocks: Any, out: Any) -> Any:
    """d, dmin, 6-bit scales and minima, nibbles."""
    width = out.shape[1] // 8
    for n in range(blocks.shape[0]):
        block, values = blocks[n], out[n]
        d, dmin = scale_of(block, 0), scale_of(block, 2)
        for group in range(8):
            scale, minimum = _six_bits(block, group)
            d1, m1 = d * np.float32(scale), dmin * np.float32(minimum)
            shift = np.uint8(4 * (group % 2))
            first = 16 + group // 2 * 32
            quants, into = block[first : first + 32], values[32 * group : 32 * group + 32]
            for k in range(width):
                into[k] = d1 * np.float32((quants[k] >> shift) & np.uint8(15)) - m1


@compiled
def q5_k(blocks: Any, out: Any) -> Any:
    """As Q4_K, with fifth bits before the nibbles."""
    for n in range(blocks.shape[0]):
        block, values = blocks[n], out[n]
        d, dmin = scale_of(block, 0), scale_of(block, 2)
        fifths = block[16:48]
        for group in range(8):
            scale, minimum = _six_bits(block, group)
            d1, m1 = d * np.float32(scale), dmin * np.float32(minimum)
            shift, bit = np.uint8(4 * (group % 2)), np.uint8(group)
            first = 48 + group // 2 * 32
            quants, into = block[first : first + 32], values[32 * group : 32 * group + 32]
            for k in range(32):
                quant = (quants[k] >> shift) & np.uint8(15)
                fifth = ((fifths[k] >> bit) & np.uint8(1)) << np.uint8(4)
                into[k] = d1 * np.float32(np.uint8(quant | fifth)) - m1


@compiled
def q6_k(blocks: Any, out: Any) -> Any:
    """Low nibbles, high pairs of bits, signed scales, d."""
    width, narrow = out.shape[1] // 8, out.shape[1] // 16
    for n in range(blocks.shape[0]):
        block, values = blocks[n], out[n]
        d = scale_of(block, 208)
        for group in range(8):
            # 32 values: half 128s, then quarter; sixteen of them share a scale.
            half, quarter = group // 4, group % 4
            first, above = 64 * half + 32 * (quarter % 2), 128 + 32 * half
            shift, pair = np.uint8(4 * (quarter // 2)), np.uint8(2 * quarter)
            low, high = block[first : first + 32], block[above : above + 32]
            into = values[32 * group : 32 * group + 32]
            for k in range(width):
                quant = (low[k] >> shift) & np.uint8(15)
                above_four = ((high[k] >> pair) & np.uint8(3)) << np.uint8(4)
                into[k] = np.float32(np.uint8(quant | above_four)) - np.float32(32)
            for side in range(2):
                scale = d * np.float32(np.int8(block[192 + 2 * group + side]))
                sixteen = into[16 * side : 16 * side + 16]
                for k in range(narrow):
                    sixteen[k] *= scale


@compiled
def _levels(quants: Any, scale: Any, values: Any) -> Any:
    low, high = values[:16], values[16:32]
    for k in range(16):
        low[k] = scale * _LEVELS[quants[k] & np.uint8(15)]
        high[k] = scale * _LEVELS[quants[k] >> np.uint8(4)]


@compiled
def iq4_nl(blocks: Any, out: Any) -> Any:
    """d, nibbles that index sixteen levels."""
    for n in range(blocks.shape[0]):
        _levels(blocks[n, 2:18], scale_of(blocks[n], 0), out[n])


@compiled
def iq4_xs(blocks: Any, out: Any) -> Any:
    """d, 6-bit scales, nibbles that index the same levels."""
    for n in range(blocks.shape[0]):
        block = blocks[n]
        d = scale_of(block, 0)
        pairs = np.uint32(block[2]) | (np.uint32(block[3]) << np.uint32(8))
        for group in range(8):
            low = np.int32((block[4 + group // 2] >> np.uint8(group % 2 * 4)) & np.uint8(15))
            high = np.int32((pairs >> np.uint32(2 * group)) & np.uint32(3))
            scale = d * np.float32(np.int32(low + 16 * high) - 32)
            _levels(block[8 + 16 * group : 24 + 16 * group], scale, out[n, 32 * group : 32 * group + 32])


@compiled
def apr_q4(blocks: Any, out: Any) -> Any:
    """d, nibbles side by side: (q - 8) d."""
    for n in range(blocks.shape[0]):
        block, values = blocks[n], out[n]
        d = scale_of(block, 0)
        for k in range(32):
            quant = (block[2 + k // 2] >> np.uint8(k % 2 * 4)) & np.uint8(15)
            values[k] = d * np.float32(np.int32(quant) - 8)


BLOCKS = {
    "Q4_0": q4_0, "Q4_1": q4_1, "Q5_0": q5_0, "Q5_1": q5_1, "Q8_0": q8_0,
    "Q2_K": q2_k, "Q3_K": q3_k, "Q4_K": q4_k, "Q5_K": q5_k, "Q6_K": q6_k,
    "IQ4_NL": iq4_nl, "IQ4_XS": iq4_xs, "APR_Q4": apr_q4,
}  # fmt: skip
