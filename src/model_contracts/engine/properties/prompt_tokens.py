"""Owns the first question of every comparison of two runs: does a prompt become the same token ids?"""

from __future__ import annotations

from model_contracts.engine.search import Found
from model_contracts.engine.trial import Trial
from model_contracts.outcome import Comparison, Counterexample, Place
from model_contracts.runtimes.interface import Session
from model_contracts.strategies.prompts import Framing, Prompt


def prompt_ids(session: Session, prompt: Prompt) -> list[int]:
    """The ids that a session makes of a prompt: of a text with what is added to it, of a chat as rendered."""
    if prompt.framing == "chat":
        return session.tokens(session.render(prompt.messages))
    return session.tokens(prompt.text, add_special=True)


def compare_prompt_tokens(
    framing: Framing, found: Found[Prompt], source: Session, target: Session, trial: Trial
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
        count=max(found.tried, 1),
        note=None if prompt is None else "the prompts differ, so that answers to them say nothing of the weights",
    )
