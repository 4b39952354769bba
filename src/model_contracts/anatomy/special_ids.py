"""Owns which special token ids an artifact declares, in every place that may declare one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from model_contracts.artifact import Artifact
from model_contracts.outcome import Place

NAMES = ("bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id")


def special_ids(artifact: Artifact) -> Iterator[tuple[str, Any, Place]]:
    """Name, value and place of every declared id: config.json, generation_config.json (lists too), the tokenizer."""
    for role, mapping in (("config", artifact.config), ("generation_config", artifact.generation_config)):
        if artifact.format == "safetensors" and mapping is not None:
            sidecar = artifact.sidecars.get(role)
            yield from _of(mapping, sidecar.path.name if sidecar else f"{role}.json")
    tokenizer = artifact.tokenizer
    if tokenizer is not None:
        for name, (value, key) in tokenizer.special_ids.items():
            place = Place(file=tokenizer.origin.name, key=key)
            yield (name if name.endswith("_id") else f"{name}_token_id"), value, place


def by_name(artifact: Artifact) -> dict[str, dict[int, Place]]:
    """Every integer id declared under a name, with the first place that declares it."""
    found: dict[str, dict[int, Place]] = {}
    for name, value, place in special_ids(artifact):
        if isinstance(value, int) and not isinstance(value, bool):
            found.setdefault(name, {}).setdefault(value, place)
    return found


def _of(mapping: Mapping[str, Any], file: str) -> Iterator[tuple[str, Any, Place]]:
    for name in NAMES:
        value = mapping.get(name)
        for item in value if isinstance(value, list) else [value]:
            if item is not None:
                yield name, item, Place(file=file, key=name)
