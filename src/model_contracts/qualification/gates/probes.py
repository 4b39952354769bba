"""Owns what two artifacts answer to the same prompts: token ids first, then distributions, or greedy tokens.

Where both runtimes give logits these are compared after every position of a few prompts; where one gives none, the
tokens it makes and the tokens it continues with are. Printed text is never compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from math import inf
from typing import cast

import numpy as np

from model_contracts.checks.interface import missing_input, not_owed
from model_contracts.checks.running.golden_rule import DistributionParameters
from model_contracts.definitions import load_invariant, parameters
from model_contracts.inference.budgets import DistributionBudget
from model_contracts.inference.measures import compare_rows
from model_contracts.outcome import Comparison, Place
from model_contracts.qualification.answered import ProbeAnswer
from model_contracts.qualification.chains import Chain
from model_contracts.qualification.workshop import Workshop
from model_contracts.runtimes.interface import Completion, NotInstalled

#: Tokens of a probe that are evaluated: distributions of two formats differ from the first position on, or late.
_LONGEST = 48
_PLAIN = (None, "F32", "F16", "BF16")
#: The runtime that says how near two tokens are, where a program gives no logits.
_REFERENCE = "transformers"


def same_answers(workshop: Workshop, before: Chain, after: Chain) -> Iterator[Comparison]:
    """Compare what two artifacts answer to each probe that becomes the same tokens in both.

    Where a program frames a prompt by itself and does so by format, another gate says so (`same_framing`).
    """
    told, framed = 0, 0
    for probe, ours, theirs in _pairs(workshop, before, after):
        place = Place(key=probe)
        if ours.prompt is None or theirs.prompt is None:
            framed += 1
            continue
        tokens = _framing(place, ours, theirs)
        yield tokens
        if not tokens.holds:
            return
        for comparison in _one(workshop, before, place, ours, theirs):
            told += 1
            yield comparison
    if not told and framed:
        raise missing_input("the runtime does not say what tokens it makes of a prompt: answers cannot be compared")
    if not told:
        raise missing_input("neither token ids nor logits are told by the runtimes: nothing can be compared")


def same_framing(workshop: Workshop, before: Chain, after: Chain) -> Iterator[Comparison]:
    """Compare what tokens a program makes of a prompt, in every way it can be asked: ids, or how many."""
    for probe, ours, theirs in _pairs(workshop, before, after):
        if ours.prompt_tokens is not None and theirs.prompt_tokens is not None:
            yield _framing(Place(key=probe), ours, theirs)


def _pairs(workshop: Workshop, before: Chain, after: Chain) -> Iterator[tuple[str, ProbeAnswer, ProbeAnswer]]:
    for chain in (before, after):
        workshop.available(chain)
    # The one before is still open where its own gates came last, and the one after is asked by the gates that follow:
    # in this order neither is loaded twice.
    theirs = answers(workshop, before)
    ours = answers(workshop, after)
    yield from ((probe, ours[probe], theirs[probe]) for probe in theirs if probe in ours)


def answers(workshop: Workshop, chain: Chain) -> dict[str, ProbeAnswer]:
    """What an artifact makes of every probe; asked once."""
    content = (*workshop.content(chain), workshop.runtime(chain))
    if content not in workshop.answered:
        session = workshop.session(chain)
        ask = _evaluated if "logits" in session.about.get("questions", ()) else _completed
        workshop.answered[content] = dict(ask(workshop, chain))
    return workshop.answered[content]


def _evaluated(workshop: Workshop, chain: Chain) -> Iterator[tuple[str, ProbeAnswer]]:
    """Probes of a runtime that gives logits: a prompt as it is, and one as its chat template renders it."""
    session, prompt = workshop.session(chain), " ".join(workshop.settled.prompts)
    probes = {"plain prompt": session.tokens(prompt, add_special=True)}
    if workshop.source.chat_template is not None:
        probes["chat prompt"] = session.tokens(session.render([{"role": "user", "content": prompt}]))
    for name, ids in probes.items():
        kept = ids[:_LONGEST]
        rows = np.concatenate(list(session.rows(kept)))
        yield name, ProbeAnswer(tuple(ids), len(ids), rows, None)


def _completed(workshop: Workshop, chain: Chain) -> Iterator[tuple[str, ProbeAnswer]]:
    """Probes of a program that is given text: every way it can be asked, each prompt of the playbook."""
    session = workshop.session(chain)
    for way in session.ways:
        for prompt in workshop.settled.prompts:
            told: Completion = session.complete(prompt, workshop.settled.tokens, way=way)
            yield f"{way}: {prompt}", ProbeAnswer(told.prompt, told.prompt_tokens, None, told.tokens, way)


def _one(
    workshop: Workshop, before: Chain, place: Place, ours: ProbeAnswer, theirs: ProbeAnswer
) -> Iterator[Comparison]:
    if ours.rows is not None and theirs.rows is not None:
        yield from _distributions(workshop, place, ours.rows, theirs.rows)
    elif ours.tokens is not None and theirs.tokens is not None:
        if workshop.settled.dtype not in _PLAIN:
            raise not_owed("greedy tokens say nothing of a model that was quantised by intent, and no logits are told")
        yield _continued(workshop, before, place, ours, theirs)


def _continued(workshop: Workshop, before: Chain, place: Place, ours: ProbeAnswer, theirs: ProbeAnswer) -> Comparison:
    """Equal tokens, or two that part where the artifact before hardly prefers either; behind that nothing is compared.

    Raises Skip where they part and nothing here says how near the two are.
    """
    expected, observed, prompt = theirs.tokens or (), ours.tokens or (), theirs.prompt or ()
    invariant = load_invariant("inference/continuations")
    bound = cast("float", invariant.parameters["margin"])
    parts = next((at for at, (a, b) in enumerate(zip_longest(expected, observed)) if a != b), None)
    note, margin = None, 0.0
    if parts is not None:
        margin = inf  # one of them ended
        if parts < min(len(expected), len(observed)):
            row = _after(workshop, before, [*prompt, *expected[:parts]])
            margin = abs(float(row[expected[parts]]) - float(row[observed[parts]]))
        note = f"they part at token {parts}, where the artifact before gives the two {margin:.3g} nats apart"
    return Comparison(
        measure="greedy_tokens",
        place=place,
        expected=list(expected[:32]),
        observed=list(observed[:32]),
        holds=margin <= bound,
        tolerance=bound,
        smallest_passing_tolerance=margin,
        count=max(len(expected) if parts is None else parts + 1, 1),
        bound_from=invariant.where("parameters", "margin"),
        note=note,
    )


def _after(workshop: Workshop, before: Chain, ids: list[int]) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Natural-log probabilities after the last of the ids, as a runtime of ours has them."""
    try:
        session = workshop.sessions.get(workshop.artifact(before).path, _REFERENCE)
        (row,) = next(iter(session.rows(ids, start=len(ids) - 1)))
    except NotInstalled as error:
        raise missing_input(f"the tokens part, and nothing here says how near they are: {error}") from None
    return row


def _framing(place: Place, ours: ProbeAnswer, theirs: ProbeAnswer) -> Comparison:
    """Whether both made the same tokens of the prompt: ids where both say them, else how many."""
    note = "framing: the prompts differ, so that answers to them say nothing of the weights"
    if ours.prompt is not None and theirs.prompt is not None:
        holds = ours.prompt == theirs.prompt
        return Comparison(
            measure="prompt_tokens",
            place=place,
            expected=list(theirs.prompt[:32]),
            observed=list(ours.prompt[:32]),
            holds=holds,
            count=max(len(theirs.prompt), 1),
            note=None if holds else note,
        )
    holds = ours.prompt_tokens == theirs.prompt_tokens
    return Comparison(
        measure="prompt_length",
        place=place,
        expected=theirs.prompt_tokens,
        observed=ours.prompt_tokens,
        holds=holds,
        note=None if holds else note,
    )


def _distributions(
    workshop: Workshop,
    place: Place,
    ours: np.ndarray[tuple[int, int], np.dtype[np.float32]],
    theirs: np.ndarray[tuple[int, int], np.dtype[np.float32]],
) -> Iterator[Comparison]:
    if ours.shape != theirs.shape:
        yield Comparison(
            measure="logits", place=place, expected=list(theirs.shape), observed=list(ours.shape), holds=False
        )
        return
    budget, where = _budget(workshop.settled.dtype)
    agreement = compare_rows(ours, theirs)
    same = float(agreement.same_top.mean())
    for measure, value, bound in (
        ("mean_divergence", float(agreement.divergence.mean()), budget.divergence),
        ("divergence_99", float(np.quantile(agreement.divergence, 0.99)), budget.divergence_99),
    ):
        yield Comparison(
            measure=measure,
            place=place,
            expected=0.0,
            observed=value,
            holds=value <= bound,
            tolerance=bound,
            smallest_passing_tolerance=value,
            count=agreement.positions,
            bound_from=where,
            note=f"the likeliest token is the same after {same:.1%} of {agreement.positions} positions",
        )


def _budget(dtype: str | None) -> tuple[DistributionBudget, str]:
    invariant = load_invariant("golden-rule")
    values = {**invariant.parameters, **invariant.gates[0].parameters}
    known = {key: value for key, value in values.items() if key in DistributionParameters.model_fields}
    typed = parameters(DistributionParameters, known, invariant, "parameters")
    label = "lossless" if dtype in _PLAIN else str(dtype)
    if label != "lossless" and label not in typed.budgets:
        raise missing_input(f"no budget of inference is given for {label}")
    budget = typed.lossless if label == "lossless" else typed.budgets[label]
    return budget, invariant.where("parameters", *(("lossless",) if label == "lossless" else ("budgets", label)))
