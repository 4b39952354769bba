"""Owns the inside of a text session: texts encoded, decoded and normalised, and conversations rendered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from model_contracts import door
from model_contracts.artifact import Artifact
from model_contracts.formats.documents import NotJson, parse
from model_contracts.formats.opening import open_artifact
from model_contracts.formats.tokenizer_json import DOCUMENT_BOUNDS, FILE_BOUND, tokenizer_of
from model_contracts.ledger import Ledger
from model_contracts.runtimes.interface import Refused
from model_contracts.runtimes.text import templates
from model_contracts.runtimes.text.reading import Reading
from model_contracts.runtimes.text.tokenizers import completed, encoder


def serve(path: str, tokenizer: str | None, purpose: str, pre: str | None) -> ServedText:
    """Open the artifact at a path, with the tokenizer.json that stands for its own. Raises Refused.

    `pre` names the pre-tokenizer of an .apr, which names none.
    """
    artifact = open_artifact(Path(path))
    if tokenizer is not None and (artifact.tokenizer is None or artifact.tokenizer.origin != Path(tokenizer)):
        artifact = _with(artifact, Path(tokenizer))
    if purpose != "encode":
        return ServedText(artifact, None)
    carried = artifact.tokenizer
    if carried is None:
        raise Refused(f"{artifact.name} has no tokenizer")
    if pre is not None and artifact.form.bare_tokenizer and carried.pre is None:
        named = replace(carried, pre=pre)
        artifact, carried = replace(artifact, read_tokenizer=lambda: named), named
    return ServedText(artifact, Reading(encoder(artifact), completed(artifact, carried)[0]))


def _with(artifact: Artifact, path: Path) -> Artifact:
    try:
        document = parse(door.read(path, FILE_BOUND), bounds=DOCUMENT_BOUNDS)
    except (OSError, NotJson) as error:
        raise Refused(f"{path.name} cannot be read: {error}") from None
    given = tokenizer_of(document, path, Ledger(), artifact.tokenizer_config)
    if given is None:
        raise Refused(f"{path.name} is no tokenizer.json that can be read")
    return replace(artifact, format="safetensors", read_tokenizer=lambda: given)


class ServedText:
    """One artifact's text side, and what it is asked."""

    QUESTIONS = ("encode", "normalise", "round_trip", "render")
    STREAMS = ()

    def __init__(self, artifact: Artifact, reading: Reading | None) -> None:
        self._artifact, self._own = artifact, reading

    def about(self) -> dict[str, Any]:
        """What was loaded: where the tokenizer came from, what was assumed of it, why there may be no way back."""
        if self._own is None:
            return {}
        encoder = self._own.encoder
        said = {"origin": encoder.origin, "assumed": encoder.assumed}
        return {**said, "lossy": self._own.lossy, "spaced": self._own.spaced}

    def encode(self, texts: list[str], add_special: bool) -> list[list[int]]:
        """Token ids of many texts."""
        return self._reading.encoder.encode_many(texts, add_special)

    def normalise(self, texts: list[str]) -> list[str]:
        """What the normaliser leaves of them."""
        return ["".join(self._reading.parts(text)) for text in texts]

    def round_trip(self, texts: list[str]) -> list[tuple[list[int], str, str | None]]:
        """Ids, the text they decode to, and the text that is owed."""
        return self._reading.round_trip(texts)

    def render(self, messages: list[Any], add_generation_prompt: bool, tools: list[Any] | None) -> str:
        """The chat template's prompt."""
        return templates.of_artifact(self._artifact, messages, add_generation_prompt, tools)

    @property
    def _reading(self) -> Reading:
        if self._own is None:
            raise Refused("no tokenizer was asked for")
        return self._own
