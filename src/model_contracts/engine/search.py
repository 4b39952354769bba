"""Owns running Hypothesis as a library: a seed, no database, a bounded shrink, and the smallest input that fails."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from model_contracts import paths

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

T = TypeVar("T")

#: What a shrink may cost: runs of the predicate, and seconds.
SHRINK_RUNS, SHRINK_SECONDS = 500, 10.0


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """How many inputs were tried, and the smallest on which the predicate does not hold (None: it held on all)."""

    tried: int
    counterexample: T | None
    #: Whether the time budget was spent before the examples were.
    out_of_time: bool = False


class _Fails(Exception):
    """A generated input on which the predicate does not hold."""


class _Enough(BaseException):
    """A budget is spent. Hypothesis lets what is no Exception through, and neither replays nor shrinks it."""


class _Raised(BaseException):
    """What the predicate raised: no counterexample, and nothing to shrink."""


def search(
    strategy: SearchStrategy[T],
    holds: Callable[[T], bool],
    examples: int,
    seed: int,
    *,
    seconds: float | None = None,
    weight: Callable[[T], int] = lambda value: 1,
) -> Found[T]:
    """Try generated inputs until one fails, then shrink it within SHRINK_RUNS and SHRINK_SECONDS.

    `seconds` bounds the generating; `weight` says how many examples an input stands for. What `holds` raises goes
    through at once.
    """
    attempt = _Attempt(holds, examples, None if seconds is None else time.monotonic() + seconds, weight)
    try:
        _run(strategy, attempt, examples, seed)
    except _Fails:
        return Found(attempt.tried, attempt.failing[-1])  # Hypothesis runs the smallest one last
    except _Enough:
        smallest = min(attempt.failing, key=lambda value: len(repr(value)), default=None)
        return Found(attempt.tried, smallest, attempt.out_of_time)
    except _Raised as raised:
        assert raised.__cause__ is not None
        raise raised.__cause__ from None
    return Found(attempt.tried, None)


class _Attempt(Generic[T]):
    """One run of the predicate after another, counted against the budgets."""

    def __init__(
        self, holds: Callable[[T], bool], examples: int, ends: float | None, weight: Callable[[T], int]
    ) -> None:
        self._holds, self._examples, self._ends, self._weight = holds, examples, ends, weight
        self._shrunk = 0
        self.tried, self.out_of_time = 0, False
        self.failing: list[T] = []

    def __call__(self, value: T) -> None:
        if self.failing:
            self._shrunk += 1
            if self._shrunk > SHRINK_RUNS or self._late():
                raise _Enough
        elif self.tried >= self._examples or self._late():
            self.out_of_time = self.tried < self._examples
            raise _Enough
        self.tried += self._weight(value)
        try:
            holds = self._holds(value)
        except Exception as error:
            raise _Raised from error
        if not holds:
            if not self.failing:
                self._ends = time.monotonic() + SHRINK_SECONDS
            self.failing.append(value)
            raise _Fails

    def _late(self) -> bool:
        return self._ends is not None and time.monotonic() > self._ends


def _run(strategy: SearchStrategy[T], attempt: Callable[[T], None], examples: int, seed: int) -> None:
    from hypothesis import HealthCheck, Phase, configuration, given, settings
    from hypothesis import seed as seeded

    # Hypothesis forces a collection: it need not walk what imports have made, which lives to the end anyway.
    gc.freeze()
    # Otherwise Hypothesis keeps a `.hypothesis` folder wherever the command is run.
    configuration.set_hypothesis_home_dir(paths.cache("hypothesis"))

    @seeded(seed)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def one(value: T) -> None:
        attempt(value)

    one()
