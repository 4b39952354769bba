"""Shipped definitions: every file loads, its id is its path, its schema does not drift, its gates are its own."""

from __future__ import annotations

import json
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path

from jsonschema import Draft202012Validator

from model_contracts import definitions, schemas
from model_contracts.definitions.outline import outlines
from model_contracts.definitions.shipped import kind_below
from model_contracts.definitions.tree import parse
from model_contracts.playbook import Tier
from support.schema_lines import line, wanted

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = [(kind, name) for kind in definitions.KINDS for name in definitions.shipped_ids(kind)]
INVARIANTS = [definitions.load_invariant(name) for name in definitions.shipped_ids("invariant")]
CONTRACTS = [definitions.load_contract(name) for name in definitions.shipped_ids("contract")]


def test_every_yaml_file_is_shipped_as_some_kind():
    files = {p.relative_to(ROOT).as_posix() for top in ("contracts", "invariants") for p in (ROOT / top).rglob("*.*")}
    files -= {"contracts/catalogue.json"}  # what they are called, generated
    tops = {"invariant": "invariants", "corpus": "invariants"}
    assert files == {f"{tops.get(kind, 'contracts')}/{name}.yaml" for kind, name in SHIPPED}


def test_every_shipped_definition_loads_and_its_id_is_its_path():
    loaded = [(kind, name, definitions.load(definitions.KINDS[kind], name).id) for kind, name in SHIPPED]
    assert [found for found in loaded if found[1] != found[2]] == []


def test_every_shipped_file_is_valid_by_the_schema_that_is_shipped_with_it():
    offenders = []
    for kind in definitions.KINDS:
        schema = Draft202012Validator(json.loads((ROOT / "schemas" / schemas.file_name(kind)).read_bytes()))
        for outline in outlines(kind):
            offenders += [(outline.id, error.message) for error in schema.iter_errors(outline.tree.value)]
    assert {(kind, outline.id) for kind in definitions.KINDS for outline in outlines(kind)} == set(SHIPPED)
    assert offenders == []


def test_every_shipped_file_says_its_schema_first_and_so_does_the_example():
    example = [
        (path, line(path, "definitions" if path.name == "definitions.yaml" else schema_of(path)))
        for path in sorted((ROOT / "tests" / "data" / "acme").rglob("*.yaml"))
    ]
    lines = [*wanted(), *example]
    assert len(lines) > 150
    missing = [path.as_posix() for path, text in lines if not path.read_text("utf-8").startswith(text)]
    assert missing == [], "run in tests/: python -m support.schema_lines"


def schema_of(path: Path) -> str:
    """The kind of a definition of the example, by its folder."""
    steps = path.relative_to(ROOT / "tests" / "data" / "acme").as_posix()[: -len(".yaml")].partition("/")
    return kind_below(steps[0], steps[2])


def test_schemas_know_ids_and_parameters_and_refuse_no_id_of_others():
    def refused(kind: str, value: object) -> list[str]:
        schema = Draft202012Validator(json.loads((ROOT / "schemas" / schemas.file_name(kind)).read_bytes()))
        return [error.message for error in schema.iter_errors(value)]

    def contract(**clause: object) -> dict[str, object]:
        return {"id": "x", "title": "t", "extends": ["acme/all"], "clauses": [clause]}

    def invariant(check: str, **parameters: object) -> dict[str, object]:
        gates = [{"id": "X-1", "title": "t", "check": check, "parameters": parameters}]
        return {"id": "x", "title": "t", "statement": "s", "subject": "artifact", "gates": gates}

    assert refused("contract", contract(invariant="acme/house", parameters={"own": 1})) == []
    assert refused("contract", contract(invariant="tensor/values", parameters={"dead_rows": 0.5})) == []
    assert (
        "'dead_row' was unexpected"
        in refused("contract", contract(invariant="tensor/values", parameters={"dead_row": 0}))[0]
    )
    assert "G0-X-1" in refused("contract", contract(invariant="tensor/values", gates=["G0-X-1"]))[0]
    assert refused("invariant", invariant("acme_even_norms", times=3)) == []
    assert refused("invariant", invariant("tensors_typed", tensors=["a"], types=["F32"])) == []
    assert "'type' was unexpected" in refused("invariant", invariant("tensors_typed", tensors=["a"], type="F32"))[0]
    known = json.loads((ROOT / "schemas" / "contract.schema.json").read_bytes())["$defs"]["Clause"]["properties"]
    assert set(known["invariant"]["anyOf"][0]["enum"]) == {invariant.id for invariant in INVARIANTS}


def test_every_committed_schema_is_valid_and_what_the_types_generate():
    generated = schemas.generate()
    for schema in generated.values():
        Draft202012Validator.check_schema(schema)
    assert {schema["$schema"] for schema in generated.values()} == {schemas.DIALECT}
    committed = {name: (ROOT / "schemas" / schemas.file_name(name)).read_text("utf-8") for name in schemas.NAMES}
    drifted = [name for name, text in committed.items() if text != schemas.text(generated[name])]
    assert drifted == [], "run: contracts schema --write schemas"


def test_no_other_file_lies_among_the_schemas():
    assert {path.name for path in (ROOT / "schemas").iterdir()} == {schemas.file_name(name) for name in schemas.NAMES}


def test_a_gate_id_belongs_to_one_invariant():
    counted = Counter(gate.id for invariant in INVARIANTS for gate in invariant.gates)
    assert [gate for gate, count in counted.items() if count > 1] == []


def test_every_gate_names_a_check_that_exists_with_parameters_that_it_takes():
    from model_contracts.checks import KINDS
    from model_contracts.qualification.gates import GATES

    kinds = {name: kind.parameters for name, kind in KINDS.items()}
    kinds |= {name: kind.parameters for name, kind in GATES.items()}
    for invariant in INVARIANTS:
        for at, gate in enumerate(invariant.gates):
            shared = {k: v for k, v in invariant.parameters.items() if k in kinds[gate.check].model_fields}
            definitions.parameters(kinds[gate.check], {**shared, **gate.parameters}, invariant, "gates", at)


def test_every_invariant_stands_in_a_contract():
    held = {clause.invariant for contract in CONTRACTS for clause in contract.clauses}
    owed = {invariant.id for invariant in INVARIANTS if invariant.subject != "qualification"}
    assert owed - held == {"recorded"}  # its clauses are those of contracts init


def test_every_gate_of_a_qualification_stands_in_the_deepest_tier():
    full = definitions.load(Tier, "qualification/tiers/full")
    patterns = [pattern for choice in full.gates for pattern in choice.gates]
    gates = [gate.id for i in INVARIANTS if i.subject == "qualification" for gate in i.gates]
    assert [gate for gate in gates if not any(fnmatchcase(gate, pattern) for pattern in patterns)] == []


def test_every_clause_names_an_invariant_and_gates_that_exist():
    held = [(contract, index, clause) for contract in CONTRACTS for index, clause in enumerate(contract.clauses)]
    named = [(c.id, clause.invariant, definitions.invariant_of(c, index).id) for c, index, clause in held]
    assert [found for found in named if found[1] != found[2]] == []


def test_every_invariant_says_what_it_catches_and_a_value_knows_its_line():
    assert [invariant.id for invariant in INVARIANTS if not invariant.catches] == []
    for invariant in INVARIANTS:
        file, line = invariant.where("gates", 0, "check").rsplit(":", 1)
        text = (ROOT / file).read_text("utf-8").splitlines()[int(line) - 1]
        assert f"check: {invariant.gates[0].check}" in text


def test_an_outline_holds_what_the_typed_definition_holds():
    for outline, invariant in zip(outlines("invariant"), INVARIANTS, strict=True):
        assert outline.id == invariant.id and outline.get("statement") == invariant.statement
        assert [gate["id"] for gate in outline.get("gates")] == [gate.id for gate in invariant.gates]
        assert outline.where("gates", 0) == invariant.where("gates", 0)


def test_line_numbers_survive_a_file_of_any_line_ending():
    marks = parse(b"a: 1\r\nb:\r\n  - c: 2\r\n", "x.yaml").marks
    assert [marks[pointer].key[0] for pointer in (("a",), ("b",), ("b", 0, "c"))] == [1, 2, 3]
