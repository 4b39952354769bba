"""Owns the config.json of a file that has none beside it: the carried one where it still agrees, else a built one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model_contracts.anatomy.declared.built_config import built
from model_contracts.anatomy.families.architecture import architecture
from model_contracts.anatomy.families.carried import carried_config
from model_contracts.anatomy.families.hyperparameters import Declared, declared
from model_contracts.anatomy.view import View
from model_contracts.artifact import Artifact
from model_contracts.family import Family

_AGREES = 1e-6


@dataclass(frozen=True, slots=True)
class Configuration:
    """A config.json, whether it is the published one, and on what a carried one disagreed that was not taken."""

    document: dict[str, Any]
    published: bool
    disagreed: str | None = None


def configuration(view: View, *, of_factors: bool = True) -> Configuration:
    """The config.json of a GGUF or an .apr. Raises NotDeclared where its keys do not say enough.

    Without `of_factors` a built one leaves out the scaling that `rope_freqs.weight` carries.
    """
    found = carried_config(view.artifact)
    different = _disagreement(found, view) if found is not None else None
    if found is not None and different is None:
        return Configuration(found, published=True)
    return Configuration(built(view, of_factors=of_factors), published=False, disagreed=different)


def _disagreement(config: Mapping[str, Any], view: View) -> str | None:
    """The first hyper-parameter on which a carried config.json differs from the file's own keys."""
    if view.family is None:
        return None
    as_directory = Artifact(
        view.artifact.path, view.artifact.name, "safetensors", "directory", (), view.artifact.ledger, config=config
    )
    classes = config.get("architectures")
    named = classes[0] if isinstance(classes, list) and classes else None
    family = view.family if named is None or named in view.family.architectures else _sibling(as_directory, view)
    if family is None:
        return "architectures"
    theirs = declared(as_directory, family)
    for name, ours in view.declared.items():
        if name in theirs and theirs[name].enabled and not _same(ours, theirs[name]):
            return name
    return None


def _sibling(folder: Artifact, view: View) -> Family | None:
    """The family of another class that bears the same word in GGUF and stores the same (Mistral is a Llama there)."""
    own, named = view.family, architecture(folder, view.families)
    other = named.family if named is not None else None
    if own is None or other is None or not {*other.gguf} & {*own.gguf}:
        return None
    return other if (other.tensors, other.fused) == (own.tensors, own.fused) else None


def _same(ours: Declared, theirs: Declared) -> bool:
    a, b = ours.value, theirs.value
    if isinstance(a, str) or isinstance(b, str) or isinstance(a, bool) or isinstance(b, bool):
        return a == b
    return abs(a - b) <= _AGREES * max(abs(a), abs(b), 1e-300)
