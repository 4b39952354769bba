"""Owns decoding in numpy: blocks of bytes to values, whole blocks at a time. Layouts: ggml-common.h; apr.md 3.2.

A decoder takes `blocks`, uint8 [n, block_bytes], and writes `out`, float32 or float64 [n, block]. Rounding follows
the reference (scale times scale first, then times the quant, then minus the minimum), so that results are bit-equal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from model_contracts.dtypes import DTYPES
from model_contracts.sweep.kernels.decode_tables import FLOAT8, IQ4, float8
from model_contracts.sweep.kernels.totals import Bytes, Values

Decoder = Callable[[Bytes, Values], None]

#: Types whose values float32 does not hold: decoded to float64.
WIDE = {"F64": "<f8", "I64": "<i8", "U64": "<u8", "I32": "<i4", "U32": "<u4"}
_PLAIN = {"F32": "<f4", "I16": "<i2", "U16": "<u2", "I8": "i1", "U8": "u1"}
#: Types whose blocks the gguf package decodes for us.
BORROWED = ("MXFP4", "NVFP4", "TQ1_0", "TQ2_0", "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S")


def half(data: Bytes) -> Any:
    """float16 scales, uint8 [n, 2k], as float32 [n, k]."""
    return data.view("<f2").astype(np.float32)


def bf16(blocks: Bytes, out: Values) -> None:
    """The upper half of a float32."""
    bits = out.reshape(-1).view(np.uint32)
    np.copyto(bits, blocks.reshape(-1).view("<u2"))
    np.left_shift(bits, 16, out=bits)


def f16(blocks: Bytes, out: Values) -> None:
    """IEEE half: exponent and mantissa moved into place, then scaled by 2**112 (subnormals come out exact)."""
    halves = blocks.reshape(-1).view("<u2")
    values = out.reshape(-1)
    bits = values.view(np.uint32)
    sign = halves.astype(np.uint32)
    np.bitwise_and(sign, 0x7FFF, out=bits)
    special = bool(bits.size) and int(bits.max()) >= 0x7C00
    np.left_shift(bits, 13, out=bits)
    np.multiply(values, np.float32(2.0**112), out=values)
    np.right_shift(sign, 15, out=sign)
    np.left_shift(sign, 31, out=sign)
    np.bitwise_or(bits, sign, out=bits)
    if special:
        np.copyto(values, halves.view("<f2"), where=(halves & 0x7C00) == 0x7C00)


def _cast(dtype: str) -> Decoder:
    def decode(blocks: Bytes, out: Values) -> None:
        np.copyto(out.reshape(-1), blocks.reshape(-1).view(dtype), casting="unsafe")

    return decode


def boolean(blocks: Bytes, out: Values) -> None:
    """Any byte but 0 is true."""
    np.copyto(out.reshape(-1), blocks.reshape(-1) != 0)


def _float8(name: str) -> Decoder:
    def decode(blocks: Bytes, out: Values) -> None:
        np.take(float8(name), blocks.reshape(-1), out=out.reshape(-1), mode="clip")

    return decode


def _nibbles(quants: Bytes) -> Bytes:
    """uint8 [n, k, w] to [n, k, 2, w]: low nibbles, then high ones."""
    both = np.empty((*quants.shape[:-1], 2, quants.shape[-1]), np.uint8)
    np.bitwise_and(quants, 15, out=both[..., 0, :])
    np.right_shift(quants, 4, out=both[..., 1, :])
    return both


def _bits(data: Bytes, width: int, count: int) -> Bytes:
    """uint8 [n, k, w] to [n, k, count, w]: fields of `width` bits, lowest first."""
    fields = np.empty((*data.shape[:-1], count, data.shape[-1]), np.uint8)
    for place in range(count):
        np.right_shift(data, place * width, out=fields[..., place, :])
    return np.bitwise_and(fields, (1 << width) - 1, out=fields)


def _scaled(quants: Any, scale: Any, out: Values, minimum: Any = None) -> None:
    """out = scale * quants - minimum, in float32."""
    np.multiply(quants, scale, out=out, dtype=np.float32)
    if minimum is not None:
        np.subtract(out, minimum, out=out)


def q4_0(blocks: Bytes, out: Values) -> None:
    """d, 16 bytes of nibbles: (q - 8) d."""
    quants = _nibbles(blocks[:, 2:]).reshape(-1, 32)
    quants -= 8
    _scaled(quants.view(np.int8), half(blocks[:, :2]), out)


def q4_1(blocks: Bytes, out: Values) -> None:
    """d, m, 16 bytes of nibbles: q d + m."""
    _scaled(_nibbles(blocks[:, 4:]).reshape(-1, 32), half(blocks[:, :2]), out)
    out += half(blocks[:, 2:4])


def _fifth_bit(packed: Bytes) -> Bytes:
    """uint8 [n, 4] to [n, 32], 16 where the bit is set."""
    return np.unpackbits(packed, axis=1, bitorder="little") << np.uint8(4)


def q5_0(blocks: Bytes, out: Values) -> None:
    """d, 32 high bits, 16 bytes of nibbles: (q - 16) d."""
    quants = _nibbles(blocks[:, 6:]).reshape(-1, 32)
    quants |= _fifth_bit(blocks[:, 2:6])
    quants -= 16
    _scaled(quants.view(np.int8), half(blocks[:, :2]), out)


def q5_1(blocks: Bytes, out: Values) -> None:
    """d, m, 32 high bits, 16 bytes of nibbles: q d + m."""
    quants = _nibbles(blocks[:, 8:]).reshape(-1, 32)
    quants |= _fifth_bit(blocks[:, 4:8])
    _scaled(quants, half(blocks[:, :2]), out)
    out += half(blocks[:, 2:4])


def q8_0(blocks: Bytes, out: Values) -> None:
    """d, 32 signed bytes: q d."""
    _scaled(blocks[:, 2:].view(np.int8), half(blocks[:, :2]), out)


def q8_1(blocks: Bytes, out: Values) -> None:
    """d, a sum, 32 signed bytes: q d."""
    _scaled(blocks[:, 4:].view(np.int8), half(blocks[:, :2]), out)


def q8_k(blocks: Bytes, out: Values) -> None:
    """d as float32, 256 signed bytes, sums of sixteen: q d."""
    _scaled(blocks[:, 4:260].view(np.int8), blocks[:, :4].view("<f4"), out)


def q2_k(blocks: Bytes, out: Values) -> None:
    """16 scale and minimum nibbles, 64 bytes of 2-bit quants, d, dmin."""
    scales = blocks[:, :16]
    quants = _bits(blocks[:, 16:80].reshape(-1, 2, 32), 2, 4).reshape(-1, 16, 16)
    scale = half(blocks[:, 80:82]) * (scales & 15).astype(np.float32)
    minimum = half(blocks[:, 82:84]) * (scales >> 4).astype(np.float32)
    _scaled(quants, scale[:, :, None], out.reshape(-1, 16, 16), minimum[:, :, None])


def q3_k(blocks: Bytes, out: Values) -> None:
    """32 bytes of high bits (clear: minus 4), 64 bytes of 2-bit quants, 12 bytes of 6-bit scales, d."""
    quants = _bits(blocks[:, 32:96].reshape(-1, 2, 32), 2, 4).reshape(-1, 256)
    high = _bits(blocks[:, None, :32], 1, 8).reshape(-1, 256)
    quants |= high << np.uint8(2)
    quants -= 4
    packed = blocks[:, 96:108]
    scales = _nibbles(packed[:, None, :8]).reshape(-1, 16)
    scales |= _bits(packed[:, None, 8:], 2, 4).reshape(-1, 16) << np.uint8(4)
    scales -= 32
    scale = half(blocks[:, 108:110]) * scales.view(np.int8).astype(np.float32)
    _scaled(quants.view(np.int8).reshape(-1, 16, 16), scale[:, :, None], out.reshape(-1, 16, 16))


def _scale_min(blocks: Bytes) -> tuple[Any, Any]:
    """The eight scales and minima of Q4_K and Q5_K as float32 [n, 8, 1], from d, dmin and 12 packed bytes."""
    first, second, third = (blocks[:, at : at + 4] for at in (4, 8, 12))
    scales = np.concatenate([first & 63, (third & 15) | ((first >> 2) & 48)], axis=1)
    minima = np.concatenate([second & 63, (third >> 4) | ((second >> 2) & 48)], axis=1)
    scale = half(blocks[:, :2]) * scales.astype(np.float32)
    minimum = half(blocks[:, 2:4]) * minima.astype(np.float32)
    return scale[:, :, None], minimum[:, :, None]


def q4_k(blocks: Bytes, out: Values) -> None:
    """d, dmin, 12 bytes of 6-bit scales and minima, 128 bytes of nibbles."""
    scale, minimum = _scale_min(blocks)
    quants = _nibbles(blocks[:, 16:].reshape(-1, 4, 32)).reshape(-1, 8, 32)
    _scaled(quants, scale, out.reshape(-1, 8, 32), minimum)


def q5_k(blocks: Bytes, out: Values) -> None:
    """As Q4_K, with 32 bytes of fifth bits before the nibbles."""
    scale, minimum = _scale_min(blocks)
    quants = _nibbles(blocks[:, 48:].reshape(-1, 4, 32)).reshape(-1, 8, 32)
    quants |= _bits(blocks[:, None, 16:48], 1, 8).reshape(-1, 8, 32) << np.uint8(4)
    _scaled(quants, scale, out.reshape(-1, 8, 32), minimum)


def q6_k(blocks: Bytes, out: Values) -> None:
    """128 bytes of low nibbles, 64 bytes of high pairs of bits, 16 signed scales, d."""
    quants = _nibbles(blocks[:, :128].reshape(-1, 2, 64)).reshape(-1, 256)
    quants |= _bits(blocks[:, 128:192].reshape(-1, 2, 32), 2, 4).reshape(-1, 256) << np.uint8(4)
    quants -= 32
    scale = half(blocks[:, 208:210]) * blocks[:, 192:208].view(np.int8).astype(np.float32)
    _scaled(quants.view(np.int8).reshape(-1, 16, 16), scale[:, :, None], out.reshape(-1, 16, 16))


def iq4_nl(blocks: Bytes, out: Values) -> None:
    """d, 16 bytes of nibbles that index a table of sixteen."""
    _scaled(IQ4[_nibbles(blocks[:, 2:])].reshape(-1, 32), half(blocks[:, :2]), out)


def iq4_xs(blocks: Bytes, out: Values) -> None:
    """d, eight 6-bit scales (high pairs, then low nibbles), 128 bytes of nibbles that index the same table."""
    high = (blocks[:, 2:4].view("<u2") >> np.arange(0, 16, 2, dtype=np.uint16)).astype(np.uint8) & np.uint8(3)
    low = np.stack([blocks[:, 4:8] & 15, blocks[:, 4:8] >> 4], axis=-1).reshape(-1, 8)
    scales = ((low | (high << np.uint8(4))) - np.uint8(32)).view(np.int8)
    scale = half(blocks[:, :2]) * scales.astype(np.float32)
    quants = IQ4[_nibbles(blocks[:, 8:].reshape(-1, 8, 16))].reshape(-1, 8, 32)
    _scaled(quants, scale[:, :, None], out.reshape(-1, 8, 32))


def apr_q4(blocks: Bytes, out: Values) -> None:
    """d, 16 bytes of nibbles, a byte's two values side by side: (q - 8) d."""
    quants = np.empty((len(blocks), 16, 2), np.uint8)
    np.bitwise_and(blocks[:, 2:], 15, out=quants[..., 0])
    np.right_shift(blocks[:, 2:], 4, out=quants[..., 1])
    quants -= 8
    _scaled(quants.view(np.int8).reshape(-1, 32), half(blocks[:, :2]), out)


def apr_q8(scale: np.float32) -> Decoder:
    """Signed bytes under the one scale of the tensor."""

    def decode(blocks: Bytes, out: Values) -> None:
        np.multiply(blocks.reshape(-1).view(np.int8), scale, out=out.reshape(-1), dtype=np.float32)

    return decode


def _borrowed(name: str) -> Decoder:
    def decode(blocks: Bytes, out: Values) -> None:
        import gguf

        out[...] = gguf.quants.dequantize(blocks, gguf.GGMLQuantizationType[name])

    return decode


DECODERS: dict[str, Decoder] = {
    "BF16": bf16, "F16": f16, "BOOL": boolean,
    "Q4_0": q4_0, "Q4_1": q4_1, "Q5_0": q5_0, "Q5_1": q5_1, "Q8_0": q8_0, "Q8_1": q8_1, "Q8_K": q8_k,
    "Q2_K": q2_k, "Q3_K": q3_k, "Q4_K": q4_k, "Q5_K": q5_k, "Q6_K": q6_k,
    "IQ4_NL": iq4_nl, "IQ4_XS": iq4_xs, "APR_Q4": apr_q4,
    **{name: _cast(dtype) for name, dtype in (WIDE | _PLAIN).items()},
    **{name: _float8(name) for name in FLOAT8},
    **{name: _borrowed(name) for name in BORROWED},
}  # fmt: skip


def decoder(name: str, scale: np.float32 | None = None) -> Decoder | None:
    """The decoder of a type; None where nothing decodes it. APR_Q8 needs its tensor's scale."""
    if name == "APR_Q8":
        return apr_q8(scale if scale is not None else np.float32(1))
    return DECODERS.get(name)


def value_type(name: str) -> type[np.float32] | type[np.float64]:
    """float64 for the types that float32 does not hold, else float32."""
    return np.float64 if name in WIDE else np.float32


assert set(DECODERS) | {"APR_Q8"} <= set(DTYPES)
