"""How a program frames prompts: what it does not tell of one stays uncompared, and is never passed over."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from model_contracts.checks.running.continuations import FramingParameters, same_framing
from model_contracts.checks.trial import Trial
from model_contracts.outcome import Comparison, Uncompared
from model_contracts.runtimes.interface import Completion

PROMPTS = ("one", "two")


@dataclass
class Program:
    """Answers by way and prompt: how many tokens it made of it; what stands nowhere it does not say."""

    told: dict[tuple[str, str], int]
    ways: tuple[str, ...] = ("run", "serve")

    def complete(self, prompt: str, count: int, *, way: str) -> Completion:
        return Completion((), "", self.told.get((way, prompt)))


def told(source: dict[tuple[str, str], int], target: dict[tuple[str, str], int]) -> list[Comparison | Uncompared]:
    paths = {Path("source"): Program(source), Path("target"): Program(target)}
    examination: Any = SimpleNamespace(
        runtime="apr",
        sessions=SimpleNamespace(get=lambda path, name: paths[path]),
        source_view=SimpleNamespace(artifact=SimpleNamespace(path=Path("source"))),
        target=SimpleNamespace(path=Path("target")),
    )
    parameters = FramingParameters(prompts=PROMPTS)
    found = list(same_framing(examination, parameters, lambda *at: "here", Trial(0, None)))
    assert all(isinstance(one, Comparison | Uncompared) for one in found)
    return found  # type: ignore[return-value]


RUN = {("run", prompt): 5 for prompt in PROMPTS}


def test_a_way_that_tells_no_number_is_no_matter_where_another_does() -> None:
    found = told(RUN, RUN)
    assert [type(one) for one in found] == [Comparison, Comparison]
    assert all(isinstance(one, Comparison) and one.holds for one in found)


def test_a_prompt_framed_otherwise_is_seen() -> None:
    (first, second) = told(RUN, RUN | {("run", "two"): 9})
    assert isinstance(first, Comparison) and first.holds
    assert isinstance(second, Comparison) and (second.expected, second.observed, second.holds) == (5, 9, False)


def test_a_prompt_that_no_way_tells_of_stays_uncompared() -> None:
    compared, left = told({("run", "one"): 5}, {("run", "one"): 5})
    assert isinstance(compared, Comparison) and isinstance(left, Uncompared)
    assert str(left.place) == "two" and "in whatever way it is asked" in left.reason


def test_a_number_that_one_side_only_tells_stays_uncompared() -> None:
    compared, left = told(RUN, {("run", "one"): 5})
    assert isinstance(compared, Comparison) and isinstance(left, Uncompared)
    assert str(left.place) == "run: two" and "for the target" in left.reason
