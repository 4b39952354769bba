"""Owns canonical tensor names: whatever a container calls a tensor, its GGUF name (`blk.3.attn_q.weight`) or None."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from model_contracts.family import Family

_LAYER = re.compile(r"(?<=\.)(\d{1,5})(?=\.)")
#: What transformers appends to the name of an architecture to make a class of it.
_CLASS = re.compile(
    r"(forcausallm|forconditionalgeneration|formaskedlm|forsequenceclassification|fortokenclassification"
    r"|forquestionanswering|encodermodel|textmodel|lmheadmodel|model)$"
)
#: Layers that the gguf package's map is asked for, at most.
_MOST_LAYERS = 1000
Canonical = Callable[[str], str | None]


def canonical(architectures: Iterable[str], layers: int, gguf_names: bool = False) -> Canonical:
    """A function from a container's tensor name to its canonical name, where no family says it; None: not known.

    Names of llama.cpp's convention stand as they are, and others are looked up in the gguf package's map of the first
    of `architectures` that it knows.
    """
    if gguf_names:
        return lambda name: name
    for architecture in architectures:
        if (arch := gguf_architecture(architecture)) is not None:
            return _from_gguf_package(arch, min(max(layers, 1), _MOST_LAYERS))
    return lambda name: None


def template(name: str) -> tuple[str, int | None]:
    """A name with its layer number taken out: `blk.3.attn_q.weight` -> (`blk.{n}.attn_q.weight`, 3)."""
    match = _LAYER.search(name)
    if match is None:
        return name, None
    return f"{name[: match.start()]}{{n}}{name[match.end() :]}", int(match[1])


def role(canonical_name: str) -> str:
    """The role of a tensor: its canonical name without layer and suffix (`attn_q`, `token_embd`)."""
    bare, _ = template(canonical_name)
    for suffix in (".weight", ".bias"):
        bare = bare.removesuffix(suffix)
    return bare.removeprefix("blk.{n}.")


def huggingface_name(family: Family, canonical_name: str) -> str:
    """The Hugging Face name of a canonical name (the canonical name itself where the family has none)."""
    bare, layer = template(canonical_name)
    tensor = family.tensors.get(bare)
    return tensor.huggingface.replace("{n}", str(layer)) if tensor and tensor.huggingface else canonical_name


@cache
def gguf_architecture(name: str) -> Any:
    """The gguf package's architecture of a GGUF word or of a Hugging Face class (None: it knows none of that name)."""
    from gguf.constants import MODEL_ARCH_NAMES

    words = {_plain(name), _CLASS.sub("", _plain(name))}
    exact = next((arch for arch, known in MODEL_ARCH_NAMES.items() if known == name), None)
    return exact or next((arch for arch, known in MODEL_ARCH_NAMES.items() if _plain(known) in words), None)


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


@cache
def gguf_map(arch: Any, layers: int) -> Any:
    """The gguf package's map of the names of an architecture."""
    from gguf.tensor_mapping import get_tensor_name_map

    return get_tensor_name_map(arch, layers)


def _from_gguf_package(arch: Any, layers: int) -> Canonical:
    names = gguf_map(arch, layers)

    def find(name: str) -> str | None:
        found = names.get_name(name, try_suffixes=(".weight", ".bias"))
        return found if found is None else str(found)

    return find


def layer_count(canonical_names: Iterable[str | None]) -> int:
    """One more than the highest layer number among canonical names (0 where there is none)."""
    layers = [template(name)[1] for name in canonical_names if name is not None]
    return max((layer + 1 for layer in layers if layer is not None), default=0)
