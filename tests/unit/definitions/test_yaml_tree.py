"""What the YAML loader reads, and what it refuses, each at its line and column."""

from __future__ import annotations

import pytest

from model_contracts.definitions import DefinitionError
from model_contracts.definitions.tree import MAX_BYTES, MAX_DEPTH, parse


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E+2", 100.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("-1", -1),
        ("+7", 7),
        ("007", 7),
        ("0o17", 15),
        ("0x1F", 31),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("yes", "yes"),
        ("on", "on"),
        ("No", "No"),
        ("1_000", "1_000"),
        ("2024-01-01", "2024-01-01"),
        ("12:30:45", "12:30:45"),
        ("1e", "1e"),
        ("0b11", "0b11"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("|\n  a\n  b\n", "a\nb\n"),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(text, value):
    read = parse(f"a: {text}".encode(), "x.yaml").value["a"]
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "line", "column", "expected", "found"),
    [
        ("a: 1\nb: 2\na: 3", 3, 1, "each key once ('a' stands at line 1)", "'a' again"),
        ("x:\n  - a: 1\n    a: 1", 3, 5, "each key once", "'a' again"),
        ("a: &x 1", 1, 4, "no anchors", "&x"),
        ("a: *x", 1, 4, "a value", "the alias *x"),
        ("a: !!str 1", 1, 4, "no tags", "str"),
        ("a: !!python/object/apply:os.system [ls]", 1, 4, "no tags", "python/object"),
        ("<<: {a: 1}", 1, 1, "no merge keys", "<<"),
        ("1: a", 1, 1, "a key that is text", "1"),
        ("true: a", 1, 1, "a key that is text", "true"),
        ("? [a]\n: b", 1, 3, "a key that is text", "a list"),
        ("a: .nan", 1, 4, "a finite number", ".nan"),
        ("a: -.inf", 1, 4, "a finite number", "-.inf"),
        ("a: 1e999", 1, 4, "a finite number", "1e999"),
        ("a: 1\n---\nb: 2", 2, 1, "one document", "a second"),
        ("%TAG ! tag:x,2000:\n---\na: 1", 1, 1, "no tags", "%TAG"),
        ("a: [1", 2, 1, "well-formed YAML", "expected ',' or ']'"),
        ("a: 'b", 1, 6, "well-formed YAML", "unexpected end"),
        ("a: b: c", 1, 5, "well-formed YAML", "mapping values"),
        ("a: \x01", 1, 4, "printable text", "U+0001"),
        (f"a: {'9' * 5000}", 1, 4, "at most 40 digits", "5,000"),
        ("- " * (MAX_DEPTH + 1) + "a", 1, 2 * MAX_DEPTH + 1, "at most 64 levels", "one more"),
    ],
)
def test_what_is_refused_names_line_column_and_the_expected_form(text, line, column, expected, found):
    with pytest.raises(DefinitionError) as caught:
        parse(text.encode(), "x.yaml")
    error = caught.value
    assert (error.line, error.column) == (line, column)
    assert expected in error.expected and found in error.found
    assert str(error) == f"x.yaml:{line}:{column}: expected {error.expected}, found {error.found}"


def test_bytes_that_are_not_utf8_are_refused_at_their_place():
    with pytest.raises(DefinitionError, match=r"x\.yaml:2:4: expected UTF-8, found the byte 0xff"):
        parse(b"a: 1\nb: \xff", "x.yaml")


def test_a_definition_of_more_than_a_mebibyte_is_refused():
    with pytest.raises(DefinitionError, match="at most 1,048,576 bytes"):
        parse(b"#" * (MAX_BYTES + 1), "x.yaml")


def test_a_hundred_thousand_brackets_are_refused_without_recursion():
    with pytest.raises(DefinitionError, match="found"):
        parse(b"[" * 100_000, "x.yaml")


def test_every_key_and_item_knows_its_line_and_column():
    tree = parse(b"a: 1\nlist:\n  - x\n  - k: 5\nflow: {deep: [1, 2]}\n", "x.yaml")
    marks = {pointer: (mark.key, mark.value) for pointer, mark in tree.marks.items()}
    assert marks["a",] == ((1, 1), (1, 4))
    assert marks["list", 1] == ((4, 5), (4, 5))
    assert marks["list", 1, "k"] == ((4, 5), (4, 8))
    assert marks["flow", "deep", 1] == ((5, 18), (5, 18))
