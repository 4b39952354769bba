"""A definition is typed, knows the line of each value, and says where it is wrong."""

from __future__ import annotations

from textwrap import dedent

import pytest

from model_contracts import definitions
from model_contracts.contract import Contract
from model_contracts.definitions import DefinitionError
from model_contracts.family import Family
from model_contracts.invariant import Invariant
from model_contracts.outcome import Record

INVARIANT = """\
id: mine
title: T
statement: S
subject: artifact
gates:
  - id: G0-MINE-001
    title: t
    check: container
    parameters:
      bound: 1e-3
"""


@pytest.fixture
def written(tmp_path):
    def write(text, name="mine.yaml"):
        path = tmp_path / name
        path.write_text(dedent(text), encoding="utf-8")
        return path

    return write


def test_a_definition_knows_its_file_its_digest_and_the_line_of_each_value(written):
    path = written(INVARIANT)
    invariant = definitions.load(Invariant, path)
    assert invariant.gates[0].parameters == {"bound": 0.001}
    assert invariant.where("gates", 0, "parameters", "bound") == f"{path}:10"
    assert invariant.where("gates", 0, "parameters", "absent") == f"{path}:9"
    assert invariant._origin is not None and invariant._origin.digest.startswith("blake3:")


@pytest.mark.parametrize(
    ("text", "place", "expected", "found"),
    [
        ("id: a\ntitle: b\nclause: []", "3:1", "one of the keys artifacts, clauses,", "'clause' (nearest: clauses)"),
        ("title: b", "1:1", "the key 'id'", "no such key"),
        ("id: a\ntitle: 3", "2:8", "text", "3"),
        ("id: a\ntitle: b\nclauses: {}", "3:10", "a list", "a mapping of 0"),
        ("id: a\ntitle: b\nclauses:\n  - invariant: i\n    force: may", "5:12", "'must' or 'should'", "'may'"),
        ("id: a\ntitle: b\nclauses:\n  - invariant: i\n    froce: must", "5:5", "one of the keys", "(nearest: force)"),
        ("id: a\ntitle: b\nclauses:\n  - force: must", "4:5", "the key 'invariant'", "no such key"),
        ("id: a\ntitle: b\nclauses:\n  - {invariant: i, gates: [lower]}", "4:28", "text that matches", "'lower'"),
        ("- a", "1:1", "a mapping with the keys of a definition", "a list of 1"),
        ("", "1:1", "a mapping with the keys of a definition", "nothing"),
    ],
)
def test_an_error_names_file_line_column_and_the_expected_form(written, text, place, expected, found):
    path = written(text)
    with pytest.raises(DefinitionError) as caught:
        definitions.load(Contract, path)
    assert str(caught.value).startswith(f"{path}:{place}: expected {expected}")
    assert found in caught.value.found


def test_values_are_not_converted_silently(written):
    path = written("id: a\ntitle: b\nabstract: yes")
    with pytest.raises(DefinitionError, match="3:11: expected true or false, found 'yes'"):
        definitions.load(Family, path)


def test_a_misspelt_key_below_a_union_suggests_the_nearest_key_of_that_place(written):
    path = written("id: a\ntitle: b\ntensors:\n  t:\n    huggingface: x\n    shap: []")
    with pytest.raises(DefinitionError, match=r"6:5: .*found 'shap' \(nearest: shape\)"):
        definitions.load(Family, path)


def test_parameters_typed_later_still_name_the_line_of_the_definition(written):
    class Bounds(Record):
        bound: int

    path = written(INVARIANT)
    invariant = definitions.load(Invariant, path)
    with pytest.raises(DefinitionError) as caught:
        definitions.parameters(Bounds, invariant.gates[0].parameters, invariant, "gates", 0, "parameters")
    assert str(caught.value).startswith(f"{path}:10:14: expected a whole number")


def test_parameters_that_fit_are_typed(written):
    class Bounds(Record):
        bound: float

    invariant = definitions.load(Invariant, written(INVARIANT))
    typed = definitions.parameters(Bounds, invariant.gates[0].parameters, invariant, "gates", 0, "parameters")
    assert typed == Bounds(bound=0.001)


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(DefinitionError, match=r"none\.yaml: expected a definition file, found no such file"):
        definitions.load(Contract, tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("load", "name", "near"),
    [
        (definitions.load_contract, "defualt", "default"),
        (definitions.load_family, "families/qwn2", "families/qwen2"),
        (definitions.load_invariant, "I-2-tensor-name-bijektion", "I-2-tensor-name-bijection"),
    ],
)
def test_an_unknown_id_suggests_the_nearest_known_one(load, name, near):
    with pytest.raises(DefinitionError) as caught:
        load(name)
    assert caught.value.found == f"{name!r} (nearest: {near})"


def test_the_contract_of_a_folder_is_found_upward(written, tmp_path):
    deep = tmp_path / "a" / "Qwen2.5-0.5B"
    deep.mkdir(parents=True)
    assert definitions.find_contract(deep) is None or not definitions.find_contract(deep).is_relative_to(tmp_path)
    found = written("id: mine\ntitle: t", "contracts.yaml")
    assert definitions.find_contract(deep) == found.resolve()
