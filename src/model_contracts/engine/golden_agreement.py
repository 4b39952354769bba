"""Owns holding a target to a golden file: the stored token ids first, then the stored distributions until settled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from model_contracts.checks.interface import Examination, Skip, Where, missing_input
from model_contracts.engine.settled import settled_comparisons
from model_contracts.engine.trial import Trial
from model_contracts.golden import Golden, GoldenPrompt
from model_contracts.inference.budgets import Budgets, bounds
from model_contracts.inference.golden_answers import decoded, of_rows
from model_contracts.inference.measures import compare
from model_contracts.inference.sequential import Buckets
from model_contracts.inference.sessions import own_runtime
from model_contracts.outcome import Comparison, Counterexample, Place
from model_contracts.runtimes.interface import Refused, WholeRows, WrongAnswer

#: Prompts of each framing that are run even where fewer would settle the verdict: the longest and the shortest.
_OWED = 2


def golden_answers(examination: Examination, parameters: Budgets, where: Where, trial: Trial) -> Iterator[Comparison]:
    """Compare what the target, on its own runtime, makes of stored prompts and answers to them."""
    golden = examination.golden
    if golden is None:
        raise missing_input("no golden file was given (--golden FILE)")
    try:
        session = examination.sessions.get(examination.target.path, own_runtime(examination.target))
        same = [_vocabulary(session, golden)]
        yield same[0]
        if same[0].holds:
            for framing in dict.fromkeys(prompt.framing for prompt in golden.prompts):
                same.append(_framing(session, golden, framing, trial))
                yield same[-1]
        if not all(comparison.holds for comparison in same):
            return  # other prompts have other answers, whatever the weights are
        yield from _distributions(examination, session, golden, parameters, where, trial)
    except (Refused, WrongAnswer) as failure:
        yield Comparison(
            measure="runtime_answers",
            place=Place(file=examination.target.path.name),
            expected="an answer",
            observed=failure.reason[:200],
            holds=False,
            note=failure.tail[-200:] or None,
        )


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


def _framing(session: WholeRows, golden: Golden, framing: str, trial: Trial) -> Comparison:
    """The ids of a framing's prompts; the shortest prompt whose ids differ is told."""
    prompts = [prompt for prompt in golden.prompts if prompt.framing == framing]
    differ = [(prompt, ids) for prompt in prompts if tuple(ids := _ids(session, prompt)) != prompt.tokens]
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
        count=len(prompts),
        note=None
        if prompt is None
        else f"{len(differ)} of {len(prompts)} prompts become other ids (shown from id "
        f"{first} of the shortest): answers to other prompts say nothing of the weights",
    )


def _distributions(
    examination: Examination, session: WholeRows, golden: Golden, parameters: Budgets, where: Where, trial: Trial
) -> Iterator[Comparison]:
    family = examination.view.family
    chosen = parameters.of(examination.intent, family.id if family else None)
    if chosen is None:
        label = examination.intent.label if examination.intent else "?"
        raise Skip("missing_input", f"no budget of inference is given for {label}")
    budget, pointer = chosen
    buckets = Buckets(bounds(budget, parameters.confidence), parameters.edges)
    worst, taken = (0.0, 0, 0), 0
    for nth, at in _in_turn(golden):
        state = buckets.state()
        if state == "broken" or (state == "kept" and nth >= _OWED) or buckets.all.count >= parameters.positions:
            break
        taken += 1
        worst = max(worst, (*_take(session, golden.prompts[at], golden, buckets), at))
    if buckets.state() == "broken":
        trial.counterexample = _counterexample(golden, worst)
    yield from settled_comparisons(buckets, taken, where, pointer)


def _in_turn(golden: Golden) -> Iterator[tuple[int, int]]:
    """Prompts of each framing in turn: how many of its framing came before, and its place in the file."""
    framings: dict[str, list[int]] = {}
    for at, prompt in enumerate(golden.prompts):
        framings.setdefault(prompt.framing, []).append(at)
    for nth in range(max(map(len, framings.values()))):
        yield from ((nth, places[nth]) for places in framings.values() if nth < len(places))


def _take(session: WholeRows, prompt: GoldenPrompt, golden: Golden, buckets: Buckets) -> tuple[float, int]:
    """Take a prompt's positions; the largest divergence, and the position it stands at."""
    stored, start, worst = decoded(prompt.answers, golden.vocabulary), 0, (0.0, 0)
    for rows in session.rows(prompt.tokens[: stored.positions]):
        agreement = compare(*of_rows(rows, stored, start))
        buckets.take(agreement, start)
        at = int(agreement.divergence.argmax())
        worst = max(worst, (float(agreement.divergence[at]), start + at))
        start += agreement.positions
    return worst


def _counterexample(golden: Golden, worst: tuple[float, int, int]) -> Counterexample:
    divergence, position, at = worst
    prompt = golden.prompts[at]
    tokens: Sequence[int] = prompt.tokens[: position + 1]
    return Counterexample(
        kind="golden_prompt",
        description=f"{prompt.framing} prompt {at}, {divergence:.3g} nats after its first {len(tokens)} tokens",
        input={"prompt": at, "tokens": list(tokens)},
        seed=golden.seed,
    )
