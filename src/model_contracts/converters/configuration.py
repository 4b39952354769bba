"""Owns config.json: the published one where it was carried and still agrees, else one from the declared keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from model_contracts.anatomy.hyperparameters import Declared, declared
from model_contracts.anatomy.view import View
from model_contracts.artifact import Artifact
from model_contracts.converters import carried, rope
from model_contracts.converters.interface import ConversionRefused
from model_contracts.sweep.rows import read_rows

_AGREES = 1e-6


def config_of(view: View, notes: list[str]) -> tuple[dict[str, Any], bool]:
    """config.json and whether it is the published one. Raises ConversionRefused where a safetensors file has none."""
    artifact = view.artifact
    if artifact.form.beside:
        if artifact.config is None:
            raise ConversionRefused(_unread(artifact))
        if "quantization_config" in artifact.config:
            raise ConversionRefused(f"{artifact.path}: config.json declares quantised weights, which are not read here")
        return dict(artifact.config), True
    found = _carried(artifact)
    if found is not None and (different := _disagreement(found, view)) is None:
        return found, True
    if found is not None:
        notes.append(f"the config.json carried in the file was not taken: it disagrees on {different}")
    return _built(view), False


def _unread(artifact: Artifact) -> str:
    """Why there is no configuration: what its reader refused, or that no file of that name lies there."""
    sidecar = artifact.sidecars.get("config")
    name = sidecar.path.name if sidecar is not None else "config.json"
    for topic, one in artifact.ledger.violations:
        if topic == "format" and one.place.file == name:
            return f"{artifact.path}: {name}: expected {one.expected}, found {one.observed}"
    return f"{artifact.path}: there is no config.json beside the weights to convert by"


def _carried(artifact: Artifact) -> dict[str, Any] | None:
    if artifact.format == "gguf":
        return carried.carried(artifact.metadata, "config")
    config = artifact.metadata.get("hf_config")
    if config is None:
        return carried.carried(artifact.metadata, "config")
    return carried.as_object(config) if isinstance(config, str) else dict(config) if isinstance(config, dict) else None


def _disagreement(config: Mapping[str, Any], view: View) -> str | None:
    """The first hyper-parameter on which a carried config.json differs from the file's own keys."""
    if view.family is None:
        return None
    as_directory = Artifact(
        view.artifact.path, view.artifact.name, "safetensors", "directory", (), view.artifact.ledger, config=config
    )
    classes = config.get("architectures")
    if isinstance(classes, list) and classes and classes[0] not in view.family.architectures:
        return "architectures"
    theirs = declared(as_directory, view.family)
    for name, ours in view.declared.items():
        if name in theirs and theirs[name].enabled and not _same(ours, theirs[name]):
            return name
    return None


def _same(ours: Declared, theirs: Declared) -> bool:
    a, b = ours.value, theirs.value
    if isinstance(a, str) or isinstance(b, str) or isinstance(a, bool) or isinstance(b, bool):
        return a == b
    return abs(a - b) <= _AGREES * max(abs(a), abs(b), 1e-300)


def _built(view: View) -> dict[str, Any]:
    family = view.family
    if family is None or not family.architectures or not family.model_types:
        said = view.architecture.name if view.architecture else "no architecture"
        raise ConversionRefused(f"{view.artifact.path}: it declares {said}, of which no family is shipped")
    config: dict[str, Any] = {"architectures": [family.architectures[0]], "model_type": family.model_types[0]}
    for name, parameter in family.hyperparameters.items():
        value = view.numbers.get(name)
        if value is None or not parameter.config or "." in parameter.config[0] or name == "tie_word_embeddings":
            continue
        if name in view.declared or parameter.owed or name in ("num_key_value_heads", "rope_theta", "vocab_size"):
            config[parameter.config[0]] = _short(value)
        if parameter.enabled_by and name in view.declared:
            config[parameter.enabled_by] = True
    embedding = view.by_canonical.get("token_embd.weight")
    if embedding is not None:
        config["vocab_size"] = embedding.shape[0]
    head = view.by_canonical.get("output.weight")
    config["tie_word_embeddings"] = view.tied if view.tied is not None else head is None or head.placeholder
    config["hidden_act"] = "silu"
    if "blk.0.attn_output.bias" in view.by_canonical:
        config["attention_bias"] = True
    if (scaling := _scaling(view)) is not None:
        config["rope_scaling"] = scaling
    return config | _special_ids(view)


def _scaling(view: View) -> dict[str, Any] | None:
    metadata, architecture = view.artifact.metadata, str(view.artifact.metadata.get("general.architecture", ""))
    if view.artifact.format == "gguf" and (scaling := rope.from_keys(metadata, architecture)) is not None:
        return scaling
    if (tensor := view.by_canonical.get("rope_freqs.weight")) is not None:
        return rope.from_factors(
            read_rows(tensor, 0, 1)[0], view.numbers.get("rope_theta"), view.numbers.get("head_dim")
        )
    kind = view.declared.get("rope_scaling_type")
    if kind is not None and kind.enabled and kind.value not in ("none", "default"):
        raise ConversionRefused(f"{kind.place} says {kind.value}: its parameters are not all in the file")
    return None


def _special_ids(view: View) -> dict[str, int]:
    tokenizer = view.artifact.tokenizer
    ids = tokenizer.special_ids if tokenizer is not None else {}
    return {f"{role}_token_id": ids[role][0] for role in ("bos", "eos", "pad") if role in ids}


def _short(value: Any) -> Any:
    """A float32 as its shortest decimal: GGUF's 9.999999974752427e-07 is 1e-06."""
    if isinstance(value, float) and not isinstance(value, bool) and float(np.float32(value)) == value:
        return float(str(np.float32(value)))
    return value
