"""Owns what GGUF and .apr have no key for and that our converter carries through them, under keys of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from model_contracts.converters.interface import Documents
from model_contracts.converters.tokenizer_arrays import Arrays
from model_contracts.converters.tokenizer_packed import pack, unpack

PREFIX = "model_contracts.huggingface."


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


def carried(metadata: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """The object under one of those keys; None where there is none that can be read."""
    text = metadata.get(PREFIX + name)
    if not isinstance(text, str):
        return None
    return as_object(text)


def as_object(text: str) -> dict[str, Any] | None:
    """JSON text that holds an object, None for any other."""
    from model_contracts.formats.documents import DocumentBounds, NotJson, parse

    try:
        value = parse(text.encode("utf-8", "surrogatepass"), bounds=DocumentBounds(2_400_000, 600_000))
    except NotJson:
        return None
    return value if isinstance(value, dict) else None


def carried_tokenizer(metadata: Mapping[str, Any], arrays: Arrays) -> dict[str, Any] | None:
    """tokenizer.json put together again from what was carried and the arrays; None where nothing was carried."""
    packed = carried(metadata, "tokenizer")
    return unpack(packed, arrays) if packed is not None else None
