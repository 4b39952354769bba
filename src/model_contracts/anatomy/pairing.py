"""Owns which tensor of a target answers to which tensor of its source, under which declared row order."""

from __future__ import annotations

from dataclasses import dataclass

from model_contracts.anatomy.names import template
from model_contracts.anatomy.view import View
from model_contracts.artifact import Tensor
from model_contracts.kernels.interface import Pairing, RowPermutation


@dataclass(frozen=True, slots=True)
class Extra:
    """A tensor of the target that no tensor of the source answers to, and the explanation (None: there is none)."""

    tensor: Tensor
    explanation: str | None


@dataclass(frozen=True, slots=True)
class Match:
    """The bijection as found: pairs by target name, what is missing, what is extra."""

    pairings: dict[str, Pairing]
    missing: tuple[Tensor, ...]
    explained_missing: tuple[tuple[Tensor, str], ...]
    extra: tuple[Extra, ...]


def match(target: View, source: View) -> Match:
    """Pair tensors by canonical name, by equal name where no family or map knows it."""
    answers = _keys(source)
    pairings: dict[str, Pairing] = {}
    used: set[str] = set()
    extra: list[Extra] = []
    for key, tensor in _keys(target).items():
        answer = answers.get(key)
        if answer is not None:
            used.add(key)
        else:
            answer, explanation = _explain(key, target, source)
            extra.append(Extra(tensor, explanation))
        if answer is not None and not tensor.placeholder and not answer.placeholder:
            pairings[tensor.name] = Pairing(tensor, answer, _row_order(key, target, source))
    missing, explained = [], []
    for key, tensor in answers.items():
        if key not in used:
            reason = _may_be_dropped(key, target, source)
            if reason is None:
                missing.append(tensor)
            else:
                explained.append((tensor, reason))
    return Match(pairings, tuple(missing), tuple(explained), tuple(extra))


def _keys(view: View) -> dict[str, Tensor]:
    keys: dict[str, Tensor] = {}
    for name, tensor in view.artifact.tensors.items():
        keys.setdefault(view.canonical[name] or name, tensor)
    return keys


def _explain(key: str, target: View, source: View) -> tuple[Tensor | None, str | None]:
    """The tensor an extra one is to be compared with, and why it may be there."""
    if key == "output.weight" and source.tied is not False:
        embedding = source.by_canonical.get("token_embd.weight")
        if embedding is not None:
            return embedding, "output head of a tied model: compared with the source's embedding"
    family = target.family
    if family is not None and template(key)[0] in family.converter_only:
        return None, "written by the converter from the source's config"
    return None, None


def _may_be_dropped(key: str, target: View, source: View) -> str | None:
    if key in target.refused:
        return "the target declares it with a type that nobody knows"
    scaling = target.declared.get("rope_scaling_type")
    if key == "rope_freqs.weight" and scaling is not None and scaling.value == "llama3":
        return f"{scaling.place} declares the scaling that it was made from"
    role = source.role(key)
    if role is not None and role.presence == "optional":
        return "optional in its family"
    if key == "output.weight" and source.tied:
        return "output head of a tied model: readers take the embedding"
    if key == "output.weight" and source.artifact.tensors[_name(source, key)].placeholder:
        return "an entry without bytes"
    return None


def _name(view: View, key: str) -> str:
    return _keys(view)[key].name


def _row_order(key: str, target: View, source: View) -> RowPermutation | None:
    """The permutation that brings the source's rows into the target's order (None: the same order)."""
    if target.rows_interleaved == source.rows_interleaved:
        return None
    role = target.role(key) or source.role(key)
    if role is None or role.gguf_rope_heads is None:
        return None
    heads = source.numbers.get(role.gguf_rope_heads)
    if not isinstance(heads, int):
        return None
    return RowPermutation(heads, "interleave" if target.rows_interleaved else "split")
