"""Owns the head of a safetensors file: the length, the JSON of names, types, shapes and places, padded to 8 bytes."""

from __future__ import annotations

import json
from typing import Any

from model_contracts.converters.interface import FileLayout, TargetModel


def layout(model: TargetModel) -> FileLayout:
    """Lay the tensors out in their order, without gaps (safetensors' format page)."""
    strings = {key: value for key, value in model.metadata.items() if isinstance(value, str)}
    header: dict[str, Any] = {"__metadata__": strings or {"format": "pt"}}
    at = 0
    for tensor in model.tensors:
        end = at + tensor.nbytes
        header[tensor.name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    head = len(text).to_bytes(8, "little") + text
    offsets = {t.name: len(head) + header[t.name]["data_offsets"][0] for t in model.tensors}
    return FileLayout(head, offsets, len(head) + at)
