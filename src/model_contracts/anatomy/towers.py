"""Owns the towers beside a language model: the encoders and projectors of a folder, or of a file of their own (mmproj).

They are read as a model is, by a family of their own: what the language model's family does not know of a folder, and
all of a GGUF whose architecture is `clip`. The word of its projector is then what an architecture is elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from model_contracts.anatomy.families.architecture import Architecture
from model_contracts.anatomy.families.hyperparameters import Number, at, declared, layered, resolved
from model_contracts.anatomy.families.multimodal import other_part
from model_contracts.anatomy.parts.recognised import Part
from model_contracts.anatomy.view import View
from model_contracts.artifact import Artifact, Container
from model_contracts.definitions import load_towers
from model_contracts.family import Families, Family
from model_contracts.outcome import Place

#: Names of the same part in files of several versions of transformers, and in those of other programs.
_SAME = (
    (re.compile(r"^(?:model|thinker)\.(?=\w)"), ""),
    (re.compile(r"^(?:vision_tower\.vision_model|vision_tower|vision_model)\."), "vision_tower."),
)
#: Where a GGUF names its projector: one for all, or one for each kind of encoder.
_PROJECTORS = ("clip.projector_type", "clip.vision.projector_type", "clip.audio.projector_type")


@dataclass(frozen=True)
class TowerView(View):
    """The towers of one artifact, understood through the families of towers."""

    @cached_property
    def part(self) -> Part:
        """A file of towers is what it says it is; those of a folder are what a projector is to the folder's GGUF."""
        return Part("projector", "the towers beside a language model") if self.stored.form.beside else super().part

    @cached_property
    def architecture(self) -> Architecture | None:
        """By the projector's word in a GGUF, by the class and the kind of encoder in a folder."""
        said = list(_declared(self.stored))
        if len(said) != 1:
            return None
        name, place = said[0]
        known = [one for one in self.families.saying(name) if not one.abstract and _means(self.stored, one, name)]
        theirs = _of_folder(self.beside, self.families) if self.beside is not None else None
        if theirs is not None and {*theirs.gguf} & {word for one in known for word in one.gguf}:
            return Architecture(name, place, theirs)
        known.sort(key=lambda one: not one.only_with_tensors)
        return Architecture(name, place, known[0] if known else None)

    @cached_property
    def family(self) -> Family | None:
        """The family of that architecture."""
        return self.architecture.family if self.architecture is not None else None

    @cached_property
    def declared(self) -> dict[str, Any]:
        """Hyper-parameters as declared, with their place; nothing where no family says which."""
        return declared(self.artifact, self.family) if self.family is not None else {}

    @cached_property
    def numbers(self) -> dict[str, Number]:
        """Hyper-parameters, completed by defaults: those of config.json say nothing of what a GGUF has no key for."""
        if self.family is None:
            return {}
        family = self.family if self.stored.form.beside else _without_keys(self.family)
        found = resolved(family, self.declared, None, self.layered)
        # The outputs of every layer that is listed stand side by side before the projector; of one alone, that one.
        if "projector_input" in family.hyperparameters and isinstance(width := found.get("hidden_size"), int):
            found.setdefault("projector_input", width * len(self.layered.get("vision_feature_layer", (None,))))
        return found

    @cached_property
    def layered(self) -> dict[str, tuple[Number, ...]]:
        """Those with one value a layer, and lists of layers by number, which may be empty."""
        if self.family is None:
            return {}
        found = layered(self.artifact, self.family)
        weights = (weight for weight in self.family.tensors.values() if weight is not None)
        for name in {weight.numbered_by for weight in weights if weight.numbered_by is not None} - found.keys():
            keys = self.family.hyperparameters[name].config
            if any(at(self.stored.config or {}, key) == [] for key in keys):
                found[name] = ()
        return found

    @property
    def layers_taken(self) -> int | None:
        """How many layers run where the output of an inner one is taken (None: nothing says which)."""
        layers, taken = self.numbers.get("num_hidden_layers"), self.numbers.get("vision_feature_layer")
        if not isinstance(layers, int) or type(taken) is not int or not -layers <= taken < 0:
            return None
        return layers + taken + 1

    @property
    def several_parts(self) -> bool:
        """None of what is here is the language model."""
        return False

    @property
    def _of_other_names(self) -> bool:
        return True

    def _alone(self, name: str) -> str:
        for pattern, word in _SAME if self.convention == "huggingface" else ():
            name = pattern.sub(word, name)
        return name


def view_of(artifact: Artifact, families: Families, beside: Artifact | None = None) -> View:
    """An artifact, understood by the families of what it is: those of towers where it is a file of such."""
    view = View(artifact, families, beside)
    return TowerView(artifact, load_towers(), beside) if view.part.name == "projector" else view


def towers_of(view: View) -> TowerView | None:
    """What of a folder is of its towers (None: nothing, or it is no such folder)."""
    if isinstance(view, TowerView) or not view.part.whole or not view.several_parts:
        return None
    names = {name for name in view.stored.tensors if _of_tower(view, name)}
    if not names:
        return None
    containers = tuple(_only(container, names) for container in view.stored.containers)
    return TowerView(replace(view.stored, containers=containers), load_towers())


def _of_tower(view: View, name: str) -> bool:
    return other_part(name) is not None and view.entries.get(name) is None


def _only(container: Container, names: set[str]) -> Container:
    return replace(container, tensors=tuple(one for one in container.tensors if one.name in names))


def _without_keys(family: Family) -> Family:
    """A family with the defaults of its readers of GGUF alone, for what only config.json has a key for."""
    own = {
        name: one.model_copy(update={"default": one.gguf_default[0] if one.gguf_default else None})
        for name, one in family.hyperparameters.items()
        if one.config and not one.gguf
    }
    return family.model_copy(update={"hyperparameters": {**family.hyperparameters, **own}})


def _declared(artifact: Artifact) -> Iterator[tuple[str, Place]]:
    if artifact.form.prefixed_keys:
        for key in _PROJECTORS:
            if isinstance(word := artifact.metadata.get(key), str):
                yield word, Place(key=key)
        return
    config = artifact.config or {}
    file = artifact.sidecars["config"].path.name if "config" in artifact.sidecars else "config.json"
    classes = config.get("architectures")
    if isinstance(classes, list) and classes and isinstance(classes[0], str):
        yield classes[0], Place(file=file, key="architectures")
    elif isinstance(word := config.get("model_type"), str):
        yield word, Place(file=file, key="model_type")


def _means(artifact: Artifact, family: Family, word: str) -> bool:
    if artifact.form.prefixed_keys:
        return word in family.gguf and all(name in artifact.tensors for name in family.only_with_tensors)
    return word in (*family.architectures, *family.model_types) and _where(artifact.config or {}, family)


def _where(config: Mapping[str, Any], family: Family) -> bool:
    return all((at(config, key) or "") in words for key, words in family.only_where.items())


def _of_folder(artifact: Artifact, families: Families) -> Family | None:
    """The family of the towers of a folder."""
    for word, _ in _declared(artifact) if artifact.form.beside else ():
        return next((one for one in families.saying(word) if not one.abstract and _means(artifact, one, word)), None)
    return None
