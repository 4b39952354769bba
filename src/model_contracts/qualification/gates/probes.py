"""Owns what two artifacts answer to the same prompts: token ids first, then distributions, or greedy tokens.

Where both runtimes give logits these are compared after every position of a few prompts; where one gives none, the
tokens it makes and the tokens it continues with are. Printed text is never compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from model_contracts.checks.interface import missing_input, not_owed
from model_contracts.definitions import load_invariant, parameters
from model_contracts.engine.properties.golden_rule import DistributionParameters
from model_contracts.inference.budgets import Budget
from model_contracts.inference.measures import compare_rows
from model_contracts.outcome import Comparison, Place
from model_contracts.qualification.interface import Chain
from model_contracts.qualification.workshop import Workshop
from model_contracts.runtimes.interface import Completion, Refused, WrongAnswer

#: Tokens of a probe that are evaluated: distributions of two formats differ from the first position on, or late.
_LONGEST = 48
_PLAIN = (None, "F32", "F16", "BF16")


@dataclass(frozen=True, slots=True)
class Answer:
    """What one artifact makes of one probe."""

    #: Token ids of the prompt; None where the runtime does not say them, but their number.
    prompt: tuple[int, ...] | None
    prompt_tokens: int | None
    #: Natural-log probabilities [positions, vocabulary], where the runtime gives them.
    rows: np.ndarray[tuple[int, int], np.dtype[np.float32]] | None
    #: Greedy continuation, where it gives ids.
    tokens: tuple[int, ...] | None
    way: str = "prompt"


def same_answers(workshop: Workshop, before: Chain, after: Chain) -> Iterator[Comparison]:
    """Compare what two artifacts answer to each probe."""
    for chain in (before, after):
        workshop.available(chain)
    try:
        ours, theirs = answers(workshop, after), answers(workshop, before)
    except (Refused, WrongAnswer) as failure:
        yield Comparison(
            measure="runtime_answers",
            expected="an answer",
            observed=failure.reason[:200],
            holds=False,
            note=failure.tail[-200:] or None,
        )
        return
    told = 0
    for probe in [name for name in theirs if name in ours]:
        for comparison in _one(workshop, probe, ours[probe], theirs[probe]):
            told += 1
            yield comparison
    if not told:
        raise missing_input("neither token ids nor logits are told by the runtimes: nothing can be compared")


def answers(workshop: Workshop, chain: Chain) -> dict[str, Answer]:
    """What an artifact makes of every probe; asked once."""
    content = workshop.content(chain)
    if content not in workshop.answered:
        session = workshop.session(chain)
        ask = _evaluated if "logits" in session.about.get("questions", ()) else _completed
        workshop.answered[content] = dict(ask(workshop, chain))
    return workshop.answered[content]


def _evaluated(workshop: Workshop, chain: Chain) -> Iterator[tuple[str, Answer]]:
    """Probes of a runtime that gives logits: a prompt as it is, and one as its chat template renders it."""
    session, prompt = workshop.session(chain), " ".join(workshop.settled.prompts)
    probes = {"plain prompt": session.tokens(prompt, add_special=True)}
    if workshop.source.chat_template is not None:
        probes["chat prompt"] = session.tokens(session.render([{"role": "user", "content": prompt}]))
    for name, ids in probes.items():
        kept = ids[:_LONGEST]
        rows = np.concatenate(list(session.rows(kept)))
        yield name, Answer(tuple(ids), len(ids), rows, None)


def _completed(workshop: Workshop, chain: Chain) -> Iterator[tuple[str, Answer]]:
    """Probes of a program that is given text: every way it can be asked, each prompt of the playbook."""
    session = workshop.session(chain)
    for way in session.ways:
        for prompt in workshop.settled.prompts:
            told: Completion = session.complete(prompt, workshop.settled.tokens, way=way)
            yield f"{way}: {prompt}", Answer(told.prompt, told.prompt_tokens, None, told.tokens, way)


def _one(workshop: Workshop, probe: str, ours: Answer, theirs: Answer) -> Iterator[Comparison]:
    place = Place(key=probe)
    framed = _framed(place, ours, theirs)
    if framed is not None:
        yield framed
        if not framed.holds:
            return
    if ours.rows is not None and theirs.rows is not None:
        yield from _distributions(workshop, place, ours.rows, theirs.rows)
    elif framed is not None and ours.tokens is not None and theirs.tokens is not None:
        if workshop.settled.dtype not in _PLAIN:
            raise not_owed("greedy tokens say nothing of a model that was quantised by intent, and no logits are told")
        yield Comparison(
            measure="greedy_tokens",
            place=place,
            expected=list(theirs.tokens[:32]),
            observed=list(ours.tokens[:32]),
            holds=ours.tokens == theirs.tokens,
            count=max(len(theirs.tokens), 1),
        )


def _framed(place: Place, ours: Answer, theirs: Answer) -> Comparison | None:
    """Whether both made the same tokens of the prompt: ids where both say them, else how many."""
    if ours.prompt is not None and theirs.prompt is not None:
        expected, observed, count = list(theirs.prompt[:32]), list(ours.prompt[:32]), len(theirs.prompt)
        holds, measure = ours.prompt == theirs.prompt, "prompt_tokens"
    elif ours.prompt_tokens is not None and theirs.prompt_tokens is not None:
        expected, observed, count = theirs.prompt_tokens, ours.prompt_tokens, 1  # type: ignore[assignment]
        holds, measure = ours.prompt_tokens == theirs.prompt_tokens, "prompt_length"
    else:
        return None
    note = None if holds else "framing: the prompts differ, so that answers to them say nothing of the weights"
    return Comparison(
        measure=measure, place=place, expected=expected, observed=observed, holds=holds, count=max(count, 1), note=note
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


def _budget(dtype: str | None) -> tuple[Budget, str]:
    invariant = load_invariant("golden-rule")
    values = {**invariant.parameters, **invariant.gates[0].parameters}
    known = {key: value for key, value in values.items() if key in DistributionParameters.model_fields}
    typed = parameters(DistributionParameters, known, invariant, "parameters")
    label = "lossless" if dtype in _PLAIN else str(dtype)
    if label != "lossless" and label not in typed.budgets:
        raise missing_input(f"no budget of inference is given for {label}")
    budget = typed.lossless if label == "lossless" else typed.budgets[label]
    return budget, invariant.where("parameters", *(("lossless",) if label == "lossless" else ("budgets", label)))
