"""Owns what GGUF and .apr have no key for and that our converter carries through them, under keys of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from model_contracts.anatomy.families.carried import PREFIX, carried
from model_contracts.converters.interface import Documents
from model_contracts.converters.tokenizer_arrays import Arrays
from model_contracts.converters.tokenizer_packed import pack, unpack


def to_carry(documents: Documents, arrays: Arrays, *, config: bool) -> dict[str, str]:
    """Key to JSON text: config.json, generation_config.json, tokenizer.json without its arrays, types."""
    values: dict[str, Any] = {
        "config": documents.config if config else None,
        "generation_config": documents.generation_config,
        "tokenizer": pack(documents.tokenizer, arrays),
        "tokenizer_config": documents.tokenizer_config or None,
        "dtypes": documents.types or None,
    }
    return {
        PREFIX + name: json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        for name, value in values.items()
        if value is not None
    }


def carried_tokenizer(metadata: Mapping[str, Any], arrays: Arrays) -> dict[str, Any] | None:
    """tokenizer.json put together again from what was carried and the arrays; None where nothing was carried."""
    packed = carried(metadata, "tokenizer")
    return unpack(packed, arrays) if packed is not None else None
