"""Owns what an oracle is: a function from an answer and its parameters to comparisons, and what was not compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from model_contracts.golden import Golden
from model_contracts.outcome import Comparison, Record, SkipCause

#: Characters of an answer that are looked at: 4,096 tokens of 64 each.
MOST_CHARACTERS = 1 << 18
Where = Callable[..., str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said to a prompt, and what is known of how."""

    text: str
    prompt: str = ""
    #: Ids of the answer, and of the prompt as the model saw it, where the runtime tells them.
    tokens: Sequence[int] | None = None
    prompt_tokens: Sequence[int] | None = None
    #: It ended because no more tokens were asked for: its last character, its last line may not be whole.
    cut: bool = False
    #: What a model is known to answer; its digests were held by whoever read it.
    golden: Golden | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was not compared: the cause, and the reason a reader is told."""

    cause: SkipCause
    reason: str


Held = Comparison | Skipped


@dataclass(frozen=True, slots=True)
class Oracle:
    """The type of its parameters (as a playbook's YAML carries them), its function, and where its defaults are from."""

    parameters: type[Record]
    held: Callable[[Answer, Any, Where], Iterator[Held]]
    source: str
