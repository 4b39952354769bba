"""Owns running Hypothesis as a library: a seed, no database, a bounded shrink, and the smallest input that fails.

Both searching and shrinking are bounded by evaluations: which input is found, and how small it becomes, depends on the
artifact and the seed, and not on how busy the machine is. A time budget may end a search, which has then found nothing.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from model_contracts import paths
from model_contracts.outcome import Place, Uncompared

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

T = TypeVar("T")

#: What a shrink may cost: runs of the predicate.
SHRINK_RUNS = 500
#: Hypothesis ends a shrink of its own after 300 s. What it has by then depends on the machine, and is not taken.
_PATIENCE = 299.0


@dataclass(frozen=True, slots=True)
class Searched(Generic[T]):
    """How many inputs were tried, and the smallest on which the predicate does not hold (None: it held on all)."""

    tried: int
    counterexample: T | None
    #: What was owed and not tried, where the time budget was spent before the examples were.
    stopped: Uncompared | None = None


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
) -> Searched[T]:
    """Try generated inputs until one fails, then shrink it within SHRINK_RUNS.

    `seconds` may end the generating, with nothing found; `weight` says how many examples an input stands for. What
    `holds` raises goes through at once.
    """
    attempt = _Attempt(holds, examples, None if seconds is None else time.monotonic() + seconds, weight)
    try:
        _run(strategy, attempt, examples, seed)
    except _Fails:
        # Hypothesis runs the smallest one last.
        return Searched(attempt.tried, attempt.failing[0 if attempt.given_up else -1])
    except _Enough:
        if attempt.failing:
            smallest = min(attempt.failing, key=lambda value: len(repr(value)))
            return Searched(attempt.tried, attempt.failing[0] if attempt.given_up else smallest)
        late = seconds is not None and attempt.tried < examples
        return Searched(attempt.tried, None, stopped_after(seconds or 0, attempt.tried, examples) if late else None)
    except _Raised as raised:
        assert raised.__cause__ is not None
        raise raised.__cause__ from None
    return Searched(attempt.tried, None)


def stopped_after(seconds: float, tried: int, owed: int, place: Place | None = None) -> Uncompared:
    """What a time budget left untried: `tried` of the `owed` evaluations were made. `owed` is the larger."""
    reason = f"stopped after {seconds:g} s with {tried:,} of {owed:,} evaluations"
    return Uncompared(place=place or Place(), count=owed - tried, reason=reason)


class _Attempt(Generic[T]):
    """One run of the predicate after another, counted against the budgets."""

    def __init__(
        self, holds: Callable[[T], bool], examples: int, ends: float | None, weight: Callable[[T], int]
    ) -> None:
        self._holds, self._examples, self._ends, self._weight = holds, examples, ends, weight
        self._shrunk, self._began = 0, 0.0
        self.tried = 0
        self.failing: list[T] = []

    def __call__(self, value: T) -> None:
        if self.failing:
            self._shrunk += 1
            if self._shrunk > SHRINK_RUNS:
                raise _Enough
        elif self.tried >= self._examples or (self._ends is not None and time.monotonic() > self._ends):
            raise _Enough
        self.tried += self._weight(value)
        try:
            holds = self._holds(value)
        except Exception as error:
            raise _Raised from error
        if not holds:
            if not self.failing:
                self._began = time.monotonic()
            self.failing.append(value)
            raise _Fails

    @property
    def given_up(self) -> bool:
        """Whether the shrink took so long that Hypothesis ended it: the input stays as it was generated."""
        return time.monotonic() - self._began > _PATIENCE


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

    with _no_constants_of_ours():
        one()


@contextmanager
def _no_constants_of_ours() -> Iterator[None]:
    """Keep Hypothesis from strewing in numbers and texts that it reads in the source of what is loaded of a checkout.

    Its inputs would depend on our own code, and on which of our modules the command has loaded by then.
    """
    from hypothesis.internal.conjecture import providers

    inner: Any = providers
    theirs = getattr(inner, "_get_local_constants", None)
    if theirs is None:  # a version of Hypothesis that does not
        yield
        return
    none = inner.Constants()
    inner._get_local_constants = lambda: none
    inner.CONSTANTS_CACHE.cache.clear()
    try:
        yield
    finally:
        inner._get_local_constants = theirs
        inner.CONSTANTS_CACHE.cache.clear()
