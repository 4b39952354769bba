"""Owns which texts a property of tokenizers is tried on: pinned ones, every word of a vocabulary, generated ones."""

from __future__ import annotations

import time
from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING

from pydantic import JsonValue

from model_contracts.checks.interface import Examination, Skip, tokenizer_of
from model_contracts.checks.running.text_judges import Judge
from model_contracts.checks.search import search, stopped_after
from model_contracts.checks.trial import Trial
from model_contracts.outcome import Counterexample, Uncompared
from model_contracts.runtimes.interface import Crashed, TimedOut
from model_contracts.strategies.texts import BATCH, batches, words

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

_WORDS_AT_ONCE = 512


def texts_of(stored: JsonValue) -> list[str]:
    """The texts of a stored input: `{"text": …}` or `{"texts": […]}`. Raises Skip for anything else."""
    if isinstance(stored, dict):
        texts = stored["texts"] if "texts" in stored else [stored.get("text")]
        if isinstance(texts, list) and texts and all(isinstance(text, str) for text in texts):
            return [text for text in texts if isinstance(text, str)]
    raise Skip("missing_input", "the stored input is no text")


class Attempt:
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
