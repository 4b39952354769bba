"""Reads what llama.cpp's converter made of models whose weights are made from their names: digests, not values."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from model_contracts.anatomy.families.multimodal import other_part, text_config, text_part, without_part
from model_contracts.definitions import load_families
from model_contracts.family import Family
from support.family_files import Side
from support.shared_models import DATA

FOLDER = DATA / "converted"


@dataclass(frozen=True)
class Recorded:
    """One conversion: config.json, the shapes of the folder, and name, shape and digest of each GGUF tensor."""

    name: str

    @cached_property
    def _document(self) -> Any:
        return json.loads((FOLDER / f"{self.name}.json").read_text())

    @cached_property
    def family(self) -> Family:
        """The family that the record is of."""
        found: str = self._document["family"]
        return next(family for family in load_families() if family.id == found)

    @cached_property
    def huggingface(self) -> Side:
        """The folder, its values made again; of a model of several parts the language model."""
        config, values = self._document["config"], {}
        for name, shape in self._document["folder"].items():
            if text_part(config) is None:
                values[name] = made(name, shape)
            elif other_part(name) is None:
                values[without_part(name)] = made(name, shape)
        return Side("huggingface", self.family, values, {**text_config(config), **_tied(config)})

    @cached_property
    def gguf(self) -> Side:
        """The GGUF: names and shapes; values are known by digest alone."""
        shapes = {name: np.empty(one["shape"], np.int8) for name, one in self._document["gguf"].items()}
        return Side("gguf", self.family, shapes, self._document["keys"])

    def digest(self, name: str) -> str:
        """What the GGUF holds, in F32."""
        found: str = self._document["gguf"][name]["digest"]
        return found


def _tied(config: dict[str, Any]) -> dict[str, Any]:
    return {name: config[name] for name in ("tie_word_embeddings",) if name in config}


def recorded() -> Iterator[Recorded]:
    """Every record."""
    yield from (Recorded(path.stem) for path in sorted(FOLDER.glob("*.json")))


def made(name: str, shape: list[int]) -> np.ndarray:
    """The values of a tensor, by its name: random, near 1 for norms, each a BF16 widened to F32."""
    random = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    values = random.standard_normal(prod(shape), dtype=np.float32).reshape(shape) * np.float32(0.05)
    if "norm" in name.lower():
        values += np.float32(1.0)
    bits = values.view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)).view(np.float32)


def digest(values: np.ndarray) -> str:
    """Of values in F32, row by row."""
    return hashlib.sha256(np.ascontiguousarray(values, np.float32).tobytes()).hexdigest()[:32]
