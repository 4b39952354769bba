"""Owns weights of one value a layer that a folder has as tensors and a GGUF as a key: made, and compared."""

from __future__ import annotations

import numpy as np

from model_contracts.anatomy.families.names import template
from model_contracts.anatomy.view import View
from model_contracts.artifact import Tensor
from model_contracts.sweep.rows import read_rows


def kept_as_key(key: str, tensor: Tensor, side: View, other: View) -> str | None:
    """The key of a GGUF that holds the one value of a tensor of the other side; None where none does, or another value.

    Values are compared in F32, in which a GGUF keeps them.
    """
    role, (_, layer) = side.role(key), template(key)
    if (
        role is None
        or role.gguf_key is None
        or layer is None
        or tensor.elements != 1
        or not other.artifact.form.prefixed_keys
    ):
        return None
    name = role.gguf_key.replace("{arch}", str(other.artifact.metadata.get("general.architecture", "")))
    held = other.artifact.metadata.get(name)
    value = held[layer] if isinstance(held, list | tuple) and layer < len(held) else held
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return f"{name}, layer {layer}" if _value(tensor) == np.float32(value) else None


def as_keys(view: View, architecture: str) -> dict[str, list[float]]:
    """Keys of a GGUF to what the tensors of a folder hold, layer by layer; none where a layer has no such tensor."""
    found: dict[str, dict[int, float]] = {}
    for name, tensor in view.artifact.tensors.items():
        key = view.canonical[name]
        role = view.role(key) if key is not None else None
        if key is None or role is None or role.gguf_key is None or tensor.elements != 1:
            continue
        layer = template(key)[1]
        if layer is not None:
            found.setdefault(role.gguf_key.replace("{arch}", architecture), {})[layer] = float(_value(tensor))
    layers = view.numbers.get("num_hidden_layers")
    return {key: [each[layer] for layer in sorted(each)] for key, each in found.items() if len(each) == layers}


def _value(tensor: Tensor) -> np.float32:
    return np.float32(read_rows(tensor, 0, tensor.rows).reshape(-1)[0])
