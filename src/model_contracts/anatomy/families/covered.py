"""Owns what a family covers, in the words of a list."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from model_contracts.family import Family, FamilyTensor, Layers


def covered(family: Family) -> dict[str, Any]:
    """One family: its words, and what its description says of tensors, values and layers."""
    weights = [weight for weight in family.tensors.values() if weight is not None]
    return {
        "id": family.id.removeprefix("families/"),
        "title": family.title,
        "architectures": [*family.architectures],
        "gguf": [*family.gguf],
        "conventions": [*_conventions(family)],
        "transforms": sorted({*_transforms(family, weights)}),
        "layers": sorted({*_layers(weight.layers for weight in weights)}),
        "runs_without_config": family.runs_without_config,
    }


def _conventions(family: Family) -> Iterator[str]:
    yield from ("huggingface",) if family.architectures or family.model_types else ()
    yield from ("gguf",) if family.gguf else ()
    yield from (name for name, said in family.dialects.items() if said is not None)


def _transforms(family: Family, weights: list[FamilyTensor]) -> Iterator[str]:
    """Names of steps, and of what stands in one tensor or in several."""
    for weight in weights:
        for step in (*weight.huggingface_steps, *weight.gguf_steps):
            yield from step.model_fields_set
        if weight.huggingface is not None and "{e}" in weight.huggingface:
            yield "stack"
    for table in family.fused.values():
        for fused in table.values():
            if fused is not None:
                yield "interleave" if fused.groups else "concat"
                yield from (name for step in fused.steps for name in step.model_fields_set)


def _layers(chosen: Any) -> Iterator[str]:
    for layers in chosen:
        if isinstance(layers, Layers):
            yield from layers.model_fields_set
