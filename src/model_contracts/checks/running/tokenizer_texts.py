"""Owns properties of tokenizers over generated text (I-5): the way back, ids in range, equal ids on two sides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import JsonValue

from model_contracts.checks.interface import Comparisons, Examination, Kind, Where, missing_input
from model_contracts.checks.running.declared_parting import parted_as_declared
from model_contracts.checks.running.shortest import shortest
from model_contracts.checks.running.text_attempts import Attempt, texts_of
from model_contracts.checks.running.text_judges import (
    Judge,
    TextDifference,
    TextParameters,
    code_points,
    in_range,
    round_trip,
    same_ids,
    same_ids_in_llama_cpp,
)
from model_contracts.checks.trial import Trial
from model_contracts.outcome import Comparison, Counterexample, Place, Uncompared
from model_contracts.runtimes.interface import Refused


@dataclass(frozen=True, slots=True)
class TextProperty:
    """A property of one text: what it is called, what holding means, and what opens the engines that judge it."""

    measure: str
    holds: str
    judge: Callable[[Examination, TextParameters], Judge]
    #: Whether every word of the vocabulary is a text too: a merge that is missing shows on few others.
    every_word: bool = False
    #: Why some texts are left out of what is judged; None: none is.
    left_out: Callable[[Examination], str | None] | None = None

    def run(self, examination: Examination, parameters: TextParameters, where: Where, trial: Trial) -> Comparisons:
        """Try the pinned texts, then generated ones; shrink the first that fails."""
        try:
            judge = self.judge(examination, parameters)
            yield from self._compared(examination, parameters, where, trial, judge)
            if self.left_out is not None and (why := self.left_out(examination)) is not None:
                yield Uncompared(place=Place(file=examination.target.path.name), reason=why)
        except Refused as refused:
            raise missing_input(refused.reason) from None

    def again(self, examination: Examination, parameters: TextParameters, stored: JsonValue) -> Comparison:
        """One stored text again, without Hypothesis. Raises Skip, or RuntimeFailure, as `run` does."""
        texts = texts_of(stored)
        try:
            found = self.judge(examination, parameters)(texts)
        except Refused as refused:
            raise missing_input(refused.reason) from None
        at = next((at for at, difference in enumerate(found) if difference is not None), None)
        text, difference = (None, None) if at is None else (texts[at], found[at])
        return self._comparison(examination, text, difference, len(texts), "stored text")

    def _compared(
        self, examination: Examination, parameters: TextParameters, where: Where, trial: Trial, judge: Judge
    ) -> Comparisons:
        attempt = Attempt(judge, trial, self.measure)
        attempt.pinned()
        if self.every_word:
            attempt.every_word(examination)
        attempt.generated(examination, trial.max_examples or parameters.examples)
        yield from attempt.stopped
        if not attempt.tried:
            return
        text, difference = attempt.failing, None
        if text is not None:
            text = shortest(text, lambda some: [one is not None for one in judge(some)])
            difference = judge([text])[0]
            trial.counterexample = Counterexample(
                kind=self.measure,
                description=f"the text {text!r}: {code_points(text)}",
                input={"text": text},
                seed=trial.seed,
            )
        comparison = self._comparison(examination, text, difference, attempt.tried, attempt.said)
        yield comparison.model_copy(update={"bound_from": where("examples")})

    def _comparison(
        self, examination: Examination, text: str | None, difference: TextDifference | None, count: int, said: str
    ) -> Comparison:
        tokenizer = examination.target.tokenizer
        note = said if difference is None else f"{code_points(text or '')} · {difference.note} · {said}"
        return Comparison(
            measure=self.measure,
            place=Place(file=tokenizer.origin.name if tokenizer is not None else examination.target.path.name),
            expected=self.holds if difference is None else difference.expected,
            observed=self.holds if difference is None else difference.observed,
            holds=difference is None,
            count=count,
            note=note,
        )


ROUND_TRIP = TextProperty("decoded_text", "the normalised text", round_trip)
IN_RANGE = TextProperty("ids_in_range", "every id has a row of embedding", in_range)
SAME_IDS = TextProperty("token_ids", "the same ids", same_ids, every_word=True, left_out=parted_as_declared)
SAME_IDS_IN_LLAMA_CPP = TextProperty("token_ids", "the same ids", same_ids_in_llama_cpp, left_out=parted_as_declared)


def _kind(kind: TextProperty) -> Kind:
    return Kind(TextParameters, kind.run, lambda seen, given, stored: kind.again(seen, given, stored.input))


DECODED_TEXT, IDS_IN_RANGE = _kind(ROUND_TRIP), _kind(IN_RANGE)
SAME_TOKEN_IDS, SAME_TOKEN_IDS_LLAMA_CPP = _kind(SAME_IDS), _kind(SAME_IDS_IN_LLAMA_CPP)
