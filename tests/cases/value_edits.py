"""Edits of values, rows and scales that the tables of conversions use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from support.gguf_models import GgufModel
from support.mutations import Floats


def changed(name: str, change: Callable[[Floats], Any]) -> Callable[[Any], None]:
    """One tensor's values changed, in a GGUF or .apr model or a dictionary of tensors."""

    def edit(model: Any) -> None:
        tensors = getattr(model, "tensors", model)
        tensors[name] = tensors[name].map(change)

    return edit


def put(row: int, column: int, value: float) -> Callable[[Floats], None]:
    def change(values: Floats) -> None:
        values[row, column] = value

    return change


def rows_dead(values: Floats) -> None:
    values[-max(1, len(values) // 100) :] = 0


def rows_swapped(name: str, a: int, b: int) -> Callable[[GgufModel], None]:
    """Two rows change places, as bytes: any type."""

    def edit(model: GgufModel) -> None:
        rows = model.tensors[name].rows
        rows[[a, b]] = rows[[b, a]]
        model.tensors[name] = model.tensors[name].of_rows(rows)

    return edit


def tensors_swapped(a: str, b: str) -> Callable[[GgufModel], None]:
    def edit(model: GgufModel) -> None:
        model.tensors[a], model.tensors[b] = model.tensors[b], model.tensors[a]

    return edit


def norms(shift: float) -> Callable[[GgufModel], None]:
    def edit(model: GgufModel) -> None:
        for name, tensor in model.tensors.items():
            if "norm" in name:
                model.tensors[name] = tensor.map(lambda values: values + shift)

    return edit


def rows_of_q_and_k(reorder: Callable[[Floats, int], Floats], q_heads: int, k_heads: int) -> Callable[[Any], None]:
    """Reorder the rows of every Q and K, in GGUF or Hugging Face names."""

    def edit(model: Any) -> None:
        tensors = getattr(model, "tensors", model)
        for name, tensor in tensors.items():
            heads = q_heads if ".attn_q." in name else k_heads if ".attn_k." in name else 0
            if heads:
                tensors[name] = tensor.map(lambda values, heads=heads: reorder(values, heads))

    return edit


def block_scales(name: str, factor: float) -> Callable[[GgufModel], None]:
    """Every scale and minimum of one Q4_K tensor multiplied."""

    def edit(model: GgufModel) -> None:
        blocks = np.frombuffer(model.tensors[name].data, np.uint8).reshape(-1, 144).copy()
        scales = blocks[:, :4].copy().view(np.float16) * np.float16(factor)
        blocks[:, :4] = scales.astype(np.float16).view(np.uint8)
        model.tensors[name] = model.tensors[name].of_rows(blocks)

    return edit
