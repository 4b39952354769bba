"""Lint: each sort of flaw, at its line, all of them in one run; the shipped definitions have none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model_contracts.definitions.known import opened
from model_contracts.engine.plan import UsageError
from model_contracts.lint import linted
from support.command import contracts
from support.open_world import ACME, definitions, own_contract, own_invariant

ROOT = Path(__file__).resolve().parents[2]
HEAD = "id: mine\ntitle: t\n"


def told(folder: Path, text: str, name: str = "mine.yaml") -> list[str]:
    """Line and sort of each flaw of one file, with what it says."""
    path = folder / name
    path.write_text(text)
    flaws, _ = linted([path])
    assert all(flaw.file == str(path) for flaw in flaws)
    return [f"{flaw.line} {flaw.sort}: {flaw.says}" for flaw in flaws]


def test_the_shipped_definitions_have_no_flaw():
    files = [path for top in ("contracts", "invariants") for path in sorted((ROOT / top).rglob("*.yaml"))]
    assert linted(files) == ([], len(files))


def test_the_example_has_no_flaw():
    assert linted([ACME]) == ([], 7)


@pytest.mark.parametrize(
    ("clauses", "said"),
    [
        ("{invariant: tensor/valus}", "4 unknown: no invariant is called 'tensor/valus' (nearest: tensor/values)"),
        ("{invariant: tensor/values, gates: [G0-VALIDATE-02]}", "(nearest: G0-VALIDATE-002)"),
        ("{invariant: tensor/values, gates: [G0-VALIDATE-002, G0-VALIDATE-002]}", "4 duplicate: G0-VALIDATE-002"),
        ("{invariant: tensor/values, parameters: {dead_row: 0.0}}", "has no parameter 'dead_row' (nearest: dead_rows)"),
        ("{invariant: tensor/values, parameters: {dead_rows: many}}", "4 unreadable: expected a number"),
        (
            "{invariant: tensor/values, gates: [G0-VALIDATE-001], parameters: {dead_rows: 0.0}}",
            "4 never applies: dead_rows",
        ),
        (
            "{invariant: tensor/values}\n  - {invariant: tensor/values, force: should}",
            "5 duplicate: a gate of it stands",
        ),
        ("{invariant: qualification/answers}", "4 never applies: its gates are those of a qualification"),
    ],
)
def test_a_clause(tmp_path: Path, clauses: str, said: str):
    found = told(tmp_path, f"{HEAD}clauses:\n  - {clauses}\n")
    assert len(found) == 1 and said in found[0], found


def test_all_flaws_are_told_in_one_run(tmp_path: Path):
    text = HEAD + (
        "extends: [defalt, default, default]\nclauses:\n"
        "  - {invariant: tensor/values}\n"
        "  - {invariant: nobody, force: must}\n"
        "  - {invariant: tensor/values, gates: [G0-X-1]}\n"
    )
    found = told(tmp_path, text)
    sorts = ["3 unknown", "3 duplicate", "5 duplicate", "6 unknown", "7 duplicate", "7 unknown"]
    assert [line.partition(":")[0] for line in found] == sorts
    untyped = told(tmp_path, HEAD + "clause: []\nextends: default\nclauses: [{force: maybe}]\n")
    assert [line.partition(":")[0] for line in untyped] == [
        "3 unreadable",
        "4 unreadable",
        "5 unreadable",
        "5 unreadable",
    ]


def test_a_bound_under_which_its_fault_passes(tmp_path: Path):
    def with_bound(rmse: float) -> list[str]:
        rest = ", ".join(f"{key}: 1e-3" for key in ("gain", "offset", "max_error", "mean", "std", "extreme"))
        budget = f"{{relative_rmse: {rmse}, row_cosine: 1e-4, {rest}}}"
        clause = f"{{invariant: I-4-statistics-preserved, parameters: {{budgets: {{Q8_0: {budget}}}}}}}"
        return told(tmp_path, f"{HEAD}clauses: [{clause}]\n")

    assert with_bound(0.01) == []
    found = with_bound(0.05)
    assert len(found) == 1 and "3 wider than its fault: 0.05 lets pass" in found[0] and "not merged" in found[0]
    assert len(with_bound(0.07)) == 2
    guard = "guards: [{fault: x, parameter: [within, at_most], passes_at: 3}]"
    invariant = own_invariant(check=f"key_value, parameters: {{config: [a], within: {{at_most: 3}}}}, {guard}")
    assert "wider than its fault: its own bound" in told(tmp_path, invariant)[0]
    assert "is no number among" in told(tmp_path, invariant.replace("[within, at_most]", "[within, at]"))[0]


def test_what_is_shadowed(tmp_path: Path):
    beside = f"{HEAD}clauses: [{{invariant: tensor/values, force: should}}]\n"
    assert "3 shadowed: default holds it as must" in told(tmp_path, beside, "contracts.yaml")[0]
    assert told(tmp_path, beside) == []
    assert "1 shadowed: 'default' is the id of a shipped contract" in told(tmp_path, "id: default\ntitle: t\n")[0]
    files = {
        "contracts/a.yaml": "id: own/a\ntitle: t\nclauses: [{invariant: tensor/values}]\n",
        "contracts/b.yaml": "id: own/b\ntitle: t\nclauses: [{invariant: tensor/values, force: should}]\n",
        "contracts/c.yaml": "id: own/c\ntitle: t\nextends: [own/a, own/b]\n",
        "contracts/d.yaml": "id: own/d\ntitle: t\nextends: [own/a]\nclauses: [{invariant: tensor/values}]\n",
    }
    flaws, _ = linted([definitions(tmp_path / "own", files)])
    said = [(Path(flaw.file).name, flaw.line, flaw.sort) for flaw in flaws]
    assert said == [("c.yaml", 3, "shadowed"), ("d.yaml", 4, "duplicate")]


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (
            "tensors_type, parameters: {tensors: [a], types: [F32]}",
            "unknown: no kind of check is called 'tensors_type'",
        ),
        ("tensors_typed, parameters: {tensors: [a], types: [F33]}", "unreadable: expected an element type"),
        (
            "tensors_typed, parameters: {tensors: [a.*, a.b], types: [F32]}",
            "duplicate: 'a.*' has every tensor of 'a.b'",
        ),
        ("tensors_typed, parameters: {tensors: [a.b], but: ['a*'], types: [F32]}", "never applies: 'a*' leaves out"),
        (
            "answers, parameters: {modality: run, backend: cpu}",
            "never applies: answers is asked of a qualification only",
        ),
    ],
)
def test_an_invariant(tmp_path: Path, check: str, said: str):
    found = told(tmp_path, own_invariant(check=check))
    assert len(found) == 1 and said in found[0] and found[0].startswith("5 "), found


def test_a_folder_is_read_whole_whatever_is_wrong_with_it(tmp_path: Path):
    family = "id: own/families/f\ntitle: t\nextends: families/decodr\n"
    fused = "id: own/families/g\ntitle: t\nextends: families/decoder\ngguf: [g]\nfused: {gguf: {x: {of: [blk.attn]}}}\n"
    taken = "id: own/families/h\ntitle: t\nextends: families/decoder\ngguf: [llama]\n"
    files = {
        "invariants/a.yaml": own_invariant("G0-VALIDATE-001", "own/a"),
        "invariants/b.yaml": own_invariant("OWN-B-1", "own/b"),
        "invariants/c.yaml": own_invariant("OWN-B-1", "own/wrong"),
        "contracts/x.yaml": own_contract("own/a", "own/zzz", name="own/x"),
        "contracts/y.yaml": "id: [",
        "contracts/families/f.yaml": family,
        "contracts/families/g.yaml": fused,
        "contracts/converters/c.yaml": "id: x\n",
        "contracts/recipes.yaml": "id: own/recipes\ntitle: t\nrecipes: {MINE: {types: [Q9], formats: []}}\n",
        "contracts/qualification/p.yaml": (
            "id: own/qualification/p\ntitle: t\nmodel: {id: a/b, family: q, size: 1m}\nsystem: nobody\n"
            "gates: [{gates: [X-*]}]\n"
        ),
    }
    folder = definitions(tmp_path / "own", files)
    flaws, _ = linted([folder])
    said = {(Path(flaw.file).relative_to(folder).as_posix(), flaw.sort) for flaw in flaws}
    assert said == {
        ("invariants/a.yaml", "unreadable"),
        ("invariants/b.yaml", "not held"),
        ("invariants/c.yaml", "unreadable"),
        ("contracts/x.yaml", "unknown"),
        ("contracts/y.yaml", "unreadable"),
        ("contracts/families/f.yaml", "never applies"),
        ("contracts/families/f.yaml", "unknown"),
        ("contracts/families/g.yaml", "unknown"),
        ("contracts/converters/c.yaml", "unreadable"),
        ("contracts/recipes.yaml", "unknown"),
        ("contracts/recipes.yaml", "never applies"),
        ("contracts/qualification/p.yaml", "unknown"),
        ("contracts/qualification/p.yaml", "never applies"),
    }
    good = definitions(tmp_path / "good", {"contracts/families/h.yaml": taken})
    assert [flaw.sort for flaw in linted([good])[0]] == ["shadowed"]
    with opened(()), pytest.raises(UsageError):
        linted([tmp_path / "nowhere"])


def test_the_command(tmp_path: Path):
    (tmp_path / "contracts.yaml").write_text(f"{HEAD}clauses: [{{invariant: tensor/valus}}]\n")
    wrong = contracts("lint", cwd=tmp_path)
    assert (wrong.code, wrong.stdout.splitlines()[-1]) == (1, "1 file read: 1 flaw")
    assert wrong.stdout.startswith("contracts.yaml:3:12: unknown: ")
    (read,) = json.loads(contracts("lint", tmp_path, "--format", "json").stdout)
    assert (read["line"], read["sort"], read["decides"]) == (3, "unknown", True)
    assert contracts("lint", ACME).code == contracts("lint", "--definitions", ACME).code == 0
    (tmp_path / "contracts.yaml").write_text(f"{HEAD}clauses: [{{invariant: acme/house}}]\n")
    assert contracts("lint", tmp_path, "--definitions", ACME).code == 0
    assert contracts("lint", tmp_path).code == 1
    (tmp_path / "empty").mkdir()
    assert contracts("lint", tmp_path / "empty").code == contracts("lint", "nowhere.yaml").code == 2
