"""Searching: the same input for the same seed, budgets that end it, and what the predicate raises goes through."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from model_contracts.engine import search as searching
from model_contracts.engine.properties.shortest import shortest
from model_contracts.engine.search import search


def test_a_failing_input_is_shrunk_to_the_smallest():
    found = search(st.lists(st.integers()), lambda values: sum(values) < 1000, 500, 1)
    assert found.counterexample == [1000]
    assert not found.out_of_time


def test_what_always_holds_is_tried_as_often_as_asked():
    assert search(st.integers(), lambda value: True, 300, 1).tried == 300


def test_an_input_counts_as_many_examples_as_it_stands_for():
    found = search(st.just([1, 2, 3]) | st.just([4, 5]), lambda value: True, 4, 1, weight=len)
    assert 4 <= found.tried <= 5


def test_a_time_budget_that_is_spent_ends_it_and_says_so():
    found = search(st.integers(), lambda value: True, 10_000, 1, seconds=0)
    assert (found.tried, found.counterexample, found.out_of_time) == (0, None, True)


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


def test_a_text_that_cannot_be_cut_in_time_stays_as_it_is():
    assert shortest("abc", lambda some: [True for _ in some], seconds=0) == "abc"
