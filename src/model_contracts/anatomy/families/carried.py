"""Owns what our converter carries through a GGUF or .apr under keys of its own, and how it is read again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model_contracts.artifact import Artifact
from model_contracts.formats.documents import DocumentBounds, NotJson, parse

PREFIX = "model_contracts.huggingface."


def carried(metadata: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """The object under one of those keys; None where there is none that can be read."""
    text = metadata.get(PREFIX + name)
    return as_object(text) if isinstance(text, str) else None


def carried_config(artifact: Artifact) -> dict[str, Any] | None:
    """The config.json that a file carries: ours, or the one that aprender keeps in an .apr; None where it has none."""
    config = artifact.metadata.get("hf_config")
    if config is None:
        return carried(artifact.metadata, "config")
    return as_object(config) if isinstance(config, str) else dict(config) if isinstance(config, dict) else None


def as_object(text: str) -> dict[str, Any] | None:
    """JSON text that holds an object, None for any other."""
    try:
        value = parse(text.encode("utf-8", "surrogatepass"), bounds=DocumentBounds(2_400_000, 600_000))
    except NotJson:
        return None
    return value if isinstance(value, dict) else None
