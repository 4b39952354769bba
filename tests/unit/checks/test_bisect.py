"""The first difference between two runs, module by module, and stored prompts again, on sessions made for the test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf, isnan, nan
from typing import Any

import numpy as np
import pytest

from model_contracts.checks.interface import Skip
from model_contracts.checks.running.bisect import Departure, ModuleDifference, compare_modules, first_difference
from model_contracts.checks.running.prompts_again import run_again
from model_contracts.engine.plan import CheckRequest, UsageError, plan
from model_contracts.outcome import Counterexample
from support.shared_models import DATA

DEPARTURE = Departure(lossless=1e-3, floors={"BF16": 0.005, "Q8": 0.05}, times=10, most=0.6)


class Session:
    """Every module gives ones that are off by its error; rows and ids are given. `shown` counts what was asked for."""

    def __init__(self, errors: dict[str, float], width: int = 4, probability: float = 0.5) -> None:
        self.errors, self.width, self.probability = errors, width, probability
        self.shown = 0

    def hidden_states(self, tokens: Sequence[int]) -> Iterator[tuple[str, np.ndarray]]:
        for name, error in self.errors.items():
            self.shown += 1
            yield name, np.full((len(tokens), self.width), 1 + error, np.float32)

    def rows(self, tokens: Sequence[int], *, start: int = 0) -> Iterator[np.ndarray]:
        row = np.log(np.array([self.probability, 1 - self.probability], np.float32))
        yield np.tile(row, (len(tokens), 1))

    def tokens(self, text: str, *, add_special: bool = False) -> list[int]:
        return [self.width] * len(text)


def difference(label: str, *errors: float, source: Session | None = None) -> ModuleDifference:
    target = Session({f"m{at}": error for at, error in enumerate(errors)})
    return first_difference(source or Session(dict.fromkeys(target.errors, 0.0)), target, [1, 2], DEPARTURE, label)


@pytest.mark.parametrize(
    ("label", "errors", "module"),
    [
        ("F16", (0.0, 9e-4, 2e-3, 0.5), "m2"),
        ("lossless", (0.0, 0.0, 1.0), "m2"),
        ("BF16", (0.002, 0.004, 0.02, 0.5), "m3"),
        ("Q8_0", (0.005, 0.02, 0.1, 0.7), "m3"),
        ("Q8_0", (0.005, 0.005, 0.06), "m2"),
        ("Q8_0", (nan,), "m0"),
        ("Q9_9", (0.5, 0.61), "m1"),
    ],
)
def test_the_first_module_beyond_its_bound_is_named(label: str, errors: tuple[float, ...], module: str) -> None:
    found = difference(label, *errors)
    assert (found.departs, found.module) == (True, module)
    assert found.error == inf if isnan(errors[0]) else found.error == pytest.approx(errors[int(module[1])], rel=1e-3)


def test_nothing_after_the_module_that_departs_is_asked_for() -> None:
    source, target = Session(dict.fromkeys("abcd", 0.0)), Session({"a": 0.0, "b": 1.0, "c": 1.0, "d": 1.0})
    found = first_difference(source, target, [1], DEPARTURE, "F16")
    assert (found.module, found.compared, found.before) == ("b", 2, ("a", 0.0))
    assert (source.shown, target.shown) == (2, 2)


def test_where_no_module_departs_the_head_is_what_remains() -> None:
    found = difference("Q8_0", 0.004, 0.03, 0.01)
    comparison = compare_modules(found, DEPARTURE, "Q8_0", lambda *names: "/".join(map(str, names)))
    assert comparison.holds
    assert comparison.place.tensor is None
    assert comparison.note is not None
    assert "m1 comes closest" in comparison.note
    assert "output head is not shown" in comparison.note
    assert comparison.bound_from == "departure/floors/Q8"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (Session({"m0": 0.0}), "nothing of the source, m1 [2, 4] of the target"),
        (Session({"m0": 0.0, "m1": 0.0}, width=6), "m0 [2, 6] of the source, m0 [2, 4] of the target"),
        (Session({"m0": 0.0, "n1": 0.0}), "n1 [2, 4] of the source, m1 [2, 4] of the target"),
    ],
)
def test_modules_that_do_not_pair_depart(source: Session, words: str) -> None:
    found = difference("Q8_0", 0.0, 0.0, source=source)
    assert (found.departs, found.error) == (True, inf)
    assert words in str(found)


@pytest.mark.parametrize(
    "changes", [{}, {"against": DATA / "tiny-qwen2", "contract": "inference", "only": ("F-GOLDEN-RULE-001",)}]
)
def test_bisect_without_a_gate_that_it_explains_is_a_usage_error(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"--against SOURCE --contract inference"):
        plan(CheckRequest((DATA / "tiny-qwen2",), bisect=True, **changes), DATA / "tiny-qwen2")


def test_a_stored_prompt_falsifies_again_or_holds_by_its_bound() -> None:
    stored = Counterexample(kind="prompt", description="d", input={"tokens": [1, 2, 3], "bound": 0.1})
    same, other = Session({}), Session({}, probability=0.9)
    seen = run_again(stored, same, other)
    assert (seen.measure, seen.holds, seen.tolerance) == ("divergence", False, 0.1)
    assert seen.observed == pytest.approx(0.5108, abs=1e-3)
    assert run_again(stored, same, Session({})).holds


def test_a_stored_text_falsifies_again_or_holds_by_its_ids() -> None:
    framed = {"framing": "plain", "parts": ["ab"], "times": 2}
    stored = Counterexample(kind="prompt_tokens", description="d", input=framed)
    seen = run_again(stored, Session({}), Session({}, width=6))
    assert (seen.holds, seen.expected, seen.observed) == (False, [4] * 5, [6] * 5)
    assert run_again(stored, Session({}), Session({})).holds


@pytest.mark.parametrize(
    ("kind", "entry"),
    [
        ("prompt", None),
        ("prompt", {"tokens": [], "bound": 1.0}),
        ("prompt", {"tokens": [1, "2"], "bound": 1.0}),
        ("prompt", {"tokens": [1], "bound": 0}),
        ("prompt_tokens", {"framing": "verse", "parts": ["a"], "times": 1}),
        ("prompt_tokens", {"framing": "plain", "parts": [1], "times": 1}),
        ("prompt_tokens", {"framing": "plain", "parts": ["a" * 1000], "times": 10**9}),
    ],
)
def test_a_stored_input_that_is_no_prompt_is_not_run(kind: str, entry: object) -> None:
    with pytest.raises(Skip, match="the stored input is no prompt"):
        run_again(Counterexample(kind=kind, description="d", input=entry), Session({}), Session({}))
