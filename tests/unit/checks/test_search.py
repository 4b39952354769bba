"""Searching: the same input for the same seed, budgets that end it, and what the predicate raises goes through."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from hypothesis import strategies as st
from hypothesis.internal.conjecture import providers

from model_contracts.checks import search as searching
from model_contracts.checks.running import shortest as shortening
from model_contracts.checks.running.shortest import shortest
from model_contracts.checks.search import search
from support.slow_machine import slow_down


def test_a_failing_input_is_shrunk_to_the_smallest():
    found = search(st.lists(st.integers()), lambda values: sum(values) < 1000, 500, 1)
    assert found.counterexample == [1000]
    assert found.stopped is None


def test_what_always_holds_is_tried_as_often_as_asked():
    assert search(st.integers(), lambda value: True, 300, 1).tried == 300


def test_an_input_counts_as_many_examples_as_it_stands_for():
    found = search(st.just([1, 2, 3]) | st.just([4, 5]), lambda value: True, 4, 1, weight=len)
    assert 4 <= found.tried <= 5


def test_a_time_budget_that_is_spent_ends_it_and_says_what_was_not_tried():
    found = search(st.integers(), lambda value: True, 10_000, 1, seconds=0)
    assert (found.tried, found.counterexample) == (0, None)
    assert found.stopped.count == 10_000
    assert found.stopped.reason == "stopped after 0 s with 0 of 10,000 evaluations"


def test_the_same_seed_finds_and_shrinks_the_same_input_however_slow_an_evaluation_is(monkeypatch):
    def holds(values):
        return sum(values) < 1000 or len(values) < 3

    fast = search(st.lists(st.integers(0, 500)), holds, 500, 7)
    slow_down(monkeypatch)
    assert search(st.lists(st.integers(0, 500)), holds, 500, 7) == fast
    assert len(fast.counterexample) == 3


def test_what_is_generated_does_not_depend_on_which_modules_are_loaded(monkeypatch):
    """Hypothesis draws from constants in the source of modules that are loaded from a checkout."""

    def drawn():
        seen = []
        search(st.text() | st.integers(), lambda value: seen.append(value) or True, 200, 3)
        return seen

    before = drawn()
    module = ModuleType("loaded_meanwhile")
    module.__file__ = "/somewhere/of/ours.py"
    monkeypatch.setitem(sys.modules, "loaded_meanwhile", module)
    monkeypatch.setattr(providers, "is_local_module_file", lambda path: True)
    monkeypatch.setattr(providers, "constants_from_module", lambda module: providers.Constants(strings=["constant"]))
    assert drawn() == before
    assert "constant" not in before


def test_a_time_budget_that_ends_the_search_never_leaves_another_counterexample(monkeypatch):
    """It ends with nothing found, or with just what is found at leisure."""
    whole = search(st.lists(st.integers()), lambda values: sum(values) < 1000, 500, 1)
    slow_down(monkeypatch, 1.0)
    kinds = set()
    for seconds in (0, 1, 2, 4, 8, 16, 64, 500):
        found = search(st.lists(st.integers()), lambda values: sum(values) < 1000, 500, 1, seconds=seconds)
        assert found.counterexample in (None, whole.counterexample)
        assert (found.stopped is None) == (found.counterexample is not None)
        kinds.add(found.stopped is None)
    assert kinds == {True, False}


def test_a_shrink_that_hypothesis_itself_gives_up_leaves_the_input_as_it_was_generated(monkeypatch):
    seen = []

    def holds(values):
        seen.append(values)
        return sum(values) < 1000

    slow_down(monkeypatch, 400.0)
    found = search(st.lists(st.integers()), holds, 500, 1)
    assert found.counterexample == next(values for values in seen if sum(values) >= 1000)


def test_a_shrink_has_a_bound_and_gives_the_smallest_so_far(monkeypatch):
    monkeypatch.setattr(searching, "SHRINK_RUNS", 3)
    seen = []

    def holds(values):
        seen.append(values)
        return sum(values) < 1000

    found = search(st.lists(st.integers()), holds, 500, 1)
    failing = [values for values in seen if sum(values) >= 1000]
    assert found.counterexample in failing
    assert len(repr(found.counterexample)) == min(len(repr(values)) for values in failing)
    assert len(seen) - seen.index(failing[0]) == 1 + 3


def test_what_the_predicate_raises_goes_through_at_once():
    calls = []

    def breaks(value):
        calls.append(value)
        raise KeyError(value)

    with pytest.raises(KeyError):
        search(st.integers(), breaks, 100, 1)
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("text", "fails", "smallest"),
    [
        ("xx\u0301yy", lambda text: "\u0301" in text, "\u0301"),
        ("the 12345 words", lambda text: sum(letter.isdigit() for letter in text) >= 3, "000"),
        ("ZZZ", lambda text: len(text) >= 2, "aa"),
        ("anything", lambda text: True, ""),
        ("a b", lambda text: text == "a b", "a b"),
    ],
)
def test_a_text_is_cut_to_the_fewest_and_plainest_code_points(text, fails, smallest):
    assert shortest(text, lambda some: [fails(one) for one in some]) == smallest


def test_cutting_a_text_is_bounded_by_candidates_and_their_code_points(monkeypatch):
    def cut(text):
        asked = []

        def fails(some):
            asked.extend(some)
            return [text == one for one in some]

        assert shortest(text, fails) == text
        return asked

    monkeypatch.setattr(shortening, "MOST", 100)
    assert 100 <= len(cut("a" + "b" * 200)) < 200
    monkeypatch.setattr(shortening, "MOST_CODE_POINTS", 1000)
    assert 1000 <= sum(map(len, cut("a" + "b" * 200))) < 20_000
