"""Owns the key-values of a GGUF file: hyper-parameters, types, and those of the tokenizer."""

from __future__ import annotations

from typing import Any

from model_contracts.converters.interface import TargetModel
from model_contracts.converters.tokenizer_keys import tokenizer_keys
from model_contracts.dtypes import DTYPES

Keys = dict[str, Any]


def keys_of(model: TargetModel) -> Keys:
    """Every key-value, in the order that it is written."""
    keys: Keys = {"general.architecture": model.architecture, "general.type": "model", "general.name": model.name}
    keys |= model.stated
    if model.file_type is not None:
        keys["general.file_type"] = model.file_type
    if any(DTYPES[tensor.dtype].kind == "quantised" for tensor in model.tensors):
        keys["general.quantization_version"] = 2
    return keys | tokenizer_keys(model.documents, int(model.numbers["vocab_size"]))
