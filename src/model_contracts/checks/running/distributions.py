"""Owns the second question: over generated prompts, how far apart are the distributions, and when is that settled?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil

import numpy as np

from model_contracts.checks.interface import Comparisons, Examination, Skip, Where, tokenizer_of
from model_contracts.checks.running.declared_parting import DeclaredParting, declared_parting
from model_contracts.checks.running.prompt_tokens import compare_prompt_tokens, prompt_ids
from model_contracts.checks.running.settled import settled_comparisons
from model_contracts.checks.search import Searched, search, stopped_after
from model_contracts.checks.trial import Trial
from model_contracts.inference.budgets import DistributionBudgets
from model_contracts.inference.measures import Agreement, Floats, compare_rows
from model_contracts.inference.sequential import Buckets
from model_contracts.inference.sessions import rows_of_both
from model_contracts.outcome import Comparison, Counterexample, Place
from model_contracts.runtimes.interface import WholeRows, WrongAnswer
from model_contracts.strategies.prompts import FRAMINGS, Framing, Prompt, joined, prompts

#: Prompts of each framing that are run even where fewer would settle the verdict.
_OWED = 3
#: Positions that an owed prompt is given at the least.
_SHORTEST = 32
#: What shrinking a prompt may cost: runs of both models, and tokens that they are given in them.
SHRINK_RUNS, SHRINK_TOKENS = 96, 16_384


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A prompt whose ids are equal on both sides."""

    prompt: Prompt
    ids: list[int]


class Comparing:
    """Two sessions, the buckets so far, and the prompt on which they differed most."""

    def __init__(self, source: WholeRows, target: WholeRows, parameters: DistributionBudgets, buckets: Buckets) -> None:
        self.source, self.target, self.parameters, self.buckets = source, target, parameters, buckets
        contexts = [side.context for side in (source, target) if side.context]
        self.longest = max(2, min(parameters.longest, *contexts)) if contexts else parameters.longest
        self.prompts = 0
        #: Whether the time budget ended it: then nothing is concluded from the positions so far.
        self.stopped = False
        self._worst: tuple[Framing, list[int], Floats] | None = None
        self._parting = DeclaredParting(None)

    def compare(self, examination: Examination, trial: Trial) -> Comparisons:
        """Draw prompts and compare their ids; then run them until settled, and shrink the worst where broken."""
        artifact = examination.source_view.artifact
        self._parting = declared_parting(examination)
        examples = trial.max_examples or self.parameters.examples
        drawn: dict[Framing, list[_Drawn]] = {}
        for framing in FRAMINGS:
            if framing == "chat" and artifact.chat_template is None:
                continue
            mine = drawn.setdefault(framing, [])
            strategy = prompts(tokenizer_of(artifact), framing, self.parameters.longest)
            found = search(strategy, partial(self._draw, mine), examples, trial.seed, seconds=trial.time_budget)
            if found.counterexample is not None:
                yield from self._other_ids(framing, found, trial)
            yield from self._parting.uncompared(framing)
            if found.stopped is not None:  # other prompts would be run, and another would be the worst
                self.stopped = True
                yield found.stopped.model_copy(update={"place": Place(key=f"{framing} framing")})
                return
        yield from self._run({framing: mine for framing, mine in drawn.items() if mine}, trial)
        if not self.stopped and self.buckets.state() == "broken" and self._worst is not None:
            trial.counterexample = self._shrunk(trial)

    def _draw(self, drawn: list[_Drawn], prompt: Prompt) -> bool:
        """Keep a prompt to be run; False where its ids differ, and nothing that is declared says why."""
        ids = prompt_ids(self.source, prompt)
        if ids != prompt_ids(self.target, prompt):
            return self._parting.explains(prompt, self.source, self.target)
        if len(ids) >= 2 and all(ids != one.ids for one in drawn):
            drawn.append(_Drawn(prompt, ids))
        return True

    def _other_ids(self, framing: Framing, found: Searched[Prompt], trial: Trial) -> Iterator[Comparison]:
        yield compare_prompt_tokens(framing, found, self.source, self.target, trial)
        raise Skip("missing_input", "the token ids differ: distributions are not comparable")

    def _run(self, drawn: dict[Framing, list[_Drawn]], trial: Trial) -> Comparisons:
        """Each framing in turn, its longest prompts first.

        Of those that are owed one is made long, and the next framing's too where far positions are still open; the
        others say of the first bucket what it takes, each its share of what settles the agreement. Whatever is open
        then takes prompts as they are.
        """
        ends = None if trial.time_budget is None else time.monotonic() + trial.time_budget
        queues = {framing: sorted(mine, key=lambda one: -len(one.ids)) for framing, mine in drawn.items()}
        owed = sum(map(len, queues.values()))
        left = sum(min(len(mine), _OWED) for mine in queues.values())
        for nth in range(max(map(len, queues.values()), default=0)):
            for framing, mine in queues.items():
                enough = self.buckets.state() != "open" or self.buckets.all.count >= self.parameters.positions
                if nth >= _OWED and enough:
                    return
                late = ends is not None and time.monotonic() > ends
                # What is broken already runs what it owes: which prompt shows it is not a matter of time.
                if late and self.buckets.state() != "broken" and self.prompts < owed:
                    self.stopped = True
                    yield stopped_after(trial.time_budget or 0, self.prompts, owed)
                    return
                if nth >= len(mine):
                    continue
                one, most = mine[nth], self.longest if nth >= _OWED else self._share(left)
                left -= 1
                if nth == 0 and (self.prompts == 0 or self.buckets.far_is_open()):
                    long, most = self._long(mine), self.longest
                    if long.ids == prompt_ids(self.target, long.prompt):
                        one = long
                    elif not self._parting.explains(long.prompt, self.source, self.target):
                        yield from self._other_ids(framing, Searched(1, long.prompt), trial)
                self._taken(framing, one.ids[:most], trial)

    def _share(self, left: int) -> int:
        """Positions of each of so many owed prompts, by how many there were so far, not by what they said.

        Together they settle the agreement where all agree; where a long prompt alone does, none is cut shorter.
        """
        missing = self.buckets.all.bounds.agreeing - self.buckets.all.count
        most = self.parameters.edges[0]
        return most if missing <= 0 else min(most, max(_SHORTEST, ceil(missing / left)))

    def _long(self, drawn: Sequence[_Drawn]) -> _Drawn:
        """A prompt that reaches as far as any may, out of all that were drawn."""
        tokens = sum(len(one.ids) // one.prompt.times for one in drawn)
        prompt = joined([one.prompt for one in drawn], 1 + self.longest // max(tokens, 1))
        return _Drawn(prompt, prompt_ids(self.source, prompt))

    def _taken(self, framing: Framing, ids: list[int], trial: Trial) -> None:
        """Take a prompt; where a side gives what is no answer (NaN), the fewest tokens that it does so for are kept."""
        try:
            self._take(framing, ids)
        except WrongAnswer as failure:
            kept = self._fewest(ids, self._is_wrong)
            trial.counterexample = Counterexample(
                kind="prompt",
                description=f"{framing} prompt of {len(kept)} tokens: {failure.reason}"[:300],
                input={
                    "tokens": kept,
                    "text": self.source.text(kept)[:2000],
                    "bound": self.buckets.all.bounds.divergence,
                },
                seed=trial.seed,
            )
            raise

    def _is_wrong(self, ids: Sequence[int]) -> bool:
        try:
            for _ in self._agreements(ids):
                continue
        except WrongAnswer:
            return True
        return False

    def _take(self, framing: Framing, ids: list[int]) -> None:
        """Take the positions of a prompt."""
        self.prompts += 1
        divergences = []
        for start, agreement in self._agreements(ids):
            self.buckets.take(agreement, start)
            divergences.append(agreement.divergence)
            # A long vocabulary comes in short pieces: what is settled as far as the last bucket needs no more of them.
            if start + agreement.positions > self.parameters.edges[-1] and not self.buckets.far_is_open():
                break
        found = np.concatenate(divergences)
        if self._worst is None or found.max() > self._worst[2].max():
            self._worst = (framing, ids, found)

    def _agreements(self, ids: Sequence[int], first: int = 0) -> Iterator[tuple[int, Agreement]]:
        """The positions from `first` on, in pieces; each with the position it begins at."""
        start = first
        for ours, theirs in rows_of_both(self.target, self.source, ids, first):
            yield start, compare_rows(ours, theirs)
            start += ours.shape[0]

    def _shrunk(self, trial: Trial) -> Counterexample:
        """The fewest tokens of the worst prompt after which the distributions differ as much as half of the worst."""
        assert self._worst is not None
        framing, ids, found = self._worst
        worst = float(found.max())
        # Agreement may be broken where no divergence reaches its bound.
        bound = min(max(self.buckets.all.bounds.divergence, worst / 2), 0.9 * worst)
        kept = self._fewest(ids[: int((found >= bound).argmax()) + 1], lambda fewer: self._last(fewer) >= bound)
        return Counterexample(
            kind="prompt",
            description=f"{framing} prompt of {len(kept)} tokens, {self._last(kept):.3g} nats after it",
            input={"tokens": kept, "text": self.source.text(kept)[:2000], "bound": bound},
            seed=trial.seed,
        )

    def _fewest(self, ids: list[int], fails: Callable[[list[int]], bool]) -> list[int]:
        """Take runs of tokens away, the longest and the first of them first, while what is left fails."""
        run, runs, tokens = len(ids) // 2, 0, 0
        while run:
            at = 0
            while at + run < len(ids) and runs < SHRINK_RUNS and tokens < SHRINK_TOKENS:
                fewer = ids[:at] + ids[at + run :]
                runs, tokens = runs + 1, tokens + len(fewer)
                if fails(fewer):
                    ids = fewer
                else:
                    at += run
            run //= 2
        return ids

    def _last(self, ids: Sequence[int]) -> float:
        return float([agreement for _, agreement in self._agreements(ids, len(ids) - 1)][-1].divergence[-1])

    def comparisons(self, where: Where, pointer: tuple[str, ...]) -> Iterator[Comparison]:
        """Every bucket's divergence and agreement against the budget; nothing where the time budget ended it."""
        if not self.stopped:
            yield from settled_comparisons(self.buckets, self.prompts, where, pointer)
