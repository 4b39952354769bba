"""Owns a draft as the YAML of a family file: what the base says too is left out, and what is not certain is marked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import prod

from model_contracts.drafting.draft import FamilyDraft, Weight, known_by, own_numbers, renamed
from model_contracts.family import Family

_CHECK = "# ?"


def written(found: FamilyDraft, package: str) -> str:
    """The text of the file. Every line with a question mark is for whoever knows the architecture."""
    return "\n".join((*_head(found, package), *_numbers(found), *_tensors(found), ""))


def _head(found: FamilyDraft, package: str) -> Iterator[str]:
    yield f"# A draft, made of the names and shapes of {found.architecture} ({package}) and of the gguf package's map"
    yield "# of names. What a converter does to values and row orders is not in it: gguf_steps and fused tensors are"
    yield f"# to be added, and each line with {_CHECK[2:]} is to be decided."
    yield f"id: families/{found.model_type}"
    yield f"title: {found.architecture}"
    if found.base is not None:
        yield f"extends: {found.base.id}"
    yield f"architectures: [{found.architecture}]"
    yield f"model_types: [{found.model_type}]"
    yield f"gguf: [{found.word}]" if found.word else f"gguf: []   {_CHECK} the gguf package has no word for it"


def _numbers(found: FamilyDraft) -> Iterator[str]:
    own = list(own_numbers(found))
    if own:
        yield "hyperparameters:"
    for key in own:
        yield f"  {key}: {{config: [{key}]}}   {_CHECK} its key in GGUF; what is assumed without it; whether it is owed"


def _tensors(found: FamilyDraft) -> Iterator[str]:
    lines = [line for weight in found.weights for line in _tensor(found, weight)]
    lines += _taken_away(found)
    if lines:
        yield "tensors:"
        yield from lines


def _tensor(found: FamilyDraft, weight: Weight) -> Iterator[str]:
    shape = [prod(_value(found, factor) for factor in axis.factors) for axis in weight.axes]
    if found.base is not None and known_by(found.base, weight, found.config, shape):
        return
    yield f"  {_quoted(weight.key)}:" + ("" if weight.gguf else f"   {_CHECK} its name in GGUF")
    yield f"    huggingface: {_quoted(weight.template.name)}"
    axes = ", ".join(_axis(found.base, renamed(found.base, axis)) for axis in weight.axes)
    doubts = [f"axis {at}: {axis.doubt}" for at, axis in enumerate(weight.axes) if axis.doubt]
    yield f"    shape: [{axes}]" + (f"   {_CHECK} {'; '.join(doubts)}" if doubts else "")
    if weight.gguf is None:
        yield "    only: huggingface"
    layers = weight.template.layers
    if layers and len(layers) < found.layers:
        told = ", ".join(map(str, sorted(layers)))
        yield f"    layers: {{}}   {_CHECK} of {found.layers} layers that were built: {told}"
    if weight.key.endswith(".bias") or "norm" in weight.key:
        yield "    may_be_constant: true"
    if weight.key.endswith(".bias"):
        yield "    may_be_zero: true"


def _taken_away(found: FamilyDraft) -> Iterator[str]:
    """Tensors that the base requires and the class does not have."""
    keys = {weight.key for weight in found.weights}
    for key, tensor in (found.base.tensors if found.base is not None else {}).items():
        if tensor is not None and key not in keys and tensor.presence == "required":
            yield f"  {_quoted(key)}: null"


def _axis(base: Family | None, factors: tuple[str | int, ...]) -> str:
    return f"[{', '.join(map(str, factors))}]"


def _value(found: FamilyDraft, factor: str | int) -> int:
    if isinstance(factor, int):
        return factor
    if factor == "head_dim" and "head_dim" not in found.config:
        return int(found.config["hidden_size"]) // int(found.config["num_attention_heads"])
    return int(found.config[factor])


def _quoted(text: str) -> str:
    return json.dumps(text) if "{" in text else text
