"""Each exit code through the installed command, with the gates that decided it, the same for every output format."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from support.command import check, contracts
from support.shared_models import DATA

TINY = DATA / "tiny-qwen2"


@pytest.mark.parametrize("form", ["text", "json"])
def test_0_kept_is_decided_by_every_gate_that_compared(form: str, tmp_path: Path) -> None:
    result = check(tmp_path, TINY, "--format", form)
    assert result.code == 0
    decision = result.run["decision"]
    assert decision["word"] == "kept"
    assert set(decision["decided_by"]) == result.gates("Corroborated", "must")
    assert len(decision["decided_by"]) > 15


@pytest.mark.parametrize("form", ["text", "json"])
def test_1_falsified_is_decided_by_the_falsified_gate_alone(form: str, tmp_path: Path) -> None:
    weights = tmp_path / "short" / "model.safetensors"
    shutil.copytree(TINY, weights.parent)
    data = weights.read_bytes()
    weights.write_bytes(data[:-1])
    result = check(tmp_path / "out", weights.parent, "--format", form)
    assert result.code == 1
    assert result.run["decision"]["decided_by"] == ["G0-CONTAINER-002"]
    (violation,) = result.violated("G0-CONTAINER-002")
    assert violation["measure"] == "file_size"
    assert (violation["expected"], violation["observed"]) == (len(data), len(data) - 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check"], "PATH"),
        (["check", "nothing-here.gguf"], "nothing-here.gguf: no such file"),
        (["check", str(TINY), "--only", "G0-NOBODY"], "G0-NOBODY: no gate of default"),
        (["check", str(TINY), "--contract", "nobody"], "expected the id of a shipped contract"),
        (["check", str(TINY), "--dtype", "Q9_K"], "--dtype Q9_K: expected one of F32, F16"),
        (["check", str(TINY), "--format", "prose"], "invalid choice: 'prose'"),
        (["explain", "G0-NOBODY"], "G0-NOBODY"),
    ],
)
def test_2_usage_says_what_was_expected_in_one_line(arguments: list[str], words: str, tmp_path: Path) -> None:
    result = contracts(*arguments, cwd=tmp_path)
    assert result.code == 2
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("form", ["text", "json"])
def test_3_not_proven_where_a_bare_weights_file_has_nothing_beside_it(form: str, tmp_path: Path) -> None:
    shutil.copy(TINY / "model.safetensors", tmp_path / "Qwen2.5-tiny.safetensors")
    result = check(tmp_path / "out", tmp_path / "Qwen2.5-tiny.safetensors", "--format", form)
    assert result.code == 3
    assert result.gates("Falsified") == set()
    assert set(result.run["decision"]["decided_by"]) == {
        "G0-TENSOR-001", "G0-LAYOUT-001", "G0-INTEGRITY-CONFIG", "G0-EMBEDDING-001",
        "G0-TOKENIZER-001", "G0-TOKENIZER-002", "G0-TOKENIZER-003", "G0-TOKENIZER-004",
        "G0-TOKENIZER-006",
    }  # fmt: skip
    assert result.gate("G0-VALIDATE-001")["compared"] == 2_875_648


def test_3_not_proven_where_a_contract_has_no_clause_that_applies(tmp_path: Path) -> None:
    contract = tmp_path / "empty.yaml"
    contract.write_text("id: empty\ntitle: Nothing\nclauses: []\n")
    result = check(tmp_path / "out", TINY, "--contract", contract)
    assert result.code == 3
    assert result.evidence == []
    assert "nothing" in result.stdout.lower()


def test_2_evidence_that_cannot_be_written_is_said_before_anything_is_read(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "evidence.json").mkdir()
    result = contracts("check", TINY, "-o", folder)
    assert result.code == 2
    assert "out/evidence.json: it exists already; --force replaces" in result.stderr
    assert "Traceback" not in result.stderr


def test_json_goes_to_stdout_alone_and_holds_the_same_outcomes_as_the_file(tmp_path: Path) -> None:
    result = check(tmp_path, TINY, "--format", "json")
    printed = json.loads(result.stdout)
    assert printed["evidence"] == result.evidence
    assert printed["run"]["decision"] == result.run["decision"]
    assert result.stderr == ""


def test_a_users_contract_found_upward_adds_clauses_and_takes_none_away(tmp_path: Path) -> None:
    shutil.copytree(TINY, tmp_path / "models" / "tiny-qwen2")
    (tmp_path / "contracts.yaml").write_text(
        "id: house\ntitle: Ours\nclauses:\n"
        "  - invariant: tensor/values\n    force: must\n    parameters: {dead_rows: 0.0, dead_vocabulary_rows: 0.0}\n"
    )
    result = check(tmp_path / "out", tmp_path / "models" / "tiny-qwen2")
    assert result.code == 0
    assert [e["contract"] for e in result.evidence if e["gate_id"] == "G0-VALIDATE-002"] == ["default", "house"]
    own, house = [e["title"] for e in result.evidence if e["gate_id"] == "G0-VALIDATE-002"]
    assert house == f"{own} (house asks for dead_rows 0.0, dead_vocabulary_rows 0.0)"
    assert result.gate("G0-CONTAINER-001")["contract"] == "default"
    assert any("contracts.yaml was found upward" in note for a in result.run["artifacts"] for note in a["notes"])


def test_a_contract_with_a_mistake_is_refused_with_its_line_and_column(tmp_path: Path) -> None:
    contract = tmp_path / "house.yaml"
    contract.write_text("id: house\ntitle: Ours\nclauses:\n  - invariant: tensor/valeus\n    force: must\n")
    result = contracts("check", TINY, "--contract", contract)
    assert result.code == 2
    assert "house.yaml:4:16: expected the id of a shipped invariant" in result.stderr
    assert "nearest: tensor/values" in result.stderr
