"""Owns a session: questions to a child process, and answers held to what was asked before anybody compares them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from model_contracts.runtime import ServerRoutes
from model_contracts.runtimes.interface import (
    Completion,
    Limits,
    LogProbabilities,
    Refused,
    TopLogits,
    WrongAnswer,
)
from model_contracts.runtimes.session.child import Child
from model_contracts.runtimes.session.frames import Frame

#: How far the probabilities of a whole row may be from 1.
_MASS = 1e-3
#: The routes of a server that declares none of its own: those of our runtimes are named after OpenAI's.
OPENAI = {"completions": {"route": "/v1/completions"}, "chat": {"route": "/v1/chat/completions"}}
#: Seconds that a child has, behind a limit that it keeps itself, to say so: then it is ended from outside.
_LATE = 2.0


class ChildSession:
    """One artifact loaded in one child process; it answers what its runtime can, and Refused for the rest."""

    def __init__(self, name: str, module: str, arguments: dict[str, Any], limits: Limits) -> None:
        self.name = name
        self._arguments, self._limits = arguments, limits
        self._child = Child(module, name, limits)
        try:
            about = self._child.ask("open", arguments, seconds=limits.start_seconds).value
        except BaseException:
            self._child.close()
            raise
        #: What the child says of what it loaded: `vocabulary`, `context`, `questions`, and what else the runtime adds.
        self.about: dict[str, Any] = dict(about)

    def reopen(self, path: Path) -> None:
        """Load another artifact in the same process, in place of this one: what is imported stays imported."""
        self._arguments = {**self._arguments, "path": absolute(path)}
        self.about = dict(self._child.ask("open", self._arguments, seconds=self._limits.start_seconds).value)

    @property
    def vocabulary(self) -> int:
        """Width of a row of logits (0 where the runtime gives none)."""
        return int(self.about.get("vocabulary", 0))

    @property
    def context(self) -> int | None:
        """How many positions the artifact declares (None: it does not say)."""
        value = self.about.get("context")
        return None if value is None else int(value)

    @property
    def pid(self) -> int:
        """The child, which leads a process group of its own."""
        return self._child.pid

    def tokens(self, text: str, *, add_special: bool = False) -> list[int]:
        """See Session."""
        ids = self._ask("tokens", text=text, add_special=add_special).value
        return self._ids(ids, text and not text.isspace())

    def text(self, tokens: Sequence[int]) -> str:
        """See Session."""
        return str(self._ask("text", tokens=_plain(tokens)).value)

    def logits(self, tokens: Sequence[int], *, top: int | None = None) -> TopLogits:
        """See Session. Whole rows sorted take long: `rows` gives them by id."""
        reply = self._ask("logits", tokens=_plain(tokens), top=top)
        ids, values = self._arrays(reply, 2)
        vocabulary = self.vocabulary or int(reply.value["vocabulary"])
        if ids.shape != values.shape or ids.ndim != 2 or len(ids) != len(tokens):
            raise WrongAnswer(f"{self.name} gave {ids.shape[0] if ids.ndim else 0} positions for {len(tokens)} tokens")
        if ids.size and not (ids.min() >= 0 and ids.max() < vocabulary):
            raise WrongAnswer(f"{self.name} gave a token id outside its vocabulary of {vocabulary:,}")
        self._probabilities(values, whole=ids.shape[1] == vocabulary)
        return TopLogits(ids.astype(np.int64), values, vocabulary)

    def rows(self, tokens: Sequence[int], *, start: int = 0) -> Iterator[LogProbabilities]:
        """See WholeRows."""
        position = start
        for part in self._child.stream("rows", {"tokens": _plain(tokens), "start": start}):
            (values,) = self._arrays(part, 1)
            if values.ndim != 2 or values.shape[1] != self.vocabulary:
                raise WrongAnswer(f"{self.name} gave rows of {values.shape[1:]} and not of {self.vocabulary:,}")
            self._probabilities(values, whole=True, first=position)
            position += len(values)
            yield values
        if position != len(tokens):
            raise WrongAnswer(f"{self.name} gave {position} positions for {len(tokens)} tokens")

    def hidden_states(
        self, tokens: Sequence[int]
    ) -> Iterator[tuple[str, np.ndarray[tuple[int, int], np.dtype[np.float32]]]]:
        """See HiddenStates. NaN passes: where it begins is what is asked."""
        for part in self._child.stream("hidden_states", {"tokens": _plain(tokens)}):
            (values,) = self._arrays(part, 1)
            if values.ndim != 2 or len(values) != len(tokens):
                raise WrongAnswer(f"{self.name} gave {values.shape} for {part.value}, for {len(tokens)} tokens")
            yield str(part.value), values

    def generate(self, tokens: Sequence[int], count: int) -> list[int]:
        """See Session."""
        ids = self._ids(self._ask("generate", tokens=_plain(tokens), count=count).value, False)
        if len(ids) > count:
            raise WrongAnswer(f"{self.name} gave {len(ids)} tokens where {count} were asked for")
        return ids

    def render(
        self,
        messages: Sequence[dict[str, Any]],
        *,
        add_generation_prompt: bool = True,
        tools: Sequence[dict[str, Any]] | None = None,
    ) -> str:
        """See Session; `tools` are offered to the template too."""
        reply = self._ask(
            "render",
            messages=list(messages),
            add_generation_prompt=add_generation_prompt,
            tools=None if tools is None else list(tools),
        )
        return str(reply.value)

    def complete(self, prompt: str, count: int, *, way: str | None = None) -> Completion:
        """See Prompted."""
        told = self._ask("complete", prompt=prompt, count=count, way=way).value
        tokens, framed = (
            None if told[key] is None else tuple(self._ids(told[key], False)) for key in ("tokens", "prompt")
        )
        if not tokens and not told["text"] and count:
            raise WrongAnswer(f"{self.name} ended well and answered nothing", str(told.get("tail", "")))
        return Completion(tokens, told["text"], told["prompt_tokens"], framed)

    @property
    def ways(self) -> tuple[str, ...]:
        """See Prompted."""
        return tuple(self.about.get("ways", ()))

    def address(self) -> str:
        """See Serving."""
        seconds = self._limits.start_seconds
        return str(self._ask("address", _within=seconds + _LATE, seconds=seconds).value)

    @property
    def routes(self) -> ServerRoutes:
        """See Serving."""
        return ServerRoutes.model_validate(self.about.get("routes") or OPENAI)

    def close(self) -> None:
        """See Session."""
        self._child.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, question: str, _within: float | None = None, **arguments: Any) -> Frame:
        if question not in self.about.get("questions", ()):
            raise Refused(f"{self.name} cannot be asked for {question}")
        return self._child.ask(question, arguments, seconds=_within)

    def _ids(self, ids: Any, owed: Any) -> list[int]:
        if not isinstance(ids, list) or any(type(token) is not int or token < 0 for token in ids):
            raise WrongAnswer(f"{self.name} gave something else than token ids")
        if owed and not ids:
            raise WrongAnswer(f"{self.name} made no tokens of a text that is not empty")
        return ids

    def _arrays(self, reply: Frame, count: int) -> tuple[Any, ...]:
        if len(reply.arrays) != count:
            raise WrongAnswer(f"{self.name} gave {len(reply.arrays)} arrays where {count} were asked for")
        return reply.arrays

    def _probabilities(self, values: Any, *, whole: bool, first: int = 0) -> None:
        """Log-probabilities hold no NaN, lie at or below 0, and those of a whole row make 1."""
        room = np.empty(values.shape[1], np.float32)
        rows = values.astype(np.float32, copy=False)
        masses = np.array([np.exp(row, out=room).sum(dtype=np.float64) for row in rows])
        bad = np.isnan(masses)
        if bad.any():
            count, at = int(bad.sum()), first + int(bad.argmax())
            raise WrongAnswer(f"{self.name} gave NaN at {count} of {len(values)} positions, first at {at}")
        wrong = np.abs(masses - 1) > _MASS if whole else masses > 1 + _MASS
        if wrong.any():
            at = int(wrong.argmax())
            raise WrongAnswer(f"{self.name} gave probabilities that make {masses[at]:.6g} at position {first + at}")


def _plain(tokens: Sequence[int]) -> list[int]:
    return [int(token) for token in tokens]


def absolute(path: Path) -> str:
    """A path that means the same in the child, which works in a folder of its own."""
    return str(path.absolute())
