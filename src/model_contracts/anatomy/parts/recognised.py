"""Owns what part of a model an artifact is: a whole one, a projector, an adapter, a vocabulary, …, and what it owes."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

from model_contracts.anatomy.parts.drafts import kind_of
from model_contracts.artifact import Artifact
from model_contracts.outcome import Place
from model_contracts.vocabulary import Tokenizer

PartName = Literal[
    "whole", "projector", "adapter", "vocabulary", "imatrix", "tokenizer", "dense", "pooling", "component", "direction",
    "repository", "draft",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """What an artifact is, in words with an article, and what says so."""

    name: PartName
    words: str
    place: Place = field(default_factory=Place)
    #: Whether the file's own name says so too: a file without tensors may as well have lost them.
    named: bool = False

    @property
    def whole(self) -> bool:
        """Whether it owes all that a language model owes."""
        return self.name == "whole"

    def __str__(self) -> str:
        return f"{self.words} ({self.place})" if str(self.place) else self.words


#: Both halves of a low-rank factor, in the spellings of PEFT, of GGUF, of diffusers and of kohya's scripts.
LORA = re.compile(r"^(?P<module>.+?)[._]lora[._](?P<embedding>embedding_)?(?P<half>[AaBb]|down|up)(?P<rest>\..*)?$")
_DRAFTS = {"eagle": "EAGLE", "eagle3": "EAGLE-3", "medusa": "Medusa"}
#: Parts that hold no tensor.
WEIGHTLESS: tuple[PartName, ...] = ("vocabulary", "tokenizer", "pooling", "repository")
_IMATRIX = (".in_sum2", ".counts")
_TOKENIZER_GATES = (
    "tokenizer_present",
    "vocabulary",
    "merges",
    "special_ids",
    "marked_tokens",
    "one_template",
    "same_pieces",
)
_TOKENIZERS_OF_A_PAIR = ("same_vocabulary", "same_merges", "same_flags", "same_template", "tokenizer_texts")
_TENSORS_OF_A_PAIR = ("bijection", "pair_shapes", "pair_types", "elementwise", "moments_preserved", "rope_frequencies")
#: Kinds of check that hold one model to another, which a part does not owe the model that it is a part of.
OF_A_PAIR = (*_TENSORS_OF_A_PAIR, "pair_hyperparameters")
_SIZES = ("family_shapes", "hyperparameters", "tied_embeddings", "layers_differ")
_VALUES = ("values_finite", "values_alive", "layers_differ", "claimed_types", "unknown_dtype_refused")

#: Kinds of check that a part owes nothing to; tokenizer gates are owed all the same where it carries a tokenizer.
_NOT_OWED: dict[PartName, tuple[str, ...]] = {
    "whole": (),
    "projector": ("tied_embeddings", "layers_differ", *_TOKENIZER_GATES, *_TOKENIZERS_OF_A_PAIR),
    "adapter": ("tied_embeddings", "layers_differ", *_TOKENIZER_GATES, *_TOKENIZERS_OF_A_PAIR),
    "imatrix": ("values_alive", *_SIZES, *_TOKENIZER_GATES, *_TOKENIZERS_OF_A_PAIR),
    "component": ("tied_embeddings", "layers_differ", *_TOKENIZER_GATES, *_TOKENIZERS_OF_A_PAIR),
    "direction": ("tied_embeddings", "layers_differ", *_TOKENIZER_GATES, *_TOKENIZERS_OF_A_PAIR),
    "dense": ("tied_embeddings", "layers_differ", *_TOKENIZER_GATES, *_TOKENIZERS_OF_A_PAIR),
    "pooling": (
        "family_tensors", "family_shapes", "tied_embeddings", *_VALUES, *_TOKENIZER_GATES, *_TOKENIZERS_OF_A_PAIR,
    ),
    "draft": ("tied_embeddings", "layers_differ", *_TOKENIZER_GATES, *_TOKENIZERS_OF_A_PAIR, *_TENSORS_OF_A_PAIR),
    "repository": (
        "family_tensors", "family_shapes", "tied_embeddings", *_VALUES, *_TOKENIZER_GATES, *_TOKENIZERS_OF_A_PAIR,
    ),
    "vocabulary": (*_SIZES, *_VALUES),
    "tokenizer": ("family_tensors", *_SIZES, *_VALUES),
}  # fmt: skip


def part(artifact: Artifact) -> Part:
    """What an artifact is, by its tensors first and by what it says of itself next."""
    if artifact.format == "gguf":
        return _of_gguf(artifact)
    if artifact.format == "safetensors":
        return _of_safetensors(artifact)
    return Part("whole", "a model")


def not_owed(held: Part, check: str, tokenizer: Tokenizer | None) -> str | None:
    """Why a kind of check has nothing to hold a part to (None: it has)."""
    if check not in _NOT_OWED[held.name] and not (held.named and check in _TENSORS_OF_A_PAIR):
        return None
    # The ids of an adapter or of a projector are rows of the model that it belongs to.
    own = check in (*_TOKENIZER_GATES, *_TOKENIZERS_OF_A_PAIR) and held.name != "draft"
    if tokenizer is not None and own and check != "special_ids":
        return None
    return f"this is {held}, which owes nothing here"


def _of_gguf(artifact: Artifact) -> Part:
    metadata, names = artifact.metadata, artifact.tensors
    type_, key = metadata.get("general.type"), Place(key="general.type")
    if type_ == "adapter" or _all_end(names, (".lora_a", ".lora_b")):
        return Part("adapter", "a LoRA adapter", key if type_ == "adapter" else Place())
    if type_ == "imatrix" or _all_end(names, _IMATRIX):
        return Part("imatrix", "an importance matrix", key if type_ == "imatrix" else Place())
    if metadata.get("general.architecture") == "controlvector":
        return Part("direction", "a control vector", Place(key="general.architecture"))
    if metadata.get("general.architecture") == "clip":
        return Part("projector", "a projector", Place(key="general.architecture"))
    if type_ in ("mmproj", "clip-vision"):
        return Part("projector", "a projector", key)
    if not names and artifact.readable and not artifact.refused and "tokenizer.ggml.tokens" in metadata:
        named = "vocab" in artifact.path.name.lower()
        return Part("vocabulary", "a vocabulary without a model", Place(key="tokenizer.ggml.tokens"), named)
    return Part("whole", "a model")


def _of_safetensors(artifact: Artifact) -> Part:
    config, names = artifact.config or {}, artifact.tensors
    sidecar = artifact.sidecars.get("config")
    file = sidecar.path.name if sidecar is not None else None
    if artifact.components or artifact.strays:
        return Part("repository", "a repository of several models", Place(file=file))
    if not artifact.containers:
        pooling = any(key.startswith("pooling_mode") for key in config)
        if pooling:
            return Part("pooling", "the pooling of a sentence model", Place(file=file))
        return Part("tokenizer", "a tokenizer without a model")
    if "peft_type" in config:
        return Part("adapter", "an adapter", Place(file=file, key="peft_type"))
    if (kind := kind_of(names, config)) is not None:
        return Part("draft", f"a draft head ({_DRAFTS[kind]})", Place(file=file))
    if "architectures" in config or "model_type" in config:
        return Part("whole", "a model")
    if any(LORA.match(name) for name in names):
        return Part("adapter", "an adapter")
    if isinstance(config.get("_class_name"), str):
        return Part("component", "a component of a diffusers pipeline", Place(file=file, key="_class_name"))
    if "in_features" in config and "out_features" in config:
        return Part("dense", "the dense layer of a sentence model", Place(file=file, key="in_features"))
    return Part("whole", "a model")


def _all_end(names: Collection[str], ends: tuple[str, ...]) -> bool:
    return bool(names) and all(name.endswith(ends) for name in names)
