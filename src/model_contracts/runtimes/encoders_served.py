"""Owns the inside of a text session: texts encoded, decoded and normalised, and conversations rendered."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from model_contracts.artifact import AddedToken, Artifact
from model_contracts.formats.opening import open_artifact
from model_contracts.formats.tokenizer_json import tokenizer_of
from model_contracts.ledger import Ledger
from model_contracts.runtimes import templates
from model_contracts.runtimes.interface import Refused
from model_contracts.runtimes.tokenizers import Encoder, encoder

_SPACE = "\u2581"


def serve(path: str, tokenizer: str | None, purpose: str) -> Served:
    """Open the artifact at a path, with the tokenizer.json that stands for its own. Raises Refused."""
    artifact = open_artifact(Path(path))
    if tokenizer is not None and (artifact.tokenizer is None or artifact.tokenizer.origin != Path(tokenizer)):
        artifact = _with(artifact, Path(tokenizer))
    return Served(artifact, encoder(artifact) if purpose == "encode" else None)


def _with(artifact: Artifact, path: Path) -> Artifact:
    given = tokenizer_of(json.loads(path.read_bytes()), path, Ledger(), artifact.tokenizer_config)
    if given is None:
        raise Refused(f"{path.name} is no tokenizer.json that can be read")
    return replace(artifact, format="safetensors", read_tokenizer=lambda: given)


class Served:
    """One artifact's text side, and what it is asked."""

    QUESTIONS = ("encode", "normalise", "round_trip", "render")
    STREAMS = ()

    def __init__(self, artifact: Artifact, encoder: Encoder | None) -> None:
        self._artifact, self._encoder = artifact, encoder
        self._reading = _Reading(artifact, encoder) if encoder is not None else None

    def about(self) -> dict[str, Any]:
        """What was loaded."""
        lossy = self._reading.lossy if self._reading is not None else None
        return {"lossy": lossy, "origin": self._encoder.origin if self._encoder is not None else None}

    def encode(self, texts: list[str], add_special: bool) -> list[list[int]]:
        """Token ids of many texts."""
        return self._loaded.encode_many(texts, add_special)

    def normalise(self, texts: list[str]) -> list[str]:
        """What the normaliser leaves of them."""
        return ["".join(text for text, _ in self._loaded.parts(text)) for text in texts]

    def round_trip(self, texts: list[str]) -> list[tuple[list[int], str, str | None]]:
        """Ids, the text they decode to, and the text that is owed."""
        return self._loaded.round_trip(texts)

    def render(self, messages: list[Any], add_generation_prompt: bool, tools: list[Any] | None) -> str:
        """The chat template's prompt."""
        from model_contracts.runtimes.templates import rendered

        return rendered(self._artifact, messages, add_generation_prompt, tools)

    @property
    def _loaded(self) -> _Reading:
        if self._reading is None:
            raise Refused("no tokenizer was asked for")
        return self._reading
