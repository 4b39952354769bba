"""Owns the names of a draft: templates of stored names, the layers that have them, and what GGUF calls each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from model_contracts.anatomy.families import names as known

_NUMBER = re.compile(r"(?<=\.)\d+(?=\.|$)")


@dataclass
class Template:
    """One tensor of a class, for each layer and expert that has it."""

    name: str
    first: str
    all: list[str] = field(default_factory=list)
    layers: set[int] = field(default_factory=set)
    experts: set[int] = field(default_factory=set)


def templates(names: Iterable[str]) -> dict[str, Template]:
    """Names with the numbers of layers and experts taken out."""
    found: dict[str, Template] = {}
    for name in names:
        bare, layer, expert = _opened(name)
        one = found.setdefault(bare, Template(bare, name))
        one.all.append(name)
        one.layers |= {layer} if layer is not None else set()
        one.experts |= {expert} if expert is not None else set()
    return found


def _opened(name: str) -> tuple[str, int | None, int | None]:
    layer = expert = None
    parts, before = name.split("."), ""
    for at, part in enumerate(parts):
        if part.isdecimal() and before == "experts":
            parts[at], expert = "{e}", int(part)
        elif part.isdecimal() and layer is None:
            parts[at], layer = "{n}", int(part)
        before = part
    return ".".join(parts), layer, expert


def gguf_word(*words: str) -> str | None:
    """What GGUF calls an architecture, by the gguf package (None: it knows none of these words)."""
    from gguf.constants import MODEL_ARCH_NAMES

    found = next((arch for word in words if (arch := known.gguf_architecture(word)) is not None), None)
    return MODEL_ARCH_NAMES[found] if found is not None else None


class GgufNames:
    """The gguf package's map of names, of one architecture."""

    def __init__(self, word: str | None, layers: int) -> None:
        self._map: Any = None
        if word is not None:
            self._map = known.gguf_map(known.gguf_architecture(word), max(layers, 1))

    def of(self, template: Template) -> str | None:
        """The GGUF name of a template (None: the map has none)."""
        if self._map is None:
            return None
        for name in _spellings(template.first):
            found = self._map.get_name(name, try_suffixes=(".weight", ".bias"))
            if found is not None:
                return re.sub(r"(?<=\.)\d+(?=\.)", "{n}", str(found), count=1)
        return None


def _spellings(name: str) -> Iterator[str]:
    """A name, and that of the experts together."""
    yield name
    yield re.sub(r"(\.experts)\.\d+", r"\1", name)
    yield name.replace(".e_score_correction_bias", ".e_score_correction.bias")
    if not name.endswith((".weight", ".bias")):
        yield f"{name}.weight"
