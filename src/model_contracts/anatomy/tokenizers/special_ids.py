"""Owns which special token ids an artifact declares, in every place that may declare one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from model_contracts.anatomy.families.multimodal import text_config
from model_contracts.artifact import Artifact
from model_contracts.outcome import Place

NAMES = ("bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id")
_ROLES = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")


def special_ids(artifact: Artifact) -> Iterator[tuple[str, Any, Place]]:
    """Name, value and place of every declared id: config.json, generation_config.json (lists too), the tokenizer."""
    for role, mapping in (("config", artifact.config), ("generation_config", artifact.generation_config)):
        if artifact.form.beside and mapping is not None:
            # A model of several parts may declare them for its language model alone.
            whole = {**text_config(mapping), **mapping}
            sidecar = artifact.sidecars.get(role)
            yield from _of(whole, sidecar.path.name if sidecar else f"{role}.json")
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


def unheld_names(artifact: Artifact) -> list[tuple[str, str]]:
    """Role and text of each special token that tokenizer_config.json names and its tokenizer.json does not hold.

    transformers adds such a token behind all others when it loads the tokenizer, in the order of its roles.
    """
    tokenizer, config = artifact.tokenizer, artifact.tokenizer_config or {}
    if not artifact.form.beside or tokenizer is None or tokenizer.sections is None:
        return []
    named = {role: _content(config.get(f"{role}_token")) for role in _ROLES}
    if not any(named.values()):
        return []
    held = {token for token in tokenizer.tokens if token is not None}
    held.update(token.content for token in tokenizer.added.values())
    held.update(_content(entry) or "" for entry in _decoder(config))
    found: dict[str, str] = {}
    for role, content in named.items():
        if content and content not in held:
            found.setdefault(content, role)
    return [(role, content) for content, role in found.items()]


def _decoder(config: Mapping[str, Any]) -> Iterator[Any]:
    entries = config.get("added_tokens_decoder")
    if isinstance(entries, Mapping):
        yield from entries.values()


def _content(value: object) -> str | None:
    content = value.get("content") if isinstance(value, Mapping) else value
    return content if isinstance(content, str) else None


def _of(mapping: Mapping[str, Any], file: str) -> Iterator[tuple[str, Any, Place]]:
    for name in NAMES:
        value = mapping.get(name)
        for item in value if isinstance(value, list) else [value]:
            if item is not None:
                yield name, item, Place(file=file, key=name)
