"""Owns what a runtime is: token ids of a text, logits of a token sequence, greedy generation, chat, a server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

import numpy as np

from model_contracts.runtime import ServerRoutes

Capability = Literal["tokenize", "detokenize", "logits", "hidden_states", "generate", "chat", "serve"]
LogProbabilities = np.ndarray[tuple[int, int], np.dtype[np.float32]]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one child process may use. `seconds` bounds each answer, `start_seconds` the loading of the artifact."""

    seconds: float = 120.0
    start_seconds: float = 300.0
    memory_mb: int = 6_000


@dataclass(frozen=True, slots=True)
class Installed:
    """Whether a runtime can be used here, which version, and how to get it where it cannot."""

    runtime: str
    available: bool
    version: str | None
    how_to_get: str
    capabilities: frozenset[Capability]
    formats: frozenset[str]


@dataclass(frozen=True, slots=True)
class TopLogits:
    """What is known of the next-token distribution after each position of a sequence.

    `ids[p]` are the k most likely tokens, most likely first, `values[p]` their natural-log probabilities;
    k is the vocabulary's size where the runtime gives whole rows. The mass of all other tokens is 1 - sum(exp).
    """

    ids: np.ndarray[tuple[int, int], np.dtype[np.int64]]
    values: LogProbabilities
    vocabulary: int

    @property
    def positions(self) -> int:
        """How many positions were evaluated."""
        return int(self.ids.shape[0])


class RuntimeFailure(Exception):
    """A runtime did not answer. One line for people; `tail` holds the last lines it printed."""

    def __init__(self, reason: str, tail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.tail = reason, tail


class NotInstalled(RuntimeFailure):
    """It is not on this machine: a gate is Skipped with how to get it."""


class Refused(RuntimeFailure):
    """It ran and would not take the artifact or the question (a format it does not read): said, not a crash."""


class Crashed(RuntimeFailure):
    """The process died: a signal, an abort, out of memory, or an exit nobody expected."""

    def __init__(self, reason: str, tail: str = "", signal: int | None = None, exit_code: int | None = None) -> None:
        super().__init__(reason, tail)
        self.signal, self.exit_code = signal, exit_code


class TimedOut(RuntimeFailure):
    """No answer within the limit; the process and its children were ended."""


class WrongAnswer(RuntimeFailure):
    """It answered with something that cannot be an answer: NaN logits, another number of positions, no tokens."""


class PluginBroke(RuntimeFailure):
    """A runtime of a third party failed in a way that is none of these: its own fault, and no word on the artifact."""


class Session(Protocol):
    """One artifact loaded by one runtime in one child process. Every method may raise RuntimeFailure."""

    def tokens(self, text: str, *, add_special: bool = False) -> list[int]:
        """Token ids of a text; added tokens in it are parsed as such."""
        ...

    def text(self, tokens: Sequence[int]) -> str:
        """The text of token ids."""
        ...

    def logits(self, tokens: Sequence[int], *, top: int | None = None) -> TopLogits:
        """Teacher-forced next-token distributions after every position; `top` cuts each row to its k likeliest."""
        ...

    def generate(self, tokens: Sequence[int], count: int) -> list[int]:
        """Greedy continuation: up to `count` ids, fewer where the end of sequence comes first."""
        ...

    def render(self, messages: Sequence[dict[str, str]], *, add_generation_prompt: bool = True) -> str:
        """The prompt that the artifact's own chat template makes of messages."""
        ...

    def close(self) -> None:
        """End the child process and everything it started."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class WholeRows(Session, Protocol):
    """A session that gives whole rows by token id: what a divergence between two distributions is computed from."""

    @property
    def vocabulary(self) -> int:
        """Width of a row."""
        ...

    @property
    def context(self) -> int | None:
        """Positions that the model was made for, where it says so."""
        ...

    def rows(self, tokens: Sequence[int], *, start: int = 0) -> Iterator[LogProbabilities]:
        """Natural-log probabilities [positions, vocabulary] after position `start`, `start + 1` …, in pieces.

        Pieces of two sessions with equal vocabularies are equally long (`piece_length`), so that they can be zipped;
        neither side holds all of them. Leaving early ends the work.
        """
        ...


class HiddenStates(Session, Protocol):
    """A session that shows what passes between modules."""

    def hidden_states(
        self, tokens: Sequence[int]
    ) -> Iterator[tuple[str, np.ndarray[tuple[int, int], np.dtype[np.float32]]]]:
        """Module name (without `model.`) and its output [positions, width], one at a time, as they are evaluated."""
        ...


@dataclass(frozen=True, slots=True)
class Completion:
    """What a program made of a prompt that it framed itself."""

    tokens: tuple[int, ...] | None
    text: str | None
    #: How many tokens it made of the prompt: where two differ, the prompts differ, and nothing else is compared.
    prompt_tokens: int | None
    #: The exact tokens of the prompt, where it says them.
    prompt: tuple[int, ...] | None = None


class Prompted(Session, Protocol):
    """A session of a program that takes text, and frames it in its own way."""

    @property
    def ways(self) -> tuple[str, ...]:
        """The ways in which it can be asked, by name; each may frame a prompt differently."""
        ...

    def complete(self, prompt: str, count: int, *, way: str | None = None) -> Completion:
        """The answer to a prompt, `count` tokens at most, in the first way or the one that is named."""
        ...


class Serving(Session, Protocol):
    """A session with a server on loopback."""

    def address(self) -> str:
        """`http://127.0.0.1:PORT`, started when first asked for; it ends with the session.

        Raises TimedOut where it is not ready within `Limits.start_seconds`, and Crashed where it died since it was
        last asked for (so it says, behind an answer that broke off, of what the server died).
        """
        ...

    @property
    def routes(self) -> ServerRoutes:
        """Where it is asked (see `http.asking.serve_exchange`)."""
        ...


#: Bytes of one piece of rows.
PIECE_BYTES = 64 << 20


def piece_length(vocabulary: int) -> int:
    """How many rows of a vocabulary make one piece."""
    return max(1, PIECE_BYTES // (4 * max(vocabulary, 1)))


class Runtime(Protocol):
    """Something that executes an artifact."""

    def installed(self) -> Installed:
        """Whether it can be used here; cheap, loads nothing heavy."""
        ...

    def open(self, path: Path, limits: Limits) -> Session:
        """Load the artifact at a path in a child process."""
        ...
