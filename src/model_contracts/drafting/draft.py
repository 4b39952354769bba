"""Owns the draft of a family: what its class has beyond the shipped base that is nearest, as lines to be checked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from model_contracts.anatomy.families.hyperparameters import completed, size_of
from model_contracts.anatomy.families.multimodal import other_part, text_config, text_part, without_part
from model_contracts.drafting.classes import NotDrafted, Shapes, built, reduced
from model_contracts.drafting.names import GgufNames, Template, gguf_word, templates
from model_contracts.drafting.symbols import Axis, Symbols
from model_contracts.family import Dimension, Family


@dataclass(frozen=True)
class Weight:
    """One drafted tensor: its GGUF name if there is one, and its axes."""

    template: Template
    gguf: str | None
    axes: tuple[Axis, ...]

    @property
    def key(self) -> str:
        """The key of the family's table."""
        return self.gguf or self.template.name


@dataclass(frozen=True)
class FamilyDraft:
    """What is known of an architecture that no family knows."""

    architecture: str
    model_type: str
    word: str | None
    base: Family | None
    weights: tuple[Weight, ...]
    layers: int
    config: Mapping[str, Any]


def draft(config: Mapping[str, Any], families: Sequence[Family]) -> FamilyDraft:
    """The draft of what a config.json says it is. Raises NotDrafted."""
    classes = config.get("architectures")
    if not (isinstance(classes, list) and classes and isinstance(classes[0], str)):
        raise NotDrafted("config.json names no class under architectures")
    text, few = text_config(config), reduced(config)
    part = text_part(few)

    def build(changed: Mapping[str, Any]) -> Shapes:
        whole = dict(changed) if part is None else {**few, part[0]: dict(changed)}
        shapes = built(classes[0], whole)
        if part is None:
            return shapes
        return {without_part(name): shape for name, shape in shapes.items() if other_part(name) is None}

    symbols = Symbols(build, few if part is None else part[1])
    found = templates(symbols.shapes)
    layers = 1 + max((layer for one in found.values() for layer in one.layers), default=0)
    words = (str(text.get("model_type", "")), str(config.get("model_type", "")), classes[0])
    word = gguf_word(*words)
    names = GgufNames(word, layers)
    base = _nearest(found, families)
    keys = {one.huggingface: key for key, one in (base.tensors if base is not None else {}).items() if one is not None}
    weights = tuple(
        Weight(one, names.of(one) or keys.get(one.name), _axes(symbols, one, layers)) for one in found.values()
    )
    return FamilyDraft(classes[0], words[0] or words[1], word, base, weights, layers, symbols.sizes)


def _axes(symbols: Symbols, template: Template, layers: int) -> tuple[Axis, ...]:
    axes = tuple(_of_layers(axis, layers) for axis in symbols.axes(template.first))
    if len({symbols.shapes[name] for name in template.all}) > 1:
        axes = tuple(replace(axis, doubt="layers have different shapes; this is that of the first") for axis in axes)
    if "{e}" not in template.name:
        return axes
    count = max(template.experts, default=0) + 1
    keys = [key for key in symbols.sizes if "experts" in key and symbols.sizes[key] == count]
    stacked = Axis((keys[0],)) if keys else Axis((count,), "how many experts there are, no number says")
    return (stacked, *axes)


def _of_layers(axis: Axis, layers: int) -> Axis:
    """The same, and a word where a number of it may be how many layers there are."""
    told = layers > 1 and layers in axis.factors and axis.doubt is None
    return replace(axis, doubt=f"{layers} may be the number of layers") if told else axis


def _nearest(names: Collection[str], families: Sequence[Family]) -> Family | None:
    """The base of which most tensors are the class's own, and fewest are not."""
    best: tuple[int, Family] | None = None
    for family in families:
        if not family.abstract:
            continue
        own = [tensor for tensor in family.tensors.values() if tensor is not None and tensor.huggingface is not None]
        same = sum(tensor.huggingface in names for tensor in own)
        score = 2 * same - sum(tensor.huggingface not in names and tensor.presence == "required" for tensor in own)
        if score > 0 and (best is None or score > best[0]):
            best = score, family
    return best[1] if best is not None else None


def numbers(family: Family, sizes: Mapping[str, Any]) -> dict[str, Any]:
    """The family's hyper-parameters as a configuration has them, completed by its defaults."""
    found: dict[str, Any] = {}
    for name, parameter in family.hyperparameters.items():
        value = next((sizes[key] for key in parameter.config if key in sizes), None)
        if value is not None:
            found[name] = value
    completed(family, found)
    return found


def known_by(base: Family, weight: Weight, sizes: Mapping[str, Any], shape: Sequence[int]) -> bool:
    """Whether the base says the same of a tensor: name, GGUF name and size of each axis."""
    said = base.tensors.get(weight.key)
    if said is None or said.huggingface != weight.template.name or len(said.shape) != len(shape):
        return False
    found = numbers(base, sizes)
    return [size_of(axis, found) for axis in said.shape] == [*shape]


def renamed(base: Family | None, axis: Axis) -> Dimension:
    """An axis with the base's names of hyper-parameters in place of keys of config.json."""
    names = {key: name for name, one in (base.hyperparameters if base else {}).items() for key in reversed(one.config)}
    return tuple(names.get(factor, factor) if isinstance(factor, str) else factor for factor in axis.factors)


def own_numbers(found: FamilyDraft) -> Iterator[str]:
    """Keys of config.json that axes are made of and that the base has no hyper-parameter for."""
    base = found.base.hyperparameters if found.base is not None else {}
    told = {key for one in base.values() for key in one.config} | base.keys()
    factors = (factor for weight in found.weights for axis in weight.axes for factor in axis.factors)
    yield from dict.fromkeys(factor for factor in factors if isinstance(factor, str) and factor not in told)
