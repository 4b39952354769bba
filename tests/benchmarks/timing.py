"""Owns how the benchmark measures: ours and the other tool in turn, the median of each, and their ratio."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `goal` is a bound on ours / theirs ("at most") or on theirs / ours ("at least")."""

    work: str
    against: str
    ours: float
    theirs: float
    goal: float
    sense: Literal["at most", "at least"]
    unit: str = "s"

    @property
    def ratio(self) -> float:
        """Ours / theirs for "at most" (a cost), theirs / ours for "at least" (a speed-up)."""
        return self.ours / self.theirs if self.sense == "at most" else self.theirs / self.ours

    @property
    def met(self) -> bool:
        """Whether the goal is met in this run."""
        return self.ratio <= self.goal if self.sense == "at most" else self.ratio >= self.goal


def side_by_side(
    ours: Callable[[], object],
    theirs: Callable[[], object],
    runs: int = 5,
    *,
    warm_up: bool = True,
    before: Callable[[], object] = lambda: None,
) -> tuple[float, float]:
    """Median seconds of each, run in turn after one warm-up, so that a slow minute slows both.

    `before` is called before each, and not timed.
    """
    if warm_up:
        for work in (ours, theirs):
            before()
            work()
    a, b = [], []
    for _ in range(runs):
        for work, times in ((ours, a), (theirs, b)):
            before()
            times.append(_timed(work))
    return statistics.median(a), statistics.median(b)


def command(arguments: Sequence[str], expected: tuple[int, ...] = (0,)) -> Callable[[], None]:
    """A whole process; its output is dropped, its exit code is not."""

    def run() -> None:
        done = subprocess.run(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        if done.returncode not in expected:
            raise RuntimeError(f"{' '.join(arguments)}: exit {done.returncode}\n{done.stderr.decode()[-2000:]}")

    return run


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
