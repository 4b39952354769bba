"""Owns the second question: over generated prompts, how far apart are the distributions, and when is that settled?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model_contracts.checks.interface import Examination, Skip, Where, tokenizer_of
from model_contracts.engine.properties.prompt_tokens import compare_prompt_tokens, prompt_ids
from model_contracts.engine.properties.settled import settled_comparisons
from model_contracts.engine.search import search
from model_contracts.engine.trial import Trial
from model_contracts.inference.budgets import Budgets
from model_contracts.inference.measures import Agreement, compare_rows
from model_contracts.inference.sequential import Buckets
from model_contracts.outcome import Comparison, Counterexample
from model_contracts.runtimes.interface import WholeRows
from model_contracts.strategies.prompts import FRAMINGS, Prompt, prompts

#: Prompts of each framing that are run even where fewer would settle the verdict.
_OWED = 3


class Comparing:
    """Two sessions, the buckets so far, and the prompt on which they differed most."""

    def __init__(self, source: WholeRows, target: WholeRows, parameters: Budgets, buckets: Buckets) -> None:
        self.source, self.target, self.parameters, self.buckets = source, target, parameters, buckets
        self.prompts = 0
        self.owed = _OWED
        self.worst: tuple[float, Prompt] | None = None

    def compare(self, examination: Examination, trial: Trial) -> Iterator[Comparison]:
        """Take prompts of each framing in turn until settled; where broken, shrink the worst to a counterexample."""
        artifact = examination.source_view.artifact
        examples = trial.max_examples or self.parameters.examples
        for framing in FRAMINGS:
            if framing == "chat" and artifact.chat_template is None:
                continue
            self.owed = _OWED
            strategy = prompts(tokenizer_of(artifact), framing, self.parameters.longest)
            found = search(strategy, self._take, examples, trial.seed, seconds=trial.time_budget)
            if found.counterexample is not None:
                yield compare_prompt_tokens(framing, found, self.source, self.target, trial)
                raise Skip("missing_input", "the token ids differ: distributions are not comparable")
        if self.buckets.state() == "broken" and self.worst is not None:
            trial.counterexample = self._shrunk(trial)

    def _take(self, prompt: Prompt) -> bool:
        """Take a prompt's positions; prompts that come after the verdict is settled are not run."""
        ids = prompt_ids(self.source, prompt)
        if ids != prompt_ids(self.target, prompt):
            return False
        self.owed -= 1
        enough = self.buckets.state() != "open" or self.buckets.all.count >= self.parameters.positions
        if len(ids) >= 2 and not (enough and self.owed < 0):
            self.prompts += 1
            worst = 0.0
            for start, agreement in self._agreements(ids[: self.parameters.longest]):
                self.buckets.take(agreement, start)
                worst = max(worst, float(agreement.divergence.max()))
            if self.worst is None or worst > self.worst[0]:
                self.worst = (worst, prompt)
        return True

    def _agreements(self, ids: Sequence[int]) -> Iterator[tuple[int, Agreement]]:
        start = 0
        for ours, theirs in zip(self.target.rows(ids), self.source.rows(ids), strict=True):
            yield start, compare_rows(ours, theirs)
            start += ours.shape[0]

    def _shrunk(self, trial: Trial) -> Counterexample:
        """The fewest tokens of the worst prompt after which the distributions differ as much as half of the worst."""
        assert self.worst is not None
        divergence, prompt = self.worst
        ids = prompt_ids(self.source, prompt)[: self.parameters.longest]
        # Agreement may be broken where no divergence reaches its bound.
        bound = min(max(self.buckets.all.bounds.divergence, divergence / 2), 0.9 * divergence)
        last = next(
            start + int(index)
            for start, agreement in self._agreements(ids)
            for index in (agreement.divergence >= bound).nonzero()[0][:1]
        )
        kept = ids[: last + 1]
        for cut in (len(kept) // 2, len(kept) // 4, len(kept) // 8, 1):
            while cut and len(kept) > cut and self._differs(kept[cut:], bound):
                kept = kept[cut:]
        return Counterexample(
            kind="prompt",
            description=f"{prompt.framing} prompt of {len(kept)} tokens, {self._last(kept):.3g} nats after it",
            input={"tokens": kept, "text": self.source.text(kept)[:2000], "bound": bound},
            seed=trial.seed,
        )

    def _last(self, ids: Sequence[int]) -> float:
        return float([agreement for _, agreement in self._agreements(ids)][-1].divergence[-1])

    def _differs(self, ids: Sequence[int], bound: float) -> bool:
        return len(ids) > 0 and self._last(ids) >= bound

    def comparisons(self, where: Where, pointer: tuple[str, ...]) -> Iterator[Comparison]:
        """Every bucket's divergence and agreement against the budget."""
        yield from settled_comparisons(self.buckets, self.prompts, where, pointer)
