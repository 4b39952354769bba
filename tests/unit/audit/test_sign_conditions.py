"""Conditions: each form says exactly what its word says, and a sign that could not be meant is refused at its line."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from model_contracts.audit.conditions import holds
from model_contracts.definitions import DefinitionError, load
from model_contracts.sign import Condition, Sign

SIGN = """id: mine
title: t
verdict: green
evidence: [founding]
any:
  - - {%s}
reason: r
source: s
"""


def held(record, names=frozenset(), **form):
    return holds(Condition(**{"fields": ("a.b",), **form}), record, names)


@pytest.mark.parametrize(
    ("value", "form", "expected"),
    [
        (0, {"equals": (0,)}, True),
        (0.0, {"equals": (0,)}, True),
        (False, {"equals": (0,)}, False),
        (1, {"equals": (True,)}, False),
        (None, {"equals": (0,)}, False),
        (None, {"equals": (None,)}, True),
        (3, {"differs": (0,)}, True),
        (0, {"differs": (0,)}, False),
        (None, {"differs": (0,)}, False),
        (" \n", {"blank": True}, True),
        ([], {"blank": True}, True),
        (None, {"blank": True}, True),
        (0, {"blank": True}, False),
        ("x", {"blank": True}, False),
        ("in SKIP: here", {"contains": ("SKIP:",)}, True),
        ("in skip: here", {"contains": ("SKIP:",)}, False),
        (5, {"contains": ("5",)}, False),
        ("the end: \n", {"ends_with": ("end:",)}, True),
        ("the end: x", {"ends_with": ("end:",)}, False),
        ("a\n  error: x\r\nb", {"line_like": ("error:*",)}, True),
        ("an error: x", {"line_like": ("error:*",)}, False),
        ("error x\nerror: y", {"line_like": ("error:*",)}, True),
        ("A: 1\n\n  B: 2\r\n", {"only_lines_like": ("A:*", "B:*")}, True),
        ("A: 1\nC", {"only_lines_like": ("A:*", "B:*")}, False),
    ],
)
def test_a_form_says_what_its_word_says(value, form, expected):
    assert held({"a": {"b": value}}, **form) is expected


@pytest.mark.parametrize("record", [{}, {"a": None}, {"a": [1]}, {"a": {"c": 1}}, {"a": "text"}])
def test_a_field_that_is_not_there_is_blank_and_nothing_else(record):
    assert held(record, blank=True) and not held(record, contains=("text",)) and not held(record, differs=(0,))


def test_a_star_is_every_item_of_a_list_or_mapping():
    items = {"a": [{"b": True}, {"b": False}, 5], "m": {"x": "one", "y": "two"}}
    assert holds(Condition(fields=("a.*.b",), equals=(False,)), items, frozenset())
    assert holds(Condition(fields=("m.*",), contains=("tw",)), items, frozenset())
    assert not holds(Condition(fields=("m.*.x",), contains=("one",)), items, frozenset())


@pytest.mark.parametrize(
    ("path", "names", "expected"),
    [
        ("/w/Qwen2.5-Coder-0.apr", {"Qwen2.5-Coder-0.5B"}, True),
        ("'/w/Qwen2.5-Coder-0.apr' (os error 2)", {"Qwen2.5-Coder-0.5B"}, True),
        ("/w/Qwen2.5-Coder-0.5B-Instruct/Qwen2.apr", set(), True),
        ("C:\\w\\Qwen2.apr", {"Qwen2.5-Coder"}, True),
        ("/w/Qwen2.apr", {"Qwen2.5-Coder", "Qwen2"}, False),
        ("/w/Qwen2.5-Coder-0.5B.apr", {"Qwen2.5-Coder-0.5B"}, False),
        ("/w/Qwen2.5-Coder-0.apr", set(), True),
        ("/w/layer-0.apr", set(), False),
        ("/w/model.gguf/model.apr", set(), False),
        ("", {"Qwen2.5"}, False),
        ("/", {"Qwen2.5"}, False),
    ],
)
def test_a_name_is_cut_where_a_longer_name_goes_on_after_a_dot(path, names, expected):
    text = f"Error.\nFile not found: {path}"
    assert held({"a": {"b": text}}, frozenset(names), name_cut_after="not found:") is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("fields: [a]", "exactly one of"),
        ("fields: [a], blank: true, equals: [0]", "exactly one of"),
        ('fields: [a], line_like: ["*"]', "some text of its own"),
        ("fields: [], blank: true", "at least 1 item"),
        ("fields: [a b], blank: true", "matches"),
        ("fields: [a], regex: x", "one of the keys"),
        ("fields: [a], blank: false", "True"),
    ],
)
def test_a_sign_that_could_not_be_meant_is_refused_at_its_line(condition, expected, tmp_path):
    (tmp_path / "mine.yaml").write_text(SIGN % condition)
    with pytest.raises(DefinitionError, match=expected) as refused:
        load(Sign, tmp_path / "mine.yaml")
    assert refused.value.line == 6


def test_a_condition_without_fields_is_no_condition():
    with pytest.raises(ValidationError):
        Condition(fields=(), blank=True)
