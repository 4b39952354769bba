"""Owns encoding: float32 values to the bytes of an element type, by numpy, the gguf package or ggml itself."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from model_contracts.converters.interface import ConversionRefused
from model_contracts.dtypes import DTYPES, GGML_CODES

Values = Any  # float32, flat
Bytes = Any  # uint8, flat
Encoder = Callable[[Values], Bytes]

#: Block types that the gguf package encodes bit for bit as ggml does, at a fifteenth of its speed.
_SIMPLE = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")
#: Types that ggml quantises well without an importance matrix.
_GGML = ("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS")
_CODES = {name: code for code, name in GGML_CODES.items()}
HOW_TO_GET = "pip install 'model-contracts[llamacpp]'"


def writable(dtype: str) -> bool:
    """Whether values are encoded as this type here."""
    return dtype in _PLAIN or dtype in _SIMPLE or dtype in _GGML


def encoder(dtype: str) -> Encoder:
    """What turns values into a type's bytes; their number is a multiple of its block. Raises ConversionRefused."""
    if dtype in _PLAIN:
        return _PLAIN[dtype]
    if dtype in _SIMPLE:
        return _by_ggml(dtype) if installed() else _by_gguf(dtype)
    if dtype in _GGML:
        return _by_ggml(dtype)
    raise ConversionRefused(f"{dtype}: no quantiser for it works here without an importance matrix")


def _f32(values: Values) -> Bytes:
    return np.ascontiguousarray(values, "<f4").view(np.uint8)


def _f64(values: Values) -> Bytes:
    return np.ascontiguousarray(values, "<f8").view(np.uint8)


def _f16(values: Values) -> Bytes:
    return values.astype("<f2").view(np.uint8)


def _bf16(values: Values) -> Bytes:
    """Round to nearest, ties to even; a NaN stays one."""
    bits = np.ascontiguousarray(values, "<f4").view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    nan = (bits & np.uint32(0x7FFFFFFF)) > np.uint32(0x7F800000)
    return np.where(nan, (bits >> np.uint32(16)) | np.uint32(0x40), rounded).astype("<u2").view(np.uint8)


_PLAIN: dict[str, Encoder] = {"F32": _f32, "F16": _f16, "BF16": _bf16, "F64": _f64}


@cache
def _by_gguf(dtype: str) -> Encoder:
    from gguf import GGMLQuantizationType, quants

    kind = GGMLQuantizationType[dtype]
    block = DTYPES[dtype].block

    def encode(values: Values) -> Bytes:
        _refuse_nonfinite(dtype, values)
        encoded: Bytes = quants.quantize(np.ascontiguousarray(values, np.float32).reshape(-1, block), kind)
        return encoded.reshape(-1)

    return encode


def _refuse_nonfinite(dtype: str, values: Values) -> None:
    """A block has no place for what is not finite; ggml ends the process over it."""
    if not np.isfinite(values).all():
        raise ConversionRefused(f"{dtype}: a NaN or an infinity cannot be quantised")


def installed() -> bool:
    """Whether ggml is there."""
    try:
        ggml()
    except ConversionRefused:
        return False
    return True


@cache
def ggml() -> ctypes.CDLL:
    """ggml inside the `xllamacpp` wheel. Raises ConversionRefused where it is not installed."""
    from importlib.util import find_spec

    spec = find_spec("xllamacpp")
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    files = [file for folder in folders for file in sorted(Path(folder).glob("xllamacpp*.so"))]
    if not files:
        raise ConversionRefused(f"K-quants are quantised by ggml itself, which is not installed: {HOW_TO_GET}")
    library = ctypes.CDLL(str(files[0]))
    library.ggml_quantize_chunk.argtypes = (
        ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p
    )  # fmt: skip
    library.ggml_quantize_chunk.restype = ctypes.c_size_t
    library.ggml_type_size.restype = ctypes.c_size_t
    return library


@cache
def _by_ggml(dtype: str) -> Encoder:
    library, code, kind = ggml(), _CODES[dtype], DTYPES[dtype]
    if library.ggml_type_size(code) != kind.block_bytes:
        raise ConversionRefused(f"the installed ggml lays {dtype} out otherwise than this program: {HOW_TO_GET}")
    library.ggml_quantize_init(code)

    def encode(values: Values) -> Bytes:
        source = np.ascontiguousarray(values, np.float32)
        rows = source.size // kind.block
        target = np.empty(rows * kind.block_bytes, np.uint8)
        _refuse_nonfinite(dtype, source)
        written = library.ggml_quantize_chunk(code, source.ctypes.data, target.ctypes.data, 0, rows, kind.block, None)
        if written != target.size:
            raise ConversionRefused(f"ggml wrote {written:,} bytes of {dtype} where {target.size:,} were due")
        return target

    return encode
