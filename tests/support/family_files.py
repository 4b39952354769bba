"""Reads a Hugging Face folder and a GGUF with the reference packages, and evaluates what a family says of both."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from model_contracts import layout
from model_contracts.anatomy.families.architecture import _said
from model_contracts.anatomy.families.conventions import Conventions
from model_contracts.anatomy.families.hyperparameters import at, by_kinds, completed, enabled
from model_contracts.anatomy.families.stored_names import StoredEntry, named
from model_contracts.containers import Convention
from model_contracts.definitions import load_families
from model_contracts.family import Family, FamilyTensor
from model_contracts.hyperparameter import HyperParameter
from support.shared_models import SHARED

FOLDER = SHARED / "families"


@dataclass(frozen=True)
class Side:
    """One side of a pair: the convention, names and values in F32, and what it declares."""

    convention: Convention
    family: Family
    values: Mapping[str, np.ndarray]
    declared: Mapping[str, Any]
    packed: bool = False

    @cached_property
    def numbers(self) -> dict[str, Any]:
        """Hyper-parameters as this side declares them, completed by the family's defaults; one value a layer kept."""
        found = dict(self.declared_numbers)
        tokens = self.declared.get("tokenizer.ggml.tokens")
        if tokens is not None:
            found.setdefault("vocab_size", len(tokens))
        completed(self.family, found)
        lists = {name: value for name, value in found.items() if isinstance(value, list | tuple)}
        found.update(by_kinds(self.family, lists, found))
        return found

    @cached_property
    def declared_numbers(self) -> dict[str, Any]:
        """Hyper-parameters that this side declares."""
        found: dict[str, Any] = {}
        for name, parameter in self.family.hyperparameters.items():
            if not enabled(parameter, self.declared):
                continue
            for key in self.keys(parameter):
                value = at(self.declared, key)
                if value is not None:
                    found[name] = value
                    break
        return found

    def keys(self, parameter: HyperParameter) -> Iterator[str]:
        """The keys under which this side may declare a hyper-parameter."""
        if self.convention == "huggingface":
            yield from parameter.config
        else:
            yield from (key.replace("{arch}", self.declared["general.architecture"]) for key in parameter.gguf)

    @cached_property
    def conventions(self) -> Conventions:
        """What the family says of this side."""
        return Conventions(self.family, self.convention, self.numbers)

    @cached_property
    def entries(self) -> dict[str, StoredEntry]:
        """Every stored tensor that the family knows."""
        known = ((name, self.conventions.entry(name)) for name in self.values)
        return {name: entry for name, entry in known if entry is not None}

    @cached_property
    def by_entry(self) -> dict[StoredEntry, str]:
        """The name under which a tensor is really stored, of the several that a family may know."""
        return {entry: name for name, entry in self.entries.items()}

    def stands(self, name: str) -> bool:
        """Whether a tensor is stored under this name or under another of its names."""
        entry = self.conventions.entry(name)
        return entry is not None and entry in self.by_entry

    def really(self, name: str) -> str:
        """The name under which a tensor is stored (the same where it is not stored at all)."""
        entry = self.conventions.entry(name)
        return self.by_entry.get(entry, name) if entry is not None else name

    @property
    def layers(self) -> int:
        """How many layers it declares."""
        return int(self.numbers["num_hidden_layers"])


@dataclass(frozen=True)
class Pair:
    """A folder and the GGUF made from it, and the family that knows them."""

    name: str
    family: Family

    @cached_property
    def huggingface(self) -> Side:
        """The folder."""
        folder = FOLDER / self.name
        config = json.loads((folder / "config.json").read_text())
        return Side("huggingface", self.family, safetensors_values(folder), config)

    @cached_property
    def gguf(self) -> Side:
        """The GGUF."""
        values, metadata, packed = gguf_values(FOLDER / f"{self.name}.gguf")
        return Side("gguf", self.family, values, metadata, packed)

    @property
    def sides(self) -> tuple[Side, Side]:
        """Both."""
        return self.huggingface, self.gguf


@cache
def pairs() -> list[Pair]:
    """Each folder of ../shared/families whose class a family knows."""
    by_class: dict[str, list[Family]] = {}
    for family in load_families():
        for word in family.architectures:
            by_class.setdefault(word, []).append(family)
    found = []
    for config in sorted(FOLDER.glob("*/config.json")):
        name = config.parent.name
        declared = json.loads(config.read_text())
        (architecture, *_) = declared["architectures"]
        if architecture in by_class and (FOLDER / f"{name}.gguf").is_file():
            meant = (family for family in by_class[architecture] if not elsewhere(family, declared))
            found.append(Pair(name, next(meant)))
    return found


def elsewhere(family: Family, declared: Mapping[str, Any]) -> bool:
    """Whether config.json means another family of the same class."""
    return any(_said(declared.get(key), values) for key, values in family.not_where.items())


def safetensors_values(folder: Path) -> dict[str, np.ndarray]:
    """Every tensor of a folder, widened to F32 (bytes stay bytes)."""
    import torch
    from safetensors import safe_open

    found: dict[str, np.ndarray] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118  (no mapping)
                value = file.get_tensor(name)
                found[name] = (value if value.dtype == torch.uint8 else value.to(torch.float32)).numpy()
    return found


def gguf_values(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any], bool]:
    """Every tensor of a GGUF in F32, its metadata, and whether some are in blocks."""
    from gguf import GGMLQuantizationType, GGUFReader, dequantize

    reader = GGUFReader(path)
    values = {
        tensor.name: dequantize(tensor.data, tensor.tensor_type).reshape([int(size) for size in tensor.shape[::-1]])
        for tensor in reader.tensors
    }
    whole = {GGMLQuantizationType.F32, GGMLQuantizationType.F16, GGMLQuantizationType.BF16}
    packed = any(tensor.tensor_type not in whole for tensor in reader.tensors)
    return values, {name: field.contents() for name, field in reader.fields.items()}, packed


def value_of(expression: Any, stored: Mapping[str, np.ndarray]) -> np.ndarray:
    """The values of an expression over stored tensors."""
    match expression:
        case layout.Stored():
            return stored[expression.name]
        case layout.Concat():
            return np.concatenate([value_of(part, stored) for part in expression.parts], expression.axis)
        case layout.Reshape():
            return value_of(expression.of, stored).reshape(expression.shape)
        case layout.Permute():
            return value_of(expression.of, stored).transpose(expression.axes)
        case layout.Take():
            whole = value_of(expression.of, stored)
            return np.moveaxis(
                np.moveaxis(whole, expression.axis, 0)[expression.start : expression.stop], 0, expression.axis
            )
        case layout.Apply():
            return _applied(expression.name, expression.value, value_of(expression.of, stored))
    raise AssertionError(expression)


def _applied(name: str, value: float | None, values: np.ndarray) -> np.ndarray:
    import torch

    if name == "add":
        return values + np.float32(value)
    if name == "neg_exp":  # torch is what the converter computes with: the last bit is its own
        return np.asarray((-torch.exp(torch.from_numpy(np.ascontiguousarray(values)))).numpy())
    if name in ("scale", "unscale"):
        return values * np.float32(value) if name == "scale" else values / np.float32(value)
    if name == "ternarise":  # in F32, as the converter computes it
        mean = torch.from_numpy(np.ascontiguousarray(values)).abs().mean().clamp(min=1e-5)
        whole = (torch.from_numpy(values) * (1 / mean)).round().clamp(-1, 1) / (1 / mean)
        return np.asarray(whole.numpy())
    raise AssertionError(name)


def keys_and_layer(side: Side, entry: StoredEntry) -> Iterator[tuple[str, str]]:
    """Each logical weight of a stored tensor: its key and its name."""
    return ((key, named(key, entry.layer)) for key in side.conventions.keys(entry))


def owed(side: Side) -> Iterator[str]:
    """The names of everything a side must hold."""
    tied = side.declared.get("tie_word_embeddings", side.numbers.get("tie_word_embeddings"))
    if side.convention == "gguf":
        tied = "output.weight" not in side.values
    elif any(name.endswith("Model") and "LM" not in name for name in side.declared.get("architectures", ())):
        tied = True  # a base model has no head
    for template, key, said, layers in side.conventions.owed(side.layers):
        asked = isinstance(said, FamilyTensor) and said.required_by is not None and side.declared.get(said.required_by)
        if (said.presence == "optional" and asked is not True) or (said.presence == "unless_tied" and tied):
            continue
        for layer in layers if "{n}" in template else (None,):
            if "{e}" in template:
                yield from (named(template, layer, index) for index in range(side.conventions.shape(key, layer)[0]))
            else:
                yield named(template, layer)
