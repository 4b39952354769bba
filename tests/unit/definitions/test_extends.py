"""Contracts and families extend others: clauses are replaced by invariant, entries by name, and each keeps its line."""

from __future__ import annotations

from textwrap import dedent

import pytest

from model_contracts import definitions, resources
from model_contracts.definitions import DefinitionError, loading, shipped


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Shipped data of our own: `data(name=text)` writes contracts/<name>.yaml or invariants/<name>.yaml."""
    for folder in ("contracts", "invariants"):
        (tmp_path / folder).mkdir()
    monkeypatch.setattr(resources, "folder", lambda name: tmp_path / name)
    for cached in (shipped.shipped_ids, loading._shipped, loading._families):
        cached.cache_clear()

    def write(path, text):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text), encoding="utf-8")
        for cached in (shipped.shipped_ids, loading._shipped, loading._families):
            cached.cache_clear()
        return file

    yield write
    for cached in (shipped.shipped_ids, loading._shipped, loading._families):
        cached.cache_clear()


BASE = """\
id: base
title: Base
clauses:
  - {invariant: one, force: must}
  - {invariant: two, force: must}
"""


def test_a_clause_of_a_child_replaces_the_parents_clause_for_that_invariant(data):
    data("contracts/base.yaml", BASE)
    data(
        "contracts/child.yaml", "id: child\ntitle: C\nextends: [base]\nclauses:\n  - {invariant: one, force: should}\n"
    )
    contract = definitions.load_contract("child")
    assert [(clause.invariant, clause.force) for clause in contract.clauses] == [("one", "should"), ("two", "must")]
    assert contract.where("clauses", 0, "force") == "contracts/child.yaml:5"
    assert contract.where("clauses", 1, "force") == "contracts/base.yaml:5"


def test_a_clause_that_two_parents_share_stands_once(data):
    data("contracts/base.yaml", BASE)
    data("contracts/left.yaml", "id: left\ntitle: L\nextends: [base]\n")
    data("contracts/right.yaml", "id: right\ntitle: R\nextends: [base]\n")
    data("contracts/both.yaml", "id: both\ntitle: B\nextends: [left, right]\n")
    assert [clause.invariant for clause in definitions.load_contract("both").clauses] == ["one", "two"]


def test_a_cycle_is_named(data):
    data("contracts/a.yaml", "id: a\ntitle: A\nextends: [b]\n")
    data("contracts/b.yaml", "id: b\ntitle: B\nextends: [a]\n")
    with pytest.raises(DefinitionError, match="a -> b -> a"):
        definitions.load_contract("a")


def test_an_unknown_parent_is_an_error_at_the_line_that_names_it(data):
    data("contracts/base.yaml", BASE)
    file = data("mine.yaml", "id: mine\ntitle: M\nextends:\n  - bsae\n")
    with pytest.raises(DefinitionError) as caught:
        definitions.load_contract(file)
    assert str(caught.value).startswith(f"{file}:4:5: ") and "nearest: base" in caught.value.found


def test_a_definition_cannot_name_a_file(data):
    data("contracts/base.yaml", BASE)
    file = data("mine.yaml", "id: mine\ntitle: M\nextends: [contracts/base.yaml]\n")
    with pytest.raises(DefinitionError, match="the id of a shipped contract"):
        definitions.load_contract(file)


def test_one_gate_cannot_stand_in_two_clauses_of_a_contract(data):
    file = data(
        "mine.yaml",
        "id: mine\ntitle: M\nclauses:\n  - {invariant: one, gates: [G-A-1]}\n  - {invariant: one, gates: [G-A-1]}\n",
    )
    with pytest.raises(DefinitionError, match=r":5: expected each gate of one in one clause .*found G-A-1"):
        definitions.load_contract(file)


def test_a_clause_that_names_an_unknown_invariant_or_gate_is_an_error_at_its_line(data):
    invariant = "id: one\ntitle: t\nstatement: s\nsubject: artifact\ngates:\n  - {id: G-A-1, title: t, check: c}\n"
    data("invariants/one.yaml", invariant)
    file = data("mine.yaml", "id: m\ntitle: M\nclauses:\n  - {invariant: oen}\n  - {invariant: one, gates: [G-A-2]}\n")
    contract = definitions.load_contract(file)
    with pytest.raises(DefinitionError, match=r":4:17: .*'oen' \(nearest: one\)"):
        definitions.invariant_of(contract, 0)
    with pytest.raises(DefinitionError, match=r":5:30: expected a gate of one \(G-A-1\), found 'G-A-2'"):
        definitions.invariant_of(contract, 1)


def test_a_shipped_definition_whose_id_is_not_its_path_is_refused(data):
    data("contracts/base.yaml", BASE.replace("id: base", "id: basis"))
    with pytest.raises(DefinitionError, match=r"contracts/base\.yaml:1:5: expected the id 'base'.*found 'basis'"):
        definitions.load_contract("base")


def test_entries_of_a_family_override_its_base_and_null_takes_a_tensor_away(data):
    base = """\
    id: families/base
    title: B
    abstract: true
    hyperparameters:
      width: {config: [w]}
      depth: {config: [d]}
    tensors:
      a: {huggingface: A, shape: [[width]]}
      b: {huggingface: B, shape: [[width]]}
      c: {huggingface: C, shape: [[width]]}
    converter_only: [x]
    """
    child = """\
    id: families/child
    title: C
    extends: families/base
    hyperparameters:
      depth: {config: [layers]}
    tensors:
      b: null
      c: {huggingface: CC, shape: [[depth]]}
    converter_only: [y]
    """
    data("contracts/families/base.yaml", base)
    data("contracts/families/child.yaml", child)
    family = definitions.load_family("families/child")
    assert {name: tensor.huggingface for name, tensor in family.tensors.items()} == {"a": "A", "c": "CC"}
    assert family.hyperparameters["depth"].config == ("layers",)
    assert not family.abstract and family.converter_only == ("x", "y")
    assert family.where("tensors", "a", "shape") == "contracts/families/base.yaml:8"
    assert family.where("tensors", "c", "shape") == "contracts/families/child.yaml:8"
    assert family.where("hyperparameters", "width") == "contracts/families/base.yaml:5"
