"""Owns the config.json that a conversion goes by: the one beside the weights, or what a file without one says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model_contracts.anatomy.declared.built_rope import NotDeclared
from model_contracts.anatomy.declared.configuration import configuration
from model_contracts.anatomy.view import View
from model_contracts.artifact import Artifact
from model_contracts.converters.interface import ConversionRefused

#: Keys of a configuration that say how weights are packed.
_PACKING = ("quantization_config", "compression_config", "quantization")


def config_of(view: View, notes: list[str]) -> tuple[dict[str, Any], bool]:
    """config.json and whether it is the published one. Raises ConversionRefused where there is none to convert by."""
    artifact = view.artifact
    if artifact.form.beside:
        if artifact.config is None:
            raise ConversionRefused(_unread(artifact))
        unknown = next((block for block in view.storage.declared if block.scheme is None), None)
        if unknown is not None:
            said = f"{unknown.place} declares quantised weights ({unknown.method})"
            raise ConversionRefused(f"{artifact.path}: {said}, and no scheme is shipped that knows them")
        return plain(artifact.config), True
    try:
        found = configuration(view)
    except NotDeclared as refused:
        raise ConversionRefused(str(refused)) from None
    if found.disagreed is not None:
        notes.append(f"the config.json carried in the file was not taken: it disagrees on {found.disagreed}")
    return found.document, found.published


def plain(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of the same model with weights that are not packed."""
    kept = {key: value for key, value in config.items() if key not in _PACKING}
    return {
        key: plain(value) if key.endswith("_config") and isinstance(value, dict) else value
        for key, value in kept.items()
    }


def _unread(artifact: Artifact) -> str:
    """Why there is no configuration: what its reader refused, or that no file of that name lies there."""
    sidecar = artifact.sidecars.get("config")
    name = sidecar.path.name if sidecar is not None else "config.json"
    for topic, one in artifact.ledger.violations:
        if topic == "format" and one.place.file == name:
            return f"{artifact.path}: {name}: expected {one.expected}, found {one.observed}"
    return f"{artifact.path}: there is no config.json beside the weights to convert by"
