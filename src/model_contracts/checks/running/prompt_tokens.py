"""Owns the first question of every comparison of two runs: does a prompt become the same token ids?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from model_contracts.artifact import Artifact
from model_contracts.checks.search import Searched
from model_contracts.checks.trial import Trial
from model_contracts.inference.sessions import Sessions
from model_contracts.outcome import Comparison, Counterexample, Place
from model_contracts.strategies.prompts import Framing, Prompt


class MakesPrompts(Protocol):
    """What makes token ids of a text, and a prompt of messages: a session, or a tokenizer and a template alone."""

    def tokens(self, text: str, *, add_special: bool = False) -> list[int]:
        """Token ids of a text."""
        ...

    def render(self, messages: Sequence[dict[str, str]]) -> str:
        """The prompt that the chat template makes."""
        ...


@dataclass(frozen=True, slots=True)
class PromptWords:
    """An artifact's tokenizer and chat template, each in a child process of its own; no weights are loaded."""

    sessions: Sessions
    artifact: Artifact

    def tokens(self, text: str, *, add_special: bool = False) -> list[int]:
        """See MakesPrompts. Raises RuntimeFailure."""
        session = self.sessions.texts(self.artifact, "encode", self.sessions.limits)
        return session.encode([text], add_special=add_special)[0]

    def render(self, messages: Sequence[dict[str, str]]) -> str:
        """See MakesPrompts. Raises RuntimeFailure."""
        return self.sessions.texts(self.artifact, "render", self.sessions.limits).render(messages)


def prompt_ids(session: MakesPrompts, prompt: Prompt) -> list[int]:
    """The ids that a session makes of a prompt: of a text with what is added to it, of a chat as rendered."""
    if prompt.framing == "chat":
        return session.tokens(session.render(prompt.messages))
    return session.tokens(prompt.text, add_special=True)


def compare_prompt_tokens(
    framing: Framing, found: Searched[Prompt], source: MakesPrompts, target: MakesPrompts, trial: Trial
) -> Comparison:
    """What was found of one framing; where ids differ, the prompt becomes the trial's counterexample."""
    prompt = found.counterexample
    ours = theirs = None
    if prompt is not None:
        ours, theirs = prompt_ids(target, prompt), prompt_ids(source, prompt)
        text = source.render(prompt.messages) if prompt.framing == "chat" else prompt.text
        trial.counterexample = Counterexample(
            kind="prompt_tokens",
            description=f"{framing} prompt {text[:80]!r}: {len(ours)} ids where the source has {len(theirs)}",
            input={"framing": framing, "parts": list(prompt.parts), "times": prompt.times},
            seed=trial.seed,
        )
    return Comparison(
        measure="prompt_tokens",
        place=Place(key=f"{framing} framing"),
        expected=theirs[:32] if theirs is not None else "the same ids",
        observed=ours[:32] if ours is not None else "the same ids",
        holds=prompt is None,
        count=found.tried,
        note=None if prompt is None else "the prompts differ, so that answers to them say nothing of the weights",
    )
