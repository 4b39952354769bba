"""Owns properties of tokenizers over generated text (I-5): the way back, ids in range, equal ids on two sides."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from pydantic import Field, JsonValue

from model_contracts.anatomy.pretokenizers import name_of
from model_contracts.artifact import Artifact
from model_contracts.checks.interface import (
    Comparisons,
    Examination,
    Skip,
    Where,
    missing_input,
    not_owed,
    tokenizer_of,
)
from model_contracts.engine.properties.interface import Property
from model_contracts.engine.properties.shortest import shortest
from model_contracts.engine.search import search, stopped_after
from model_contracts.engine.trial import Trial
from model_contracts.outcome import Comparison, Counterexample, Place, Record, Uncompared, jsonable
from model_contracts.runtimes.interface import Crashed, Limits, Refused, TimedOut
from model_contracts.strategies.texts import BATCH, batches, words

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from model_contracts.runtimes.encoders import TextSession


_WORDS_AT_ONCE = 512


class TextParameters(Record):
    """How many texts are generated, and what the tokenizer's process may use."""

    examples: int = Field(ge=1, le=1_000_000, description="Generated texts.")
    seconds: float = Field(20, gt=0, description="For one answer over a batch of texts.")
    memory_mb: int = Field(2000, ge=64)

    @property
    def limits(self) -> Limits:
        """The limits of one child process; opening a large vocabulary takes a few seconds."""
        return Limits(self.seconds, max(60.0, self.seconds), self.memory_mb)


@dataclass(frozen=True, slots=True)
class Difference:
    """What was owed of one text and what came."""

    expected: JsonValue
    observed: JsonValue
    note: str


#: Of each text, how it fails (None: it holds).
Judge = Callable[[Sequence[str]], list[Difference | None]]


@dataclass(frozen=True, slots=True)
class TextProperty:
    """A property of one text: what it is called, what holding means, and what opens the engines that judge it."""

    measure: str
    holds: str
    judge: Callable[[Examination, TextParameters], Judge]
    #: Whether every word of the vocabulary is a text too: a merge that is missing shows on few others.
    every_word: bool = False

    def run(self, examination: Examination, parameters: TextParameters, where: Where, trial: Trial) -> Comparisons:
        """Try the pinned texts, then generated ones; shrink the first that fails."""
        try:
            judge = self.judge(examination, parameters)
            yield from self._compared(examination, parameters, where, trial, judge)
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
        attempt = _Attempt(judge, trial, self.measure)
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
        self, examination: Examination, text: str | None, difference: Difference | None, count: int, said: str
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


def code_points(text: str, most: int = 12) -> str:
    """The code points of a text with their names."""
    named = [f"U+{ord(letter):04X} {unicodedata.name(letter, 'without a name')}" for letter in text[:most]]
    rest = len(text) - most
    return (", ".join(named) or "the empty text") + (f" and {rest} more" if rest > 0 else "")


def texts_of(stored: JsonValue) -> list[str]:
    """The texts of a stored input: `{"text": …}` or `{"texts": […]}`. Raises Skip for anything else."""
    if isinstance(stored, dict):
        texts = stored["texts"] if "texts" in stored else [stored.get("text")]
        if isinstance(texts, list) and texts and all(isinstance(text, str) for text in texts):
            return [text for text in texts if isinstance(text, str)]
    raise Skip("missing_input", "the stored input is no text")


class _Attempt:
    """Texts judged one kind after another until one fails or the budgets are spent, and what is said of them."""

    def __init__(self, judge: Judge, trial: Trial, measure: str) -> None:
        self._judge, self._trial, self._measure = judge, trial, measure
        self._ends = None if trial.time_budget is None else time.monotonic() + trial.time_budget
        self._said: list[str] = []
        self.tried = 0
        #: What was owed and not tried, where the time budget ended it.
        self.stopped: list[Uncompared] = []
        #: The first text that failed.
        self.failing: str | None = None

    @property
    def said(self) -> str:
        """How many texts of which kind were tried."""
        return " and ".join(self._said)

    def pinned(self) -> None:
        """The corpus."""
        texts = [text for stored in self._trial.pinned for text in texts_of(stored)]
        if texts:
            self.failing = self._first(texts)
            self._count(len(texts), "pinned texts")

    def every_word(self, examination: Examination) -> None:
        """What the source's tokens spell: all of them, or as many as examples were asked for."""
        if self.failing is not None:
            return
        spelt = list(dict.fromkeys(word for word in words(tokenizer_of(examination.source_view.artifact)) if word))
        if self._trial.max_examples is not None and self._trial.max_examples < len(spelt):
            spelt = Random(self._trial.seed).sample(spelt, self._trial.max_examples)
        done = 0
        while done < len(spelt) and self.failing is None:
            if self._ends is not None and time.monotonic() > self._ends:
                self.stopped.append(stopped_after(self._trial.time_budget or 0, done, len(spelt)))
                break
            some = spelt[done : done + _WORDS_AT_ONCE]
            self.failing, done = self._first(some), done + len(some)
        self._count(done, f"of {len(spelt):,} words")

    def generated(self, examination: Examination, examples: int) -> None:
        """What the strategy makes."""
        if self.failing is not None:
            return
        left = None if self._ends is None else self._ends - time.monotonic()
        strategy = _strategy(examination, examples)
        found = search(
            strategy, lambda batch: self._first(batch) is None, examples, self._trial.seed, seconds=left, weight=len
        )
        self.failing = None if found.counterexample is None else self._first(found.counterexample)
        if found.stopped is not None:
            self.stopped.append(stopped_after(self._trial.time_budget or 0, found.tried, examples))
        self._count(found.tried, f"generated ones, seed {self._trial.seed}")

    def _count(self, tried: int, kind: str) -> None:
        self.tried += tried
        self._said.append(f"{tried:,} {kind}")

    def _first(self, texts: Sequence[str]) -> str | None:
        """The shortest text that fails. Texts on which the engine dies or hangs are left as the counterexample."""
        try:
            found = self._judge(texts)
        except (Crashed, TimedOut) as failure:
            self._trial.counterexample = Counterexample(
                kind=self._measure,
                description=f"{len(texts)} texts: {failure.reason}",
                input={"texts": list[JsonValue](texts)},
                seed=self._trial.seed,
            )
            raise
        failing = [text for text, difference in zip(texts, found, strict=True) if difference is not None]
        return min(failing, key=len, default=None)


def _strategy(examination: Examination, examples: int) -> SearchStrategy[list[str]]:
    """Batches of texts, of the words and added tokens of both sides."""
    sides = [examination.target, *([examination.source] if examination.source is not None else [])]
    known = [side.tokenizer for side in sides if side.tokenizer is not None]
    added = {token.content: None for tokenizer in known for token in list(tokenizer.added.values())[:512]}
    return batches(words(known[-1]) if known else (), tuple(added), min(BATCH, examples))


def session(
    examination: Examination, artifact: Artifact, parameters: TextParameters, *, pre: str | None = None
) -> TextSession:
    """The encoder of an artifact, opened once a run. Raises Skip without a tokenizer, RuntimeFailure otherwise."""
    tokenizer_of(artifact)
    return examination.sessions.texts(artifact, "encode", parameters.limits, pre)


def beside_source(examination: Examination, parameters: TextParameters) -> TextSession:
    """The target's encoder; what an .apr does not say of it is taken to be as in the source."""
    source = tokenizer_of(examination.source_view.artifact)
    pre = name_of(source) if examination.target.format == "apr" else None
    return session(examination, examination.target, parameters, pre=pre)


def _round_trip(examination: Examination, parameters: TextParameters) -> Judge:
    encoder = session(examination, examination.target, parameters)
    if encoder.about["lossy"] is not None:
        raise not_owed(str(encoder.about["lossy"]))

    def judge(texts: Sequence[str]) -> list[Difference | None]:
        return [
            None
            if trip.expected is None or trip.decoded == trip.expected
            else Difference(
                jsonable(trip.expected),
                jsonable(trip.decoded),
                f"ids {list(trip.ids[:16])} decode to {code_points(trip.decoded)}",
            )
            for trip in encoder.round_trip(texts)
        ]

    return judge


def _in_range(examination: Examination, parameters: TextParameters) -> Judge:
    encoder = session(examination, examination.target, parameters)
    embedding = examination.view.by_canonical.get("token_embd.weight")
    rows = embedding.shape[0] if embedding is not None and embedding.shape else tokenizer_of(examination.target).size

    def judge(texts: Sequence[str]) -> list[Difference | None]:
        outside = [[at for at in ids if not 0 <= at < rows] for ids in encoder.encode(texts, add_special=True)]
        return [
            Difference(f"below {rows:,}", ids[0], f"{rows:,} rows of embedding") if ids else None for ids in outside
        ]

    return judge


def _same_ids(examination: Examination, parameters: TextParameters) -> Judge:
    source = session(examination, examination.source_view.artifact, parameters)
    target = beside_source(examination, parameters)
    engines = "; ".join([f"{source.about['origin']} against {target.about['origin']}", *target.about["assumed"]])

    unnamed = examination.target.format == "apr" and name_of(tokenizer_of(examination.source_view.artifact)) is None

    def judge(texts: Sequence[str]) -> list[Difference | None]:
        theirs, ours = source.encode(texts, add_special=True), target.encode(texts, add_special=True)
        found = [_parted(a, b, engines) for a, b in zip(theirs, ours, strict=True)]
        if unnamed and any(found):
            raise missing_input(
                f"the ids differ, and the .apr leaves to be assumed: {'; '.join(target.about['assumed'])}"
            )
        return found

    return judge


def _same_ids_in_llama_cpp(examination: Examination, parameters: TextParameters) -> Judge:
    if examination.target.format != "gguf":
        raise not_owed(f"llama.cpp reads GGUF, and the target is {examination.target.kind}")
    source = session(examination, examination.source_view.artifact, parameters)
    theirs = examination.sessions.get(examination.target.path, "llamacpp")
    engines = f"{source.about['origin']} against llama.cpp"

    def judge(texts: Sequence[str]) -> list[Difference | None]:
        # llama.cpp normalises nothing: what the source's normaliser leaves of a text is the same for both.
        plain = source.normalise(texts)
        pairs = zip(source.encode(plain, add_special=True), plain, strict=True)
        return [_parted(ids, theirs.tokens(text, add_special=True), engines) for ids, text in pairs]

    return judge


def _parted(expected: list[int], observed: list[int], engines: str) -> Difference | None:
    if expected == observed:
        return None
    at = next((at for at, (a, b) in enumerate(zip(expected, observed, strict=False)) if a != b), None)
    at = min(len(expected), len(observed)) if at is None else at
    start = max(0, at - 8)
    return Difference(
        list[JsonValue](expected[start : start + 24]),
        list[JsonValue](observed[start : start + 24]),
        f"ids part at position {at} of {len(expected)} and {len(observed)}, {engines}",
    )


ROUND_TRIP = TextProperty("decoded_text", "the normalised text", _round_trip)
IN_RANGE = TextProperty("ids_in_range", "every id has a row of embedding", _in_range)
SAME_IDS = TextProperty("token_ids", "the same ids", _same_ids, every_word=True)
SAME_IDS_IN_LLAMA_CPP = TextProperty("token_ids", "the same ids", _same_ids_in_llama_cpp)


def _property(kind: TextProperty) -> Property:
    return Property(TextParameters, kind.run, lambda seen, given, stored: kind.again(seen, given, stored.input))


DECODED_TEXT, IDS_IN_RANGE = _property(ROUND_TRIP), _property(IN_RANGE)
SAME_TOKEN_IDS, SAME_TOKEN_IDS_LLAMA_CPP = _property(SAME_IDS), _property(SAME_IDS_IN_LLAMA_CPP)
