"""What is printed is safe: nothing from a name reaches a terminal as a command."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_contracts.terminal import columns, cut, items, number, plural, safe, wrap


@settings(database=None, deadline=None)
@given(st.text(st.characters(codec=None)))
def test_whatever_the_text_what_is_shown_is_printable_and_encodes(text):
    assert safe(text).isprintable()
    safe(text).encode("utf-8")


def test_names_that_are_printable_stay_as_they_are():
    assert safe("Qwen2.5-Coder-0.5B 通义 é") == "Qwen2.5-Coder-0.5B 通义 é"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1234567, "1,234,567"),
        (1e6, "1,000,000"),
        (0.5, "0.5"),
        (1e-6, "1e-06"),
        (float("inf"), "inf"),
        (None, "nothing"),
        (True, "true"),
        ("a\x1b", r"a\x1b"),
        ([1, "x"], "[1, x]"),
        ({"a\n": 1.5}, r"{a\n: 1.5}"),
        ("x" * 200, "x" * 99 + "…"),
    ],
)
def test_a_value_is_shown_for_people(value, shown):
    assert number(value) == shown


def test_a_long_name_is_kept_whole():
    name = "model.layers." * 12
    assert list(wrap(f"at {name} there", 60, "  ")) == ["  at", f"  {name}", "  there"]


def test_a_count_and_its_word_agree():
    assert (plural(1, "gate"), plural(2000, "gate")) == ("1 gate", "2,000 gates")


def test_parts_are_laid_out_without_breaking_one_in_two():
    assert list(items(["F-A1-001 gguf", "F-A3-001 apr"], 24, "  ", lead="why not: ")) == [
        "  why not:",
        "  F-A1-001 gguf,",
        "  F-A3-001 apr",
    ]


def test_a_text_is_cut_to_its_room_and_never_below_twenty_columns():
    assert (cut("a" * 30, 30), cut("a" * 31, 30), cut("a" * 30, 5)) == ("a" * 30, "a" * 29 + "…", "a" * 19 + "…")


def test_columns_are_as_wide_as_their_widest_cell():
    assert columns([["a", "b"], ["long", "1"], ["x", "22"]], (False, True)) == ["a      b", "long   1", "x     22"]
