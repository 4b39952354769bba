"""Owns stored prompts run again: token ids of both sides, and the divergence after a prompt of token ids."""

from __future__ import annotations

from model_contracts.checks.interface import Skip
from model_contracts.checks.running.prompt_tokens import prompt_ids
from model_contracts.inference.measures import compare_rows
from model_contracts.inference.sessions import rows_of_both
from model_contracts.outcome import Comparison, Counterexample, Place
from model_contracts.runtimes.interface import WholeRows
from model_contracts.strategies.prompts import FRAMINGS, Prompt

#: No stored prompt is longer: characters of a text, token ids of a sequence.
_CHARACTERS, _TOKENS = 1_000_000, 100_000


def run_again(stored: Counterexample, source: WholeRows, target: WholeRows) -> Comparison:
    """A stored prompt again, by its kind. Raises Skip where the stored input is none, RuntimeFailure."""
    if stored.kind == "prompt_tokens":
        return same_ids_again(_prompt(stored), source, target)
    return divergence_again(*_tokens(stored), source, target)


def same_ids_again(prompt: Prompt, source: WholeRows, target: WholeRows) -> Comparison:
    """The ids that both sides make of the prompt."""
    ours, theirs = prompt_ids(target, prompt), prompt_ids(source, prompt)
    return Comparison(
        measure="prompt_tokens",
        place=Place(key=f"{prompt.framing} framing"),
        expected=theirs[:32],
        observed=ours[:32],
        holds=ours == theirs,
        note=f"{len(ours)} ids, {len(theirs)} of the source",
    )


def divergence_again(ids: list[int], bound: float, source: WholeRows, target: WholeRows) -> Comparison:
    """The divergence between the distributions after the last of the ids; `bound` is in nats."""
    last = 0.0
    for ours, theirs in rows_of_both(target, source, ids):
        last = float(compare_rows(ours, theirs).divergence[-1])
    return Comparison(
        measure="divergence",
        place=Place(key=f"position {len(ids)}"),
        expected=0.0,
        observed=last,
        holds=last < bound,
        tolerance=bound,
        smallest_passing_tolerance=last,
        note=f"{last:.3g} nats after {len(ids)} tokens; {bound:.3g} falsify",
    )


def _prompt(stored: Counterexample) -> Prompt:
    entry = stored.input if isinstance(stored.input, dict) else {}
    framing, parts, times = entry.get("framing"), entry.get("parts"), entry.get("times")
    if framing not in FRAMINGS or not isinstance(parts, list) or type(times) is not int or not parts:
        raise Skip("missing_input", "the stored input is no prompt")
    texts = tuple(part for part in parts if isinstance(part, str))
    if len(texts) != len(parts) or not 1 <= times <= _CHARACTERS // max(1, sum(map(len, texts)) + len(texts)):
        raise Skip("missing_input", "the stored input is no prompt")
    return Prompt(framing, texts, times)


def _tokens(stored: Counterexample) -> tuple[list[int], float]:
    entry = stored.input if isinstance(stored.input, dict) else {}
    tokens, bound = entry.get("tokens"), entry.get("bound")
    ids = [token for token in tokens if type(token) is int] if isinstance(tokens, list) else []
    if not 0 < len(ids) <= _TOKENS or ids != tokens or not isinstance(bound, int | float) or not bound > 0:
        raise Skip("missing_input", "the stored input is no prompt of token ids")
    return ids, float(bound)
