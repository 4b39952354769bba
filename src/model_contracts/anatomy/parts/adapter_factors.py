"""Owns what an adapter holds: the halves of each module with magnitude and bias, whole tensors, rows of tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from model_contracts.anatomy.parts.recognised import LORA
from model_contracts.artifact import Artifact, Tensor

Half = Literal["A", "B"]
#: Spellings of the half that reads, [rank, in]; the other one writes, [out, rank].
_FIRST = ("A", "a", "down")
#: What PEFT puts before every name, and what it calls a module below a wrapper.
PREFIX, WRAPPED = "base_model.model.", ".base_layer"
_MAGNITUDE = (".lora_magnitude_vector", ".lora_magnitude_vector.weight", ".lora_magnitude_vector.default.weight")
_TOKENS = (".token_adapter.trainable_tokens_delta", ".trainable_tokens_delta")
#: What kohya's scripts and diffusers write beside the halves.
_OTHERS = (".alpha", ".dora_scale")


@dataclass(slots=True)
class Factor:
    """One low-rank factor of a module; `embedding` says that its rows are looked up and not multiplied."""

    module: str
    embedding: bool
    halves: dict[Half, Tensor] = field(default_factory=dict)
    bias: Tensor | None = None
    magnitude: Tensor | None = None

    @property
    def first(self) -> Tensor:
        """A tensor of it, which says where it stands."""
        return next(iter(self.halves.values()), None) or self.bias or self.magnitude  # type: ignore[return-value]

    @property
    def name(self) -> str:
        """The module as the base calls it."""
        return without_prefix(self.module)

    @property
    def rank(self) -> int | None:
        """The rank of A; None without it."""
        a = self.halves.get("A")
        if a is None or len(a.shape) < 2:
            return None
        return a.shape[-1] if self.by_rows else a.shape[0]

    @property
    def by_rows(self) -> bool:
        """Whether A has a row for each token, as llama.cpp keeps that of an embedding: [tokens, rank]."""
        a, b = self.halves.get("A"), self.halves.get("B")
        both = a is not None and b is not None and len(a.shape) == len(b.shape) == 2
        return both and "token_embd" in self.module and a.shape[-1] == b.shape[-1]  # type: ignore[union-attr]


@dataclass(frozen=True, slots=True)
class AdapterHeld:
    """Everything in an adapter of the low-rank kind: factors, whole tensors by name, rows of tokens by module."""

    factors: tuple[Factor, ...]
    whole: Mapping[str, Tensor]
    tokens: Mapping[str, Tensor]
    #: Tensors beside the halves whose meaning is known and not computed with (alphas of other writers).
    others: tuple[Tensor, ...]


def held_by(artifact: Artifact) -> AdapterHeld:
    """What an artifact holds, by the names of its tensors."""
    factors: dict[tuple[str, bool], Factor] = {}
    whole, tokens, others = dict[str, Tensor](), dict[str, Tensor](), list[Tensor]()
    for name, tensor in artifact.tensors.items():
        if (end := next((end for end in _MAGNITUDE if name.endswith(end)), None)) is not None:
            module = name.removesuffix(end)
            factors.setdefault((module, False), Factor(module, False)).magnitude = tensor
        elif (end := next((end for end in _TOKENS if name.endswith(end)), None)) is not None:
            tokens[without_prefix(name.removesuffix(end))] = tensor
        elif name.endswith(_OTHERS):
            others.append(tensor)
        elif (match := LORA.match(name)) is not None:
            key = (match["module"], match["embedding"] is not None)
            factor = factors.setdefault(key, Factor(*key))
            if match["rest"] == ".bias":
                factor.bias = tensor
            else:
                factor.halves["A" if match["half"] in _FIRST else "B"] = tensor
        else:
            whole[without_prefix(name)] = tensor
    return AdapterHeld(tuple(factors.values()), whole, tokens, tuple(others))


def without_prefix(name: str) -> str:
    """A name as the base has it: without PEFT's prefix and wrappers."""
    return name.removeprefix(PREFIX).replace(f"{WRAPPED}.", ".").removesuffix(WRAPPED)
