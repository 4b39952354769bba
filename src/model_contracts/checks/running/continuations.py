"""Owns the golden rule on a program without logits: how it frames a prompt, and its greedy tokens on equal ids."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from math import inf
from typing import cast

from pydantic import Field, JsonValue

from model_contracts.checks.interface import Comparisons, Examination, Kind, Where, missing_input, not_owed
from model_contracts.checks.trial import Trial
from model_contracts.inference.budgets import values_kept
from model_contracts.outcome import Comparison, Counterexample, Place, Record, Uncompared
from model_contracts.runtimes.interface import Completion, Prompted, Refused, WrongAnswer

_UNTOLD = "the program does not say how many tokens it makes of the prompt"


class FramingParameters(Record):
    """What is asked; the prompts are few and fixed, so that what a program answered once can be held against it."""

    prompts: tuple[str, ...] = Field(min_length=1)
    count: int = Field(16, ge=1, description="Tokens of each continuation.")


class ContinuationParameters(FramingParameters):
    """The same, and how near two tokens are between which either may be taken."""

    margin: float = Field(gt=0, description="Nats between two tokens in the source's own distribution.")


def same_framing(examination: Examination, parameters: FramingParameters, where: Where, trial: Trial) -> Comparisons:
    """Compare how many tokens the program makes of a prompt of each artifact, in each way it can be asked."""
    source, target = _sessions(examination)
    untold = dict.fromkeys(parameters.prompts)
    for way in source.ways:
        for prompt in parameters.prompts:
            place = Place(key=f"{way}: {prompt[:80]}")
            sides = [side.complete(prompt, parameters.count, way=way) for side in (source, target)]
            theirs, ours = (side.prompt_tokens for side in sides)
            if theirs is not None and ours is not None:
                yield _framed(place, theirs, ours)
            elif theirs is not None or ours is not None:
                whose = "target" if ours is None else "source"
                yield Uncompared(place=place, reason=f"{_UNTOLD} for the {whose}, and does for the other")
            else:
                continue
            untold.pop(prompt, None)
    for prompt in untold:
        yield Uncompared(place=Place(key=prompt[:80]), reason=f"{_UNTOLD}, in whatever way it is asked")


def _framed(place: Place, theirs: int, ours: int) -> Comparison:
    return Comparison(
        measure="prompt_tokens",
        place=place,
        expected=theirs,
        observed=ours,
        holds=theirs == ours,
        note="the program frames the prompt by the file it is given: answers to it say nothing of the weights",
    )


def same_continuations(
    examination: Examination, parameters: ContinuationParameters, where: Where, trial: Trial
) -> Comparisons:
    """Compare the ids of each prompt, then its greedy continuation in a way that tells both ids."""
    _named(examination)
    pairs = examination.match.pairings.values()
    if not values_kept((pair.target.dtype, pair.source.dtype) for pair in pairs):
        raise not_owed("values were rounded: the likeliest of two near tokens may change, and no bound is known")
    source, target = _sessions(examination)
    for prompt in parameters.prompts:
        try:
            comparison = _asked(prompt, source, target, parameters.count)
            if isinstance(comparison, _Continued):
                comparison = _compared(comparison, examination, parameters, where)
        except (Refused, WrongAnswer) as failure:
            yield Comparison(
                measure="runtime_answers",
                place=Place(key=prompt[:80]),
                expected="an answer",
                observed=failure.reason[:200],
                holds=False,
                note=failure.tail[-200:] or None,
            )
            continue
        if comparison is None:
            reason = "the program tells in no way both ids of the prompt and of what it answers"
            yield Uncompared(place=Place(key=prompt[:80]), reason=reason)
        else:
            if not comparison.holds and trial.counterexample is None:
                trial.counterexample = Counterexample(
                    kind="continuation", description=f"{comparison.measure} of {prompt[:80]!r}", input={"text": prompt}
                )
            yield comparison


@dataclass(frozen=True, slots=True)
class _Continued:
    """Two continuations of one prompt."""

    place: Place
    way: str
    ids: list[int]
    expected: list[int]
    observed: list[int]


def _asked(prompt: str, source: Prompted, target: Prompted, count: int) -> Comparison | _Continued | None:
    """The ids of a prompt where they differ, else its continuations; None where no way tells ids."""
    place = Place(key=prompt[:80])
    theirs, ours = source.tokens(prompt), target.tokens(prompt)
    if ours != theirs:
        note = "the prompts differ, so that answers to them say nothing of the weights"
        return Comparison(
            measure="prompt_tokens", place=place, expected=theirs[:32], observed=ours[:32], holds=False, note=note
        )
    for way in source.ways:
        answers = [side.complete(prompt, count, way=way) for side in (source, target)]
        if all(_tells(answer, theirs) for answer in answers):
            expected, observed = (list(answer.tokens or ()) for answer in answers)
            return _Continued(place, way, theirs, expected, observed)
    return None


def _compared(
    found: _Continued, examination: Examination, parameters: ContinuationParameters, where: Where
) -> Comparison:
    """Equal tokens, or two that part where the source hardly prefers either; behind that nothing is compared."""
    expected, observed = found.expected, found.observed
    parts = next((at for at, (a, b) in enumerate(zip_longest(expected, observed)) if a != b), None)
    note, margin = f"by {found.way}, on the same {len(found.ids)} ids of the prompt", 0.0
    if parts is not None:
        margin = inf  # one of them ended
        if parts < min(len(expected), len(observed)):
            session = examination.sessions.get(examination.source_view.artifact.path, "transformers")
            ids = [*found.ids, *expected[:parts]]
            (row,) = next(iter(session.rows(ids, start=len(ids) - 1)))
            margin = abs(float(row[expected[parts]]) - float(row[observed[parts]]))
        note += f"; they part at token {parts}, where the source gives the two {margin:.3g} nats apart"
    return Comparison(
        measure="greedy_tokens",
        place=found.place,
        expected=cast("list[JsonValue]", expected),
        observed=cast("list[JsonValue]", observed),
        holds=margin <= parameters.margin,
        tolerance=parameters.margin,
        smallest_passing_tolerance=margin,
        count=len(expected) if parts is None else parts + 1,
        bound_from=where("margin"),
        note=note,
    )


def _tells(answer: Completion, ids: list[int]) -> bool:
    return bool(answer.tokens) and answer.prompt is not None and list(answer.prompt) == ids


def _named(examination: Examination) -> str:
    if examination.runtime is None:
        raise not_owed("no runtime was named (--runtime)")
    return examination.runtime


def _sessions(examination: Examination) -> tuple[Prompted, Prompted]:
    name = _named(examination)
    source, target = examination.source_view.artifact.path, examination.target.path
    sessions = [examination.sessions.get(path, name) for path in (source, target)]
    if not all(hasattr(session, "ways") for session in sessions):
        raise missing_input(f"{name} takes no text")
    first, second = (cast("Prompted", session) for session in sessions)
    return first, second


SAME_CONTINUATIONS = Kind(ContinuationParameters, same_continuations)
SAME_FRAMING = Kind(FramingParameters, same_framing)
