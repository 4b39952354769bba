"""Owns the inside of a llama.cpp session: a GGUF evaluated through libllama, and llama.cpp's own server on loopback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from model_contracts.formats.opening import open_artifact
from model_contracts.runtimes.http.loopback import post
from model_contracts.runtimes.interface import Refused, piece_length
from model_contracts.runtimes.llama_cpp.libllama import LlamaModel
from model_contracts.runtimes.session.served import Emit


def serve(path: str) -> ServedGguf:
    """Load the GGUF at a path. Raises Refused."""
    artifact = open_artifact(Path(path))
    if artifact.form.runtime != "llamacpp" or not artifact.files:
        raise Refused(f"llama.cpp reads GGUF, and {artifact.name} is {artifact.kind}")
    return ServedGguf(artifact.files[0])


class ServedGguf:
    """One GGUF, and what it is asked."""

    QUESTIONS = ("tokens", "text", "logits", "generate", "render", "address")
    STREAMS = ("rows",)

    def __init__(self, path: Path) -> None:
        self._path, self._model = path, LlamaModel(path)
        self._server: Any = None

    def about(self) -> dict[str, Any]:
        """What was loaded."""
        model = self._model
        return {"vocabulary": model.vocabulary, "context": model.context or None, "questions": self.QUESTIONS}

    def tokens(self, text: str, add_special: bool) -> list[int]:
        """Token ids."""
        return self._model.tokens(text, add_special)

    def text(self, tokens: list[int]) -> str:
        """The text of ids."""
        self._check(tokens)
        return self._model.text(tokens)

    def logits(self, tokens: list[int], top: int | None) -> tuple[Any, tuple[Any, Any]]:
        """Ids and log-probabilities, the likeliest first, [positions, k] each."""
        width = self._model.vocabulary
        count = min(top or width, width)
        ids = np.empty((len(tokens), count), np.int32)
        values = np.empty((len(tokens), count), np.float32)
        self._begin(tokens)
        for at, row in enumerate(self._model.evaluate(tokens, 0)):
            # Only the likeliest are sorted; a vocabulary is 150,000 wide.
            best = np.argpartition(row, width - count)[width - count :] if count < width else np.arange(width)
            ids[at] = best[np.argsort(-row[best], kind="stable")]
            values[at] = row[ids[at]] - _log_sum(row)
        return {"vocabulary": width}, (ids, values)

    def rows(self, emit: Emit, tokens: list[int], start: int) -> None:
        """Whole rows of log-probabilities, a piece at a time."""
        step, width = piece_length(self._model.vocabulary), self._model.vocabulary
        self._begin(tokens)
        piece, held = np.empty((min(step, len(tokens)), width), np.float32), 0
        for row in self._model.evaluate(tokens, 0, start):
            np.subtract(row, _log_sum(row), out=piece[held])
            held += 1
            if held == step:
                emit(None, piece)
                held = 0
        if held:
            emit(None, piece[:held])

    def generate(self, tokens: list[int], count: int) -> list[int]:
        """The likeliest token, again and again, until one ends the text (which is left out)."""
        self._begin(tokens, count)
        made: list[int] = []
        ask, position = tokens, 0
        while len(made) < count:
            (row,) = self._model.evaluate(ask, position, len(ask) - 1)
            best = int(row.argmax())
            if self._model.ends(best):
                break
            made.append(best)
            ask, position = [best], position + len(ask)
        return made

    def render(self, messages: list[Any], add_generation_prompt: bool, tools: list[Any] | None) -> str:
        """The prompt that llama.cpp's own template engine makes."""
        body: dict[str, Any] = {"messages": messages, "add_generation_prompt": add_generation_prompt}
        if tools is not None:
            body["tools"] = tools
        return str(post(f"{self.address()}/apply-template", json.dumps(body).encode())["prompt"])

    def address(self, seconds: float | None = None) -> str:
        """llama.cpp's server, on a free port of loopback."""
        if self._server is None:
            import xllamacpp

            params = xllamacpp.CommonParams()
            params.model.path = str(self._path)
            params.n_ctx, params.n_parallel, params.warmup = min(self._model.context or 2048, 4096), 1, False
            params.hostnames, params.port, params.use_jinja = ["127.0.0.1"], 0, True
            self._server = xllamacpp.Server(params)
        return str(self._server.listening_address)

    def _begin(self, tokens: list[int], more: int = 0) -> None:
        self._check(tokens)
        self._model.begin(len(tokens) + more, piece_length(self._model.vocabulary))

    def _check(self, tokens: list[int]) -> None:
        # llama.cpp aborts on an id that is none.
        outside = [token for token in tokens if not 0 <= token < self._model.vocabulary]
        if not tokens or outside:
            raise Refused(f"the token {outside[0]} is outside the vocabulary" if outside else "no tokens")


def _log_sum(row: Any) -> Any:
    """Logarithm of the sum of exponentials."""
    most = row.max()
    return most + np.log(np.exp(row - most).sum(dtype=np.float64)).astype(np.float32)
