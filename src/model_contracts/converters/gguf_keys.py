"""Owns the key-values of a GGUF file: hyper-parameters, types, and those of the tokenizer."""

from __future__ import annotations

from typing import Any

from model_contracts.converters import rope
from model_contracts.converters.interface import ConversionRefused, TargetModel
from model_contracts.converters.tokenizer_keys import tokenizer_keys
from model_contracts.dtypes import DTYPES
from model_contracts.outcome import jsonable

Keys = dict[str, Any]
#: Hyper-parameters whose GGUF key is a floating-point number.
_NUMBERS = ("rope_theta", "rms_norm_eps", "rope_scaling_factor")
#: The largest number of 32 bits.
_LARGEST = 3.4028234663852886e38
_REQUIRED = (
    "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "intermediate_size",
    "max_position_embeddings", "rope_theta", "rms_norm_eps",
)  # fmt: skip


def keys_of(model: TargetModel) -> Keys:
    """Every key-value, in the order that it is written."""
    keys: Keys = {"general.architecture": model.architecture, "general.type": "model", "general.name": model.name}
    keys |= _hyperparameters(model)
    keys |= rope.gguf_keys(model.architecture, rope.scaling_of(model.documents.config))
    if model.file_type is not None:
        keys["general.file_type"] = model.file_type
    if any(DTYPES[tensor.dtype].kind == "quantised" for tensor in model.tensors):
        keys["general.quantization_version"] = 2
    return keys | tokenizer_keys(model.documents, int(model.numbers["vocab_size"]))


def _hyperparameters(model: TargetModel) -> Keys:
    keys: Keys = {}
    for name, (places, _) in model.keys.items():
        value = model.numbers.get(name)
        if not places or name.startswith("rope_scaling"):
            continue
        if value is None and name in _REQUIRED:
            raise ConversionRefused(f"{name}: GGUF needs it and the source declares none")
        if name not in _REQUIRED and name not in model.declared and name != "vocab_size":
            continue
        key = places[0].replace("{arch}", model.architecture)
        keys[key] = _typed(name, value, model)
        if name == "head_dim":
            keys[key.replace("key_length", "value_length")] = keys[key]
    dimension = _rotary(model)
    if dimension is not None:
        keys[f"{model.architecture}.rope.dimension_count"] = dimension
    return keys


def _typed(name: str, value: Any, model: TargetModel) -> int | float:
    if name in _NUMBERS:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LARGEST:
            raise _refused(name, "a positive number of 32 bits", value, model)
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32:
        raise _refused(name, "a whole number below 2^32", value, model)
    return value


def _refused(name: str, held: str, value: Any, model: TargetModel) -> ConversionRefused:
    return ConversionRefused(f"{model.declared.get(name) or name}: GGUF holds {held}, not {jsonable(value)!r}")


def _rotary(model: TargetModel) -> int | None:
    head_dim, share = model.numbers.get("head_dim"), model.documents.config.get("partial_rotary_factor", 1.0)
    if not isinstance(head_dim, int) or not isinstance(share, int | float):
        return None
    return int(head_dim * share)
