"""Owns the comparisons of tables that packed weights carry with the tables of their types (bitsandbytes)."""

from __future__ import annotations

from functools import partial

import numpy as np

from model_contracts.anatomy.storage.packed import PackedWeight
from model_contracts.anatomy.view import View
from model_contracts.artifact import Tensor
from model_contracts.checks.drafts import Draft, gap
from model_contracts.checks.interface import Comparisons
from model_contracts.outcome import Comparison, Place
from model_contracts.sweep.reads import Files, small_bytes

#: The quantiles of a normal distribution that NF4 has, and the steps of FP4 (bitsandbytes 0.50.2, computed by it).
_NF4 = (
    -1.0, -0.6961928, -0.52507305, -0.3949175, -0.28444138, -0.18477343, -0.09105004, 0.0, 0.0795803, 0.1609302,
    0.2461123, 0.33791524, 0.44070983, 0.562617, 0.72295684, 1.0,
)  # fmt: skip
_FP4 = (0.0, 1 / 192, 2 / 3, 1.0, 1 / 3, 1 / 2, 1 / 6, 1 / 4)
TABLES = {"nf4": _NF4, "fp4": (*_FP4, *(-value for value in _FP4))}
#: Some writers round FP4's steps to four digits.
_NEAR = 1e-4


def tables_of(view: View) -> Comparisons:
    """The sixteen values of each weight's table are those of its type; the table of its magnitudes is in order."""
    files = Files()
    try:
        for weight in view.storage.weights:
            for part in weight.layout.parts:
                tensor = weight.part(part)
                if part.role not in ("codebook", "nested_codebook") or tensor is None:
                    continue
                data = small_bytes(tensor, 4096, files) if tensor.dtype == "F32" else None
                if data is None:
                    yield gap(tensor, "its table was not read")
                    continue
                values = np.frombuffer(data, "<f4")
                expected = TABLES.get(str(weight.settings.get("type"))) if part.role == "codebook" else None
                holds = _is_table(values, expected)
                yield Draft(holds, partial(_table, weight, tensor, holds, expected is not None), len(values))
    finally:
        files.close()


def _is_table(values: np.ndarray[tuple[int], np.dtype[np.float32]], expected: tuple[float, ...] | None) -> bool:
    if not np.isfinite(values).all() or np.abs(values).max(initial=0.0) > 1:
        return False
    if expected is None:
        return bool((np.diff(values) >= 0).all())
    return len(values) == len(expected) and bool(np.abs(values - np.array(expected, np.float32)).max() <= _NEAR)


def _table(weight: PackedWeight, tensor: Tensor, holds: bool, typed: bool) -> Comparison:
    kind = str(weight.settings.get("type")).upper()
    return Comparison(
        measure="table",
        place=Place(file=tensor.file.name, tensor=tensor.name),
        expected=f"the values of {kind}" if typed else "values from -1 to 1 in order",
        observed="as expected" if holds else "other values",
        holds=holds,
        count=tensor.elements,
        note=None if holds else f"a part of {weight.name}: readers with the table of {kind} make other values of it",
    )
