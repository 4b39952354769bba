"""Owns which family an artifact belongs to, by what its config, GGUF keys or .apr metadata say of its architecture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from model_contracts.anatomy.families.carried import carried_config
from model_contracts.anatomy.families.multimodal import text_part
from model_contracts.artifact import Artifact
from model_contracts.family import Families, Family
from model_contracts.outcome import Place


@dataclass(frozen=True, slots=True)
class Architecture:
    """What an artifact says its architecture is, where it says so, and the family that knows it (None: not shipped)."""

    name: str
    place: Place
    family: Family | None
    #: What beside the name says that no family which bears it is meant (`llama.expert_count = 8`).
    but: str | None = None

    @property
    def words(self) -> str:
        """The name as a sentence holds it, with where it stands."""
        return f"{self.name!r} ({self.place})" if self.but is None else f"{self.name!r} with {self.but}"


def architecture(artifact: Artifact, families: Families) -> Architecture | None:
    """The declared architecture; None where the artifact declares none (a bare safetensors file)."""
    first: Architecture | None = None
    for name, place, words in _declared(artifact):
        known = [family for family in families.saying(name) if not family.abstract and words(family, name)]
        # Mistral's GGUF files say `llama`: the family of that very name comes first, but one that a key asks for.
        # A base comes before its heirs: mistral3 is the word of Ministral 3, and of the text of a larger model.
        bases = {one.id for one in known}
        known.sort(key=lambda one: (not one.only_with, one.extends in bases, one.id != f"families/{name}"))
        others = [_another(artifact, family, name) for family in known]
        meant = next((family for family, other in zip(known, others, strict=True) if other is None), None)
        but = next((other for other in others if other), None) if meant is None else None
        found = Architecture(name, place, meant, but)
        if meant is not None:
            return found
        first = first or found
    return first


def _another(artifact: Artifact, family: Family, name: str) -> str | None:
    """Why an artifact is of another architecture under the family's word (None: it is not; "": nothing says so)."""
    if artifact.format != "gguf":
        config = (artifact.config if artifact.form.beside else carried_config(artifact)) or {}
        said = (key for key, values in family.not_where.items() if _said(config.get(key), values))
        return next((f"{key} = {config[key]}" for key in said), None)
    if any(tensor not in artifact.tensors for tensor in family.only_with_tensors):
        return ""
    for key in (pattern.replace("{arch}", name) for pattern in family.not_with):
        if (value := _positive(artifact, key)) is not None:
            return f"{key} = {value}"
    asked = [pattern.replace("{arch}", name) for pattern in family.only_with]
    return "" if any(_positive(artifact, key) is None for key in asked) else None


def _said(value: object, values: tuple[str | int | bool, ...]) -> bool:
    if isinstance(value, list):
        return bool(value) and not values
    if not isinstance(value, str | int):
        return False
    return value in values if values else isinstance(value, int) and value > 0


def _positive(artifact: Artifact, key: str) -> int | None:
    """A number above 0, or true."""
    value = artifact.metadata.get(key)
    return value if isinstance(value, int) and value > 0 else None


def _class(family: Family, name: str) -> bool:
    return name in family.architectures


def _model_type(family: Family, name: str) -> bool:
    return name in family.model_types


def _gguf(family: Family, name: str) -> bool:
    return name in family.gguf


#: A name, where it stands, and which families it means.
Said = tuple[str, Place, Callable[[Family, str], bool]]


def _declared(artifact: Artifact) -> Iterator[Said]:
    config, metadata = artifact.config, artifact.metadata
    if artifact.format == "gguf":
        if isinstance(name := metadata.get("general.architecture"), str):
            yield name, Place(key="general.architecture"), _gguf
        return
    if artifact.format == "apr":
        for key, words in (("hf_architecture", _class), ("architecture", _model_type), ("hf_model_type", _model_type)):
            if isinstance(name := metadata.get(key), str):
                yield name, Place(key=key), words
                return
        return
    if config is not None:
        file = artifact.sidecars["config"].path.name if "config" in artifact.sidecars else "config.json"
        yield from _of_config(config, file, "")


def _of_config(config: Mapping[str, Any], file: str, under: str) -> Iterator[Said]:
    """The class, else the type, of a configuration; where no family knows it, those of its language model."""
    classes = config.get("architectures")
    if isinstance(classes, list) and classes and isinstance(classes[0], str):
        yield classes[0], Place(file=file, key=f"{under}architectures"), _class
    elif isinstance(name := config.get("model_type"), str):
        yield name, Place(file=file, key=f"{under}model_type"), _model_type
    part = None if under else text_part(config)
    if part is not None:
        # Its type says what it is; a class beside that may be of a checkpoint it was made from.
        own = {key: value for key, value in part[1].items() if key != "architectures" or "model_type" not in part[1]}
        yield from _of_config(own, file, f"{part[0]}.")
