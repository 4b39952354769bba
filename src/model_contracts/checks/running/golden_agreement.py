"""Owns holding a target to a golden file: the stored token ids first, then the stored distributions until settled."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

import numpy as np

from model_contracts.checks.interface import Comparisons, Examination, Kind, Skip, Where, missing_input
from model_contracts.checks.running.declared_parting import spaces_always
from model_contracts.checks.running.settled import settled_comparisons
from model_contracts.checks.trial import Trial
from model_contracts.golden import Golden, GoldenPrompt
from model_contracts.inference.budgets import DistributionBudgets, bounds
from model_contracts.inference.golden_answers import decoded, of_rows
from model_contracts.inference.measures import Floats, compare
from model_contracts.inference.sequential import Buckets
from model_contracts.inference.sessions import own_runtime
from model_contracts.outcome import Comparison, Counterexample, Place, Uncompared
from model_contracts.runtimes.interface import WholeRows

#: Prompts of each framing that are run even where fewer would settle the verdict: the longest and the shortest.
_OWED = 2


def golden_answers(
    examination: Examination, parameters: DistributionBudgets, where: Where, trial: Trial
) -> Comparisons:
    """Compare what the target, on its own runtime, makes of stored prompts and answers to them."""
    golden = examination.golden
    if golden is None:
        raise missing_input("no golden file was given (--golden FILE)")
    session = examination.sessions.get(examination.target.path, own_runtime(examination.target))
    vocabulary = _vocabulary(session, golden)
    yield vocabulary
    same = vocabulary.holds
    if same:
        always = spaces_always(examination.target)
        for framing in dict.fromkeys(prompt.framing for prompt in golden.prompts):
            for told in _framing(session, golden, framing, trial, always):
                same = same and (isinstance(told, Uncompared) or told.holds)
                yield told
    if not same:
        return  # other prompts have other answers, whatever the weights are
    yield from _distributions(examination, session, golden, parameters, where, trial)


def _vocabulary(session: WholeRows, golden: Golden) -> Comparison:
    return Comparison(
        measure="vocabulary",
        expected=golden.vocabulary,
        observed=session.vocabulary,
        holds=session.vocabulary == golden.vocabulary,
        note="the width of the logits",
    )


def _ids(session: WholeRows, prompt: GoldenPrompt) -> list[int]:
    if prompt.framing == "chat":
        return session.tokens(session.render([message.model_dump() for message in prompt.messages]))
    return session.tokens(prompt.text or "", add_special=True)


def _framing(
    session: WholeRows, golden: Golden, framing: str, trial: Trial, always: bool
) -> Iterator[Comparison | Uncompared]:
    """The ids of a framing's prompts; the shortest prompt whose ids differ is told.

    `always`: the target puts a space before every text. Where the model did not, and the ids are those of the text
    with these spaces, both sides do as they declare.
    """
    prompts = [(prompt, _ids(session, prompt)) for prompt in golden.prompts if prompt.framing == framing]
    differ = [(prompt, ids) for prompt, ids in prompts if tuple(ids) != prompt.tokens]
    declared = [(prompt, ids) for prompt, ids in differ if always and prompt.spaced in ((), tuple(ids))]
    if declared:
        reason = "the model put no space before such a text or behind an added token, and SentencePiece does"
        yield Uncompared(place=Place(key=f"{framing} framing"), count=len(declared), reason=reason)
    differ = [one for one in differ if one not in declared]
    if len(prompts) > len(declared):
        yield _framed(golden, framing, differ, len(prompts) - len(declared), trial)


def _framed(
    golden: Golden, framing: str, differ: list[tuple[GoldenPrompt, list[int]]], count: int, trial: Trial
) -> Comparison:
    prompt, ours = min(differ, key=lambda pair: len(pair[0].tokens), default=(None, []))
    first = 0
    if prompt is not None:
        pairs = enumerate(zip_longest(ours, prompt.tokens))
        first = max(next(at for at, (a, b) in pairs if a != b) - 4, 0)
        trial.counterexample = Counterexample(
            kind="golden_prompt",
            description=f"{framing} prompt {prompt.rendered[:80]!r}: {len(ours)} ids, {len(prompt.tokens)} stored",
            input={"prompt": golden.prompts.index(prompt), "tokens": list(ours)},
            seed=golden.seed,
        )
    return Comparison(
        measure="prompt_tokens",
        place=Place(key=f"{framing} framing"),
        expected=list(prompt.tokens[first : first + 32]) if prompt is not None else "the stored ids",
        observed=ours[first : first + 32] if prompt is not None else "the stored ids",
        holds=prompt is None,
        count=count,
        note=None
        if prompt is None
        else f"{len(differ)} of {count} prompts become other ids (shown from id "
        f"{first} of the shortest): answers to other prompts say nothing of the weights",
    )


def _distributions(
    examination: Examination,
    session: WholeRows,
    golden: Golden,
    parameters: DistributionBudgets,
    where: Where,
    trial: Trial,
) -> Iterator[Comparison]:
    family = examination.view.family
    chosen = parameters.of(examination.intent, family.id if family else None)
    if chosen is None:
        label = examination.intent.label if examination.intent else "?"
        raise Skip("missing_input", f"no budget of inference is given for {label}")
    budget, pointer = chosen
    buckets = Buckets(bounds(budget, parameters.confidence), parameters.edges)
    taken: list[tuple[int, Floats]] = []
    for nth, at in _in_turn(golden):
        state = buckets.state()
        if state == "broken" or (state == "kept" and nth >= _OWED) or buckets.all.count >= parameters.positions:
            break
        taken.append((at, _take(session, golden.prompts[at], golden, buckets)))
    if buckets.state() == "broken":
        worst = max(taken, key=lambda one: float(one[1].max()))
        trial.counterexample = _shortest(golden, *worst, budget.divergence)
    yield from settled_comparisons(buckets, len(taken), where, pointer)


def _in_turn(golden: Golden) -> Iterator[tuple[int, int]]:
    """Prompts of each framing in turn: how many of its framing came before, and its place in the file."""
    framings: dict[str, list[int]] = {}
    for at, prompt in enumerate(golden.prompts):
        framings.setdefault(prompt.framing, []).append(at)
    for nth in range(max(map(len, framings.values()))):
        yield from ((nth, places[nth]) for places in framings.values() if nth < len(places))


def _take(session: WholeRows, prompt: GoldenPrompt, golden: Golden, buckets: Buckets) -> Floats:
    """Take a prompt's positions into the buckets; their divergences, nats."""
    stored, start = decoded(prompt.answers, golden.vocabulary), 0
    divergences = []
    for rows in session.rows(prompt.tokens[: stored.positions]):
        agreement = compare(*of_rows(rows, stored, start))
        buckets.take(agreement, start)
        divergences.append(agreement.divergence)
        start += agreement.positions
    return np.concatenate(divergences)


def _shortest(golden: Golden, at: int, divergence: Floats, least: float) -> Counterexample:
    """The fewest first tokens of a prompt after which the answers differ by half of the most they differ in it."""
    prompt, bound = golden.prompts[at], max(least, float(divergence.max()) / 2)
    position = int((divergence >= bound).argmax())
    tokens = list(prompt.tokens[: position + 1])
    return Counterexample(
        kind="golden_prompt",
        description=f"{prompt.framing} prompt {at}, {divergence[position]:.3g} nats after {len(tokens)} tokens",
        input={"prompt": at, "tokens": tokens, "bound": bound},
        seed=golden.seed,
    )


def again(examination: Examination, parameters: DistributionBudgets, stored: Counterexample) -> Comparison:
    """A prompt of the golden file once more: its ids, or the answer after its first tokens."""
    golden, entry = examination.golden, stored.input if isinstance(stored.input, dict) else {}
    at, tokens, bound = entry.get("prompt"), entry.get("tokens"), entry.get("bound")
    if golden is None:
        raise missing_input("the golden file is not there any more")
    if not isinstance(at, int) or not 0 <= at < len(golden.prompts) or not isinstance(tokens, list) or not tokens:
        raise missing_input("the stored input is no prompt of the golden file")
    prompt = golden.prompts[at]
    session = examination.sessions.get(examination.target.path, own_runtime(examination.target))
    if not isinstance(bound, float):
        ids = _ids(session, prompt)
        return Comparison(
            measure="prompt_tokens",
            expected=list(prompt.tokens[:32]),
            observed=ids[:32],
            holds=tuple(ids) == prompt.tokens,
        )
    if tokens != list(prompt.tokens[: len(tokens)]) or len(tokens) > prompt.answers.positions:
        raise missing_input("the golden file holds another prompt in that place")
    answers, last = decoded(prompt.answers, golden.vocabulary), len(tokens) - 1
    (rows,) = session.rows(prompt.tokens[: len(tokens)], start=last)
    divergence = float(compare(*of_rows(rows, answers, last)).divergence[0])
    return Comparison(
        measure="divergence",
        expected=0.0,
        observed=divergence,
        holds=divergence < bound,
        tolerance=bound,
        smallest_passing_tolerance=divergence,
    )


GOLDEN_ANSWERS = Kind(DistributionBudgets, golden_answers, again)
