"""Owns the config.json that a conversion goes by: the one beside the weights, or what a file without one says."""

from __future__ import annotations

from typing import Any

from model_contracts.anatomy.built_rope import NotDeclared
from model_contracts.anatomy.configuration import configuration
from model_contracts.anatomy.view import View
from model_contracts.artifact import Artifact
from model_contracts.converters.interface import ConversionRefused


def config_of(view: View, notes: list[str]) -> tuple[dict[str, Any], bool]:
    """config.json and whether it is the published one. Raises ConversionRefused where there is none to convert by."""
    artifact = view.artifact
    if artifact.form.beside:
        if artifact.config is None:
            raise ConversionRefused(_unread(artifact))
        if "quantization_config" in artifact.config:
            raise ConversionRefused(f"{artifact.path}: config.json declares quantised weights, which are not read here")
        return dict(artifact.config), True
    try:
        found = configuration(view)
    except NotDeclared as refused:
        raise ConversionRefused(str(refused)) from None
    if found.disagreed is not None:
        notes.append(f"the config.json carried in the file was not taken: it disagrees on {found.disagreed}")
    return found.document, found.published


def _unread(artifact: Artifact) -> str:
    """Why there is no configuration: what its reader refused, or that no file of that name lies there."""
    sidecar = artifact.sidecars.get("config")
    name = sidecar.path.name if sidecar is not None else "config.json"
    for topic, one in artifact.ledger.violations:
        if topic == "format" and one.place.file == name:
            return f"{artifact.path}: {name}: expected {one.expected}, found {one.observed}"
    return f"{artifact.path}: there is no config.json beside the weights to convert by"
