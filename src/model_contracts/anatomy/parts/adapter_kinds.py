"""Owns what two more kinds of PEFT's adapters owe: a vector a module of (IA)^3, and the prompts of prompt learning.

Names and shapes are those that PEFT's `get_peft_model_state_dict`, `IA3Layer` and its prompt encoders save.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from model_contracts.anatomy.parts.adapter_claims import declared_of
from model_contracts.artifact import Artifact, Tensor
from model_contracts.outcome import Comparison, Place, Uncompared

Seen = Iterator[Comparison | Uncompared]
VECTOR, PROMPTS = ".ia3_l", "prompt_embeddings"
_LEARNT = ("PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING")
_LARGEST = 1 << 40


def known(kind: object) -> bool:
    """Whether an adapter of this `peft_type` is one of these."""
    return kind == "IA3" or kind in _LEARNT


def own(name: str, kind: object) -> bool:
    """Whether a tensor of this name is what an adapter of the kind is made of."""
    return name.endswith(VECTOR) if kind == "IA3" else name == PROMPTS


def tensors(artifact: Artifact, kind: object) -> Seen:
    """Compare the tensors with those that the kind is made of."""
    held = [name for name in artifact.tensors if own(name, kind)]
    expected = "a vector of a module at least" if kind == "IA3" else PROMPTS
    place = Place(file=artifact.path.name)
    yield Comparison(
        measure="adapter_tensor", place=place, expected=expected, observed=held[0] if held else None, holds=bool(held),
        count=max(len(held), 1),
    )  # fmt: skip
    yield from declared_of(artifact, [name.removesuffix(VECTOR) for name in held if kind == "IA3"])


def shapes(artifact: Artifact, kind: object) -> Seen:
    """Compare the shapes with the kind's own: one row or one column of a vector, rows of prompts."""
    for name, tensor in artifact.tensors.items():
        if own(name, kind):
            shape = tensor.shape
            vector = len(shape) >= 2 and 1 in shape[:2] and all(axis == 1 for axis in shape[2:])
            holds = vector if kind == "IA3" else len(shape) == 2
            expected = "[out, 1] or [1, in]" if kind == "IA3" else "[tokens, width]"
            yield _shape(tensor, expected, holds)


def sizes(artifact: Artifact, kind: object) -> Seen:
    """Compare the shapes with what the configuration declares of them."""
    config = artifact.config or {}
    for name, tensor in artifact.tensors.items():
        if own(name, kind) and len(tensor.shape) >= 2:  # shapes() tells of others
            yield _side(name, tensor, config) if kind == "IA3" else _declared(tensor, config)


def _side(name: str, tensor: Tensor, config: Mapping[str, Any]) -> Comparison | Uncompared:
    """A feed-forward module is scaled where it reads, [1, in]; another where it writes, [out, 1]."""
    listed = config.get("feedforward_modules")
    if not isinstance(listed, list):
        reason = "the adapter's config has no list of feedforward_modules: which side is scaled is not known"
        return Uncompared(place=Place(file=tensor.file.name, tensor=name), reason=reason)
    module = name.removesuffix(VECTOR)
    reads = any(isinstance(one, str) and module.endswith(one) for one in listed)
    holds = tensor.shape[0 if reads else 1] == 1
    said = "is in" if reads else "is not in"
    return _shape(tensor, "[1, in]" if reads else "[out, 1]", holds, f"{module} {said} feedforward_modules")


def _declared(tensor: Tensor, config: Mapping[str, Any]) -> Comparison | Uncompared:
    prefix = config.get("peft_type") == "PREFIX_TUNING"
    keys = ("num_virtual_tokens", "token_dim", "num_layers" if prefix else "num_transformer_submodules")
    said = [config.get(key) for key in keys]
    numbers = [number for number in said if type(number) is int and 0 < number < _LARGEST]
    if len(numbers) < len(keys):
        reason = f"the adapter's config does not say all of {', '.join(keys)}"
        return Uncompared(place=Place(file=tensor.file.name, tensor=tensor.name), reason=reason)
    virtual, width, times = numbers
    expected = [virtual, times * 2 * width] if prefix else [virtual * times, width]
    return _shape(tensor, expected, list(tensor.shape) == expected, " x ".join(keys))


def _shape(tensor: Tensor, expected: object, holds: bool, note: str | None = None) -> Comparison:
    return Comparison(
        measure="shape",
        place=Place(file=tensor.file.name, tensor=tensor.name),
        expected=expected,
        observed=list(tensor.shape),
        holds=holds,
        note=None if holds else note,
    )
