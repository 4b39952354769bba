"""Broken safetensors files: a header that lies, holes, cuts and names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cases.byte_edits import Edit, appended, cut, put
from cases.gates import DTYPES, FAMILY, FORMAT, LAYOUT, NAMES, PORTABLE, SIZES
from cases.interface import QWEN2, Make, Variant, broken, seen
from cases.makers import directory, header
from support.mutations import bytes_of
from support.safetensors_files import Members

K = "model.layers.0.self_attn.k_proj.weight"
OTHER_K = "model.layers.1.self_attn.k_proj.weight"
_EMPTY = {"dtype": "BF16", "shape": [0], "data_offsets": [0, 0]}


def _file(edit: Edit) -> Make:
    def edit_directory(target: Path) -> None:
        with bytes_of(target / "model.safetensors") as data:
            edit(data)

    return directory(QWEN2, edit_directory)


def _entry(members: Members, name: str) -> dict[str, Any]:
    return next(value for key, value in members if key == name)


def _with(name: str, **fields: Any) -> Callable[[Members], None]:
    return lambda members: _entry(members, name).update(fields)


def _same_bytes(members: Members) -> None:
    _entry(members, K)["data_offsets"] = _entry(members, OTHER_K)["data_offsets"]


def _space_first(data: bytearray) -> None:
    length = int.from_bytes(data[:8], "little")
    data[:8] = (length + 1).to_bytes(8, "little") + b" "


def _twice(members: Members) -> None:
    members.append((K, dict(_entry(members, K))))


VARIANTS: tuple[Variant, ...] = (
    broken(
        "safetensors-header-past-the-end",
        _file(put(0, "Q", 90_000_000)),
        seen(SIZES, "header_fits_file", expected=90_000_008, observed=5_756_624),
    ),
    broken(
        "safetensors-header-over-the-limit",
        _file(put(0, "Q", 100_000_001)),
        seen(FORMAT, "header_length", observed=100_000_001),
    ),
    broken("safetensors-header-not-json", _file(put(9, "4s", b"oops")), seen(FORMAT, "header_json", offset=9)),
    broken("safetensors-header-not-utf8", _file(put(12, "B", 0xFF)), seen(FORMAT, "header_utf8", offset=12)),
    broken("safetensors-equal-names", header(QWEN2, _twice), seen(NAMES, "name_unique", tensor=K)),
    broken(
        "safetensors-two-tensors-on-the-same-bytes",
        header(QWEN2, _same_bytes),
        seen(FORMAT, "no_hole"),
    ),
    broken(
        "f35-grown-dimension",
        header(QWEN2, _with(K, shape=[256, 256])),
        seen(FORMAT, "extent_matches_shape", tensor=K, expected="131,072 bytes", observed="65,536 bytes"),
        seen(LAYOUT, "shape", tensor=K, expected=[128, 256], observed=[256, 256]),
    ),
    broken(
        "f20-truncated-by-one-byte",
        _file(cut()),
        seen(SIZES, "file_size", expected=5_756_624, observed=5_756_623, words="1 bytes are missing"),
    ),
    broken(
        "f20-truncated-by-30-percent",
        _file(cut(0.3)),
        seen(SIZES, "file_size", expected=5_756_624, words="1,726,987 bytes are missing"),
    ),
    broken(
        "safetensors-bytes-behind-the-data",
        _file(appended(b"PK\x03\x04")),
        seen(SIZES, "file_size", observed=5_756_628, words="4 bytes follow the last tensor"),
    ),
    broken(
        "safetensors-unknown-dtype",
        header(QWEN2, _with(K, dtype="F12")),
        seen(DTYPES, "dtype_known", tensor=K, observed="F12", words="no other type stands in"),
    ),
    broken(
        "safetensors-metadata-not-a-string",
        header(QWEN2, _with("__metadata__", format=7)),
        seen(FORMAT, "metadata_strings", expected="a string at 'format'", observed=7),
    ),
    broken(
        "safetensors-name-that-is-a-path",
        header(QWEN2, lambda members: members.append(("../../x", _EMPTY))),
        seen(PORTABLE, "name_legal", tensor="../../x"),
        seen(FAMILY, "tensor_known", tensor="../../x"),
    ),
    broken(
        "safetensors-space-before-the-header",
        _file(_space_first),
        seen(PORTABLE, "begins_with_brace", offset=8, words="MUST begin with {"),
        exit_code=0,
    ),
)
