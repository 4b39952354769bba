"""Owns chat templates that have names of their own (for tools, for retrieval), wherever an artifact keeps them."""

from __future__ import annotations

from model_contracts.artifact import Artifact

_NAMED = "tokenizer.chat_template."


def named_templates(artifact: Artifact) -> dict[str, str]:
    """Text by name, without the one that has none."""
    found: dict[str, str] = {}
    for templates in artifact.chat_templates.values():
        for name, text in templates.items():
            found.setdefault(name, text)
    for key, text in artifact.metadata.items() if artifact.format == "gguf" else ():
        if key.startswith(_NAMED) and isinstance(text, str):
            found[key.removeprefix(_NAMED)] = text
    return {name: text for name, text in found.items() if name != "default"}
