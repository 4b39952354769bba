"""Broken GGUF files: counts, lengths, offsets and names that ggml refuses, each in an otherwise whole file."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cases.byte_edits import behind_name, cut, put, replaced
from cases.gates import DTYPES, FAMILY, FINITE, FORMAT, LAYOUT, NAMES, PORTABLE, SIZES
from cases.interface import QWEN2_Q4_K_M, Make, Variant, broken, seen
from cases.makers import gguf, raw, unchanged
from support.gguf_files import ARRAY, I32, STRING, U32, Raw
from support.gguf_models import GgufModel, Key

LAST = "blk.3.ffn_up.weight"
K, K_BIAS, LONG = "blk.0.attn_k.weight", "blk.0.attn_k.bias", "blk.0.attn_k" + "." * 46 + "weight"


def _model(edit: Callable[[GgufModel], None] = unchanged, **changes: Any) -> Make:
    return gguf(QWEN2_Q4_K_M, edit, **changes)


def _key(name: str, code: int, value: Any, **changes: Any) -> Make:
    def edit(model: GgufModel) -> None:
        model.keys[name] = Key(code, value)

    return _model(edit, **changes)


def _five_axes(model: GgufModel) -> None:
    model.tensors[K] = replace(model.tensors[K], shape=(1, 1, 1, 128, 256))


def _entry(name: str, letters: str, *values: Any) -> Make:
    return raw(QWEN2_Q4_K_M, behind_name(name, letters, *values))


VARIANTS: tuple[Variant, ...] = (
    broken("gguf-bad-magic", raw(QWEN2_Q4_K_M, put(0, "4s", b"FUGG")), seen(FORMAT, "magic", offset=0)),
    broken("gguf-version-0", _model(version=0), seen(FORMAT, "version", observed=0)),
    broken("gguf-version-1", _model(version=1), seen(FORMAT, "version", observed=1)),
    broken("gguf-version-of-the-future", _model(version=4), seen(FORMAT, "version", observed=4)),
    broken(
        "gguf-big-endian",
        raw(QWEN2_Q4_K_M, put(4, "I", 3, order=">")),
        seen(FORMAT, "byte_order", observed="version 3, big-endian"),
    ),
    broken("gguf-tensor-count-2-64", _model(n_tensors=2**64 - 1), seen(FORMAT, "count_bounded", offset=8)),
    broken("gguf-key-count-2-64", _model(n_pairs=2**64 - 1), seen(FORMAT, "count_bounded", offset=16)),
    broken(
        "gguf-key-length-2-64",
        raw(QWEN2_Q4_K_M, put(24, "Q", 2**64 - 1)),
        seen(FORMAT, "key_length", offset=24, observed=2**64 - 1),
    ),
    broken("gguf-value-type-13", _key("general.new", 13, Raw(b"1234")), seen(FORMAT, "value_type", observed=13)),
    broken(
        "gguf-array-length-2-40",
        _key("general.new", ARRAY, Raw(struct.pack("<IQ", U32, 1 << 40))),
        seen(FORMAT, "array_length", observed=1 << 40),
    ),
    broken(
        "gguf-string-length-2-62",
        _key("general.new", STRING, Raw(struct.pack("<Q", 1 << 62))),
        seen(FORMAT, "string_length", observed=1 << 62),
    ),
    broken("gguf-empty-key", _key("", U32, 1), seen(NAMES, "key_named", expected="a key", observed="")),
    broken(
        "gguf-equal-keys",
        raw(QWEN2_Q4_K_M, replaced(b"general.name", b"general.type")),
        seen(NAMES, "key_unique", key="general.type"),
    ),
    broken("gguf-alignment-13", _key("general.alignment", U32, 13), seen(FORMAT, "alignment", observed=13)),
    broken(
        "gguf-alignment-as-int32",
        _key("general.alignment", I32, 32),
        seen(FORMAT, "alignment", key="general.alignment", observed="INT32"),
    ),
    broken(
        "gguf-alignment-24",
        _key("general.alignment", U32, 24, alignment=24),
        seen(PORTABLE, "alignment_power_of_two", key="general.alignment", observed=24),
        exit_code=0,
    ),
    broken(
        "gguf-laid-out-for-another-alignment",
        _key("general.alignment", U32, 64),
        seen(FORMAT, "offset_consecutive", tensor=K_BIAS, expected="byte 421,056 of the data"),
        seen(FINITE, "nonfinite_values", tensor="token_embd.weight"),
    ),
    broken(
        "gguf-name-of-64-bytes",
        _model(lambda model: model.rename(K, LONG)),
        seen(NAMES, "name_length", tensor=LONG, expected="fewer than 64 bytes"),
        seen(FAMILY, "tensor_present", tensor=K, observed="missing"),
    ),
    broken(
        "gguf-equal-tensor-names",
        raw(QWEN2_Q4_K_M, replaced(b"blk.1.attn_k.weight", K.encode())),
        seen(NAMES, "name_unique", tensor=K),
        seen(FAMILY, "tensor_present", tensor="blk.1.attn_k.weight", expected="once", observed="missing"),
    ),
    broken(
        "gguf-five-axes",
        _model(_five_axes),
        seen(FORMAT, "axes", tensor=K, expected="at most 4 axes", observed=5),
        seen(LAYOUT, "shape", tensor=K, expected=[128, 256], observed=[1, 1, 1, 128, 256]),
    ),
    broken(
        "gguf-axis-minus-1",
        _entry(K, "IQq", 2, 256, -1),
        seen(FORMAT, "shape_in_range", tensor=K),
        seen(LAYOUT, "shape", tensor=K, expected=[128, 256], observed=[2**64 - 1, 256]),
    ),
    broken(
        "gguf-row-of-64-in-q4-k",
        _entry(K, "IQQ", 2, 64, 512),
        seen(FORMAT, "row_is_whole_blocks", tensor=K, observed=64),
        seen(LAYOUT, "shape", tensor=K, expected=[128, 256], observed=[512, 64]),
    ),
    broken(
        "f35-gguf-grown-dimension",
        _entry(K, "IQQ", 2, 256, 256),
        seen(FORMAT, "offset_consecutive", tensor="blk.0.attn_norm.weight"),
        seen(LAYOUT, "shape", tensor=K, expected=[128, 256], observed=[256, 256]),
        seen(FINITE, "nonfinite_values", tensor=K),  # it reads on into its neighbour
    ),
    broken(
        "f35-gguf-grown-dimension-at-the-end",
        _entry(LAST, "IQQ", 2, 256, 1024),
        seen(SIZES, "data_size", observed=1_910_560, words="1 tensors are cut"),
        seen(LAYOUT, "shape", tensor=LAST, expected=[512, 256], observed=[1024, 256]),
    ),
    broken(
        "gguf-unknown-dtype",
        _entry(K, "IQQI", 2, 256, 128, 99),
        seen(DTYPES, "dtype_known", tensor=K, observed=99, words="no other type stands in"),
    ),
    broken(
        "gguf-two-tensors-on-the-same-bytes",
        _entry(K_BIAS, "IQIQ", 1, 128, 0, 0),
        seen(FORMAT, "offset_consecutive", tensor=K_BIAS, observed="byte 0", words=("llama.cpp refuses", "gguf-py")),
    ),
    broken(
        "gguf-unaligned-offset",
        _entry(K_BIAS, "IQIQ", 1, 128, 0, 4),
        seen(FORMAT, "offset_consecutive", tensor=K_BIAS, observed="byte 4"),
    ),
    broken(
        "gguf-offset-2-64",
        _entry(K_BIAS, "IQIQ", 1, 128, 0, 2**64 - 32),
        seen(FORMAT, "offset_consecutive", tensor=K_BIAS),
    ),
    broken("gguf-truncated-by-one-byte", raw(QWEN2_Q4_K_M, cut()), seen(SIZES, "data_size", observed=1_910_559)),
    broken(
        "gguf-truncated-by-30-percent",
        raw(QWEN2_Q4_K_M, cut(0.3)),
        seen(SIZES, "data_size", expected=1_910_560, words="tensors are cut or gone"),
    ),
    broken(
        "gguf-bytes-behind-the-data",
        _model(tail=b"PK\x03\x04"),
        seen(PORTABLE, "trailing_bytes"),
        exit_code=0,
    ),
)
