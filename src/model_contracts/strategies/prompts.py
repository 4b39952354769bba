"""Owns generated prompts in three framings: plain text, code, and messages for the chat template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from model_contracts.vocabulary import Tokenizer

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Framing = Literal["plain", "code", "chat"]
FRAMINGS: tuple[Framing, ...] = ("plain", "code", "chat")

_CODE = (
    "def add(a: int, b: int) -> int:", "    return a + b", "for i in range(10):", "    print(i * 2)", "import numpy",
    "if x is None:", "    raise ValueError('x')", "class Model:", "    def __init__(self) -> None:", "SELECT id;",
    "{\"key\": [1, 2, 3]}", "while (n-- > 0) { sum += a[n]; }", "# a comment", "x = [y for y in z if y]",
)  # fmt: skip
_SYSTEM = ("You are a helpful assistant.", "Answer in one word.", "You write Python.")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A text, or for the chat framing a system line and turns of user and assistant."""

    framing: Framing
    parts: tuple[str, ...]
    times: int = 1

    @property
    def text(self) -> str:
        """The prompt of a framing without a template; parts that are repeated make it long and still shrink."""
        joined = ("\n" if self.framing == "code" else " ").join(self.parts)
        return joined if self.times == 1 else "\n".join([joined] * self.times)

    @property
    def messages(self) -> list[dict[str, str]]:
        """The turns of a chat: the first part speaks as system, then user and assistant in turn."""
        roles = ["system", *(("user", "assistant")[n % 2] for n in range(len(self.parts) - 1))]
        texts = (self.parts[0], *(" ".join([part] * self.times) for part in self.parts[1:]))
        return [{"role": role, "content": text} for role, text in zip(roles, texts, strict=True)]


def prompts(tokenizer: Tokenizer, framing: Framing, longest: int) -> SearchStrategy[Prompt]:
    """Prompts of one framing, of `longest` tokens or a little more at the most."""
    from hypothesis import strategies as st

    words = st.sampled_from(_words(tokenizer))
    if framing == "code":
        parts = st.lists(st.sampled_from(_CODE), min_size=1, max_size=12).map(tuple)
        each = 10
    elif framing == "chat":
        turn = st.lists(words, min_size=1, max_size=12).map(" ".join)
        # The last word is the user's: after an assistant's, some runtimes go on with its turn (llama.cpp does).
        turns = st.lists(turn, min_size=1, max_size=5).map(lambda turns: turns[: len(turns) - (len(turns) + 1) % 2])
        parts = st.builds(lambda system, turns: (system, *turns), st.sampled_from(_SYSTEM), turns)
        each = 20
    else:
        parts = st.lists(words, min_size=1, max_size=40).map(tuple)
        each = 3

    def repeated(parts: tuple[str, ...]) -> SearchStrategy[Prompt]:
        most = max(1, longest // (each * len(parts)))
        return st.builds(Prompt, st.just(framing), st.just(parts), st.integers(1, most))

    return parts.flatmap(repeated)


def joined(drawn: Sequence[Prompt], times: int) -> Prompt:
    """One long prompt of the parts of others of its framing, `times` times over; a chat ends with a user's turn."""
    first, *_ = drawn
    if first.framing == "chat":
        turns = tuple(turn for prompt in drawn for turn in prompt.parts[1:])
        return Prompt("chat", (first.parts[0], *turns[: len(turns) - (len(turns) + 1) % 2]), times)
    return Prompt(first.framing, tuple(part for prompt in drawn for part in prompt.parts), times)


def _words(tokenizer: Tokenizer) -> list[str]:
    """Whole words of the vocabulary: what a byte-level or SentencePiece token spells with letters only."""
    words: list[str] = []
    for token in tokenizer.tokens:
        word = (token or "").lstrip("Ġ▁")
        if word.isascii() and word.isalpha():
            words.append(word)
    return words[:5000] or ["a", "the", "of"]
