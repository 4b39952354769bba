"""Owns a session that only reads and renders text: the tokenizer and chat template of an artifact, in a child process.

A tokenizer file is hostile input too: its regular expressions may run for ever, and native code may abort.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

from model_contracts.artifact import Artifact
from model_contracts.runtimes.installed import distribution
from model_contracts.runtimes.interface import Limits, NotInstalled, Refused, WrongAnswer
from model_contracts.runtimes.session.child import Child
from model_contracts.runtimes.session.session import absolute

HOW_TO_GET = "pip install 'model-contracts[tokenizer]'"
_SERVED = "model_contracts.runtimes.text.served"
#: What a session is for, and the distribution it stands on.
Purpose = Literal["encode", "render"]
_NEEDS: dict[Purpose, str] = {"encode": "tokenizers", "render": "jinja2"}


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """One text there and back: its ids, what they decode to, and what the normaliser leaves of the text."""

    ids: tuple[int, ...]
    decoded: str
    #: None where the tokenizer has no token for a part of the text, so that it owes nothing back.
    expected: str | None


class TextSession:
    """One artifact's tokenizer or template. Every method may raise RuntimeFailure; texts hold no lone surrogates.

    `pre` is llama.cpp's name of the pre-tokenizer of an .apr, which names none itself.
    """

    def __init__(self, artifact: Artifact, purpose: Purpose, limits: Limits, pre: str | None = None) -> None:
        if distribution(_NEEDS[purpose]) is None:
            raise NotInstalled(f"{_NEEDS[purpose]} is not installed: {HOW_TO_GET}")
        what = "tokenizer" if purpose == "encode" else "chat template"
        self.name = f"the {what} of {artifact.name}"
        self._child = Child(_SERVED, self.name, limits)
        origin = artifact.tokenizer.origin if artifact.tokenizer is not None else None
        beside = origin is not None and origin not in artifact.files
        asked = {
            "path": absolute(artifact.path),
            "tokenizer": absolute(origin) if origin is not None and beside else None,
            "purpose": purpose,
            "pre": pre,
        }
        try:
            self.about: dict[str, Any] = dict(self._child.ask("open", asked, seconds=limits.start_seconds).value)
        except BaseException:
            self.close()
            raise

    def encode(self, texts: Sequence[str], *, add_special: bool = False) -> list[list[int]]:
        """Token ids of each text; added tokens in it are parsed as such, BOS and EOS put around it if asked for."""
        ids = self._child.ask("encode", {"texts": list(texts), "add_special": add_special}).value
        return self._ids(ids, len(texts))

    def normalise(self, texts: Sequence[str]) -> list[str]:
        """What the tokenizer's normaliser leaves of each text, added tokens untouched."""
        return self._texts(self._child.ask("normalise", {"texts": list(texts)}).value, len(texts))

    def round_trip(self, texts: Sequence[str]) -> list[RoundTrip]:
        """Each text encoded and decoded. Raises Refused where such a tokenizer promises no way back."""
        if self.about["lossy"] is not None:
            raise Refused(str(self.about["lossy"]))
        told = self._child.ask("round_trip", {"texts": list(texts)}).value
        ids = self._ids([one[0] for one in told], len(texts))
        return [RoundTrip(tuple(each), str(one[1]), one[2]) for each, one in zip(ids, told, strict=True)]

    def render(
        self,
        messages: Sequence[dict[str, Any]],
        *,
        add_generation_prompt: bool = True,
        tools: Sequence[dict[str, Any]] | None = None,
    ) -> str:
        """The prompt that the artifact's chat template makes. Raises Refused where it fails by itself."""
        asked = {"messages": list(messages), "add_generation_prompt": add_generation_prompt, "tools": tools}
        return self._texts([self._child.ask("render", asked).value], 1)[0]

    def close(self) -> None:
        """End the child process."""
        self._child.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ids(self, ids: Any, count: int) -> list[list[int]]:
        if not isinstance(ids, list) or len(ids) != count:
            raise WrongAnswer(f"{self.name} did not answer for {count} texts")
        return ids

    def _texts(self, texts: Any, count: int) -> list[str]:
        if not isinstance(texts, list) or len(texts) != count or any(not isinstance(text, str) for text in texts):
            raise WrongAnswer(f"{self.name} did not answer with {count} texts")
        return texts
