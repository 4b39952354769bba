"""Owns what is known of each container format: one record a format, and questions to it in place of its name.

A container is how bytes lie in a file. How weights are named and ordered is a convention, which a container may fix
or leave to the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Format = Literal["safetensors", "gguf", "apr"]
Convention = Literal["gguf", "huggingface"]


@dataclass(frozen=True, slots=True)
class ContainerForm:
    """One container format."""

    name: Format
    #: It is compared with the content, and never decides what a file is.
    suffix: str
    #: Which spelling of a declared value it uses, in `contracts/keys.yaml` and in families.
    keys: Literal["config", "gguf", "apr"]
    #: The metadata key that names the architecture; empty where none does.
    architecture_key: str
    #: The runtime, of those that are ours, that people run it with.
    runtime: Literal["transformers", "llamacpp"]
    #: Whose names and order of rows its tensors have; None: the names in the file say it (apr.md 4.3).
    convention: Convention | None
    #: Whether a model is a folder: configuration, tokenizer, templates and parts are files beside the weights.
    beside: bool = False
    #: Whether a set of files may have an index that names them.
    indexed: bool = False
    #: Whether a weight may be several stored tensors, as a configuration beside it declares.
    packs: bool = False
    #: Whether keys begin with the word of the architecture (`qwen2.block_count`).
    prefixed_keys: bool = False
    #: Whether the number of tokens stands for a declared size of the vocabulary (llama.cpp counts them).
    counts_tokens: bool = False
    #: Whether each token has a type (normal, control, user-defined, byte).
    token_types: bool = False
    #: Whether its readers assume a treatment of text that it does not declare (`contracts/tokenizers.yaml`).
    readers_assume: bool = False
    #: Whether it keeps tokens and merges alone of a tokenizer: no added tokens, flags, or way to cut a text.
    bare_tokenizer: bool = False
    #: Whether tensors carry the factors of scaled rotary positions.
    rope_tensors: bool = False
    #: The type of every vector, whatever the matrices have (llama.cpp's converter); None: any.
    vectors: str | None = None
    #: Whether vectors may stay in the type of the matrices, or in float32, under any label.
    free_vectors: bool = False
    #: Whether each row of a quantised matrix is padded to whole blocks.
    padded_rows: bool = False


#: Every format, by its name.
FORMS: Mapping[Format, ContainerForm] = MappingProxyType(
    {
        "safetensors": ContainerForm(
            name="safetensors",
            suffix=".safetensors",
            keys="config",
            architecture_key="",
            runtime="transformers",
            convention="huggingface",
            beside=True,
            indexed=True,
            packs=True,
            free_vectors=True,
        ),
        "gguf": ContainerForm(
            name="gguf",
            suffix=".gguf",
            keys="gguf",
            architecture_key="general.architecture",
            runtime="llamacpp",
            convention="gguf",
            prefixed_keys=True,
            counts_tokens=True,
            token_types=True,
            readers_assume=True,
            rope_tensors=True,
            vectors="F32",
        ),
        "apr": ContainerForm(
            name="apr",
            suffix=".apr",
            keys="apr",
            architecture_key="architecture",
            runtime="transformers",
            convention=None,
            bare_tokenizer=True,
            padded_rows=True,
        ),
    }
)
