"""Owns the view of one artifact that checks share: family, canonical names, hyper-parameters, row order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from model_contracts.anatomy import names
from model_contracts.anatomy.families import Architecture, architecture
from model_contracts.anatomy.hyperparameters import Declared, Number, declared, resolved
from model_contracts.artifact import Artifact, Tensor
from model_contracts.family import Family, FamilyTensor


@dataclass(frozen=True)
class View:
    """One artifact, understood through the families that are shipped."""

    artifact: Artifact
    families: Sequence[Family]

    @cached_property
    def architecture(self) -> Architecture | None:
        """What the artifact says it is (None: it says nothing)."""
        return architecture(self.artifact, self.families)

    @cached_property
    def family(self) -> Family | None:
        """The shipped family of that architecture."""
        return self.architecture.family if self.architecture else None

    @cached_property
    def declared(self) -> dict[str, Declared]:
        """Hyper-parameters as declared, with their place."""
        return declared(self.artifact, self.family or self._base)

    @cached_property
    def numbers(self) -> dict[str, Number]:
        """Hyper-parameters, completed by defaults and by the vocabulary of the tokenizer."""
        tokenizer = self.artifact.tokenizer
        # GGUF needs no vocab_size key: llama.cpp counts the tokens. Elsewhere a tokenizer may be smaller.
        vocabulary = tokenizer.size if tokenizer is not None and self.artifact.format == "gguf" else None
        numbers = resolved(self.family or self._base, self.declared, vocabulary)
        if self.artifact.format != "safetensors" and "tie_word_embeddings" not in self.declared:
            # Only config.json has a default: readers of GGUF and .apr go by the presence of the head.
            numbers.pop("tie_word_embeddings", None)
        return numbers

    @cached_property
    def canonical(self) -> dict[str, str | None]:
        """Tensor name to canonical name, in the order of the artifact."""
        return {name: self._find(name) for name in self.artifact.tensors}

    @cached_property
    def refused(self) -> frozenset[str]:
        """Canonical names of tensors that are declared with a type nobody knows; another gate is about those."""
        return frozenset(self._find(name) or name for name in self.artifact.refused)

    @cached_property
    def _find(self) -> names.Canonical:
        layers = self.declared.get("num_hidden_layers")
        count = layers.value if layers is not None and isinstance(layers.value, int) else 0
        return names.canonical(self.family, self.architecture.name if self.architecture else None, count)

    @cached_property
    def by_canonical(self) -> dict[str, Tensor]:
        """Canonical name to tensor (the first of two that mean the same)."""
        found: dict[str, Tensor] = {}
        for name, tensor in self.artifact.tensors.items():
            if (known := self.canonical[name]) is not None:
                found.setdefault(known, tensor)
        return found

    @property
    def rows_interleaved(self) -> bool:
        """Whether Q and K rows of a rotary family stand in llama.cpp's order: files with GGUF names (apr.md 4.3)."""
        if self.artifact.format == "gguf":
            return True
        return self.artifact.format == "apr" and any(name.startswith("blk.") for name in self.artifact.tensors)

    def role(self, canonical_name: str) -> FamilyTensor | None:
        """What the family says of a tensor (None: nothing)."""
        if self.family is None:
            return None
        return self.family.tensors.get(names.template(canonical_name)[0])

    @property
    def tied(self) -> bool | None:
        """Whether the artifact says that embedding and output head are one (None: it says nothing)."""
        value = self.numbers.get("tie_word_embeddings")
        return value if isinstance(value, bool) else None

    @cached_property
    def _base(self) -> Family:
        return next(family for family in self.families if family.id == "families/decoder")
