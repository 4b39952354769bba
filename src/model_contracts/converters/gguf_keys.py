"""Owns the key-values of a GGUF file: hyper-parameters, tokenizer arrays, and what is carried for the way back."""

from __future__ import annotations

from typing import Any

from model_contracts.converters.carried import to_carry
from model_contracts.converters.interface import ConversionRefused, TargetModel
from model_contracts.converters.tokenizer_arrays import arrays_of
from model_contracts.dtypes import DTYPES

Keys = dict[str, Any]
#: Roles of special tokens in GGUF's words.
_ROLES = {
    "bos": "bos",
    "eos": "eos",
    "unk": "unknown",
    "pad": "padding",
    "sep": "seperator",
    "mask": "mask",
    "cls": "cls",
}


def keys_of(model: TargetModel) -> Keys:
    """Every key-value, in the order that it is written."""
    keys: Keys = {"general.architecture": model.architecture, "general.type": "model", "general.name": model.name}
    keys |= model.stated
    if model.file_type is not None:
        keys["general.file_type"] = model.file_type
    if any(DTYPES[tensor.dtype].kind == "quantised" for tensor in model.tensors):
        keys["general.quantization_version"] = 2
    return keys | _tokenizer(model)


def _tokenizer(model: TargetModel) -> Keys:
    documents = model.documents
    rows = int(model.numbers["vocab_size"])
    arrays = arrays_of(documents.tokenizer, rows)
    if documents.pre is None:
        raise ConversionRefused(
            "llama.cpp has no name that is known here for how this tokenizer splits text, and guessing one would split "
            "digits and spaces differently"
        )
    keys: Keys = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": documents.pre,
        "tokenizer.ggml.tokens": arrays.filled("[PAD{id}]"),
        "tokenizer.ggml.token_type": arrays.types,
        "tokenizer.ggml.merges": arrays.merges,
    }
    for role, at in documents.special_ids.items():
        if role in _ROLES and 0 <= at < rows:
            keys[f"tokenizer.ggml.{_ROLES[role]}_token_id"] = at
    keys["tokenizer.ggml.add_bos_token"] = bool(documents.add_bos)
    if documents.add_eos is not None:
        keys["tokenizer.ggml.add_eos_token"] = documents.add_eos
    if documents.chat_template is not None:
        keys["tokenizer.chat_template"] = documents.chat_template
    return keys | to_carry(documents, arrays, config=documents.published)
