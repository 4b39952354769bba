"""Gates of a qualification that only they look at: each fires on what is spoiled and is quiet on what is not."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from support.mutations import copied
from support.qualifying import QWEN2, blamed, playbook, qualify
from support.systems_fake import system


def test_a_source_that_is_another_model_than_the_playbook_expects_is_falsified(tmp_path: Path) -> None:
    expected = {"hidden_size": 512, "num_hidden_layers": 4}
    book = playbook(tmp_path, model={"id": "tests/tiny-qwen2", "family": "llama", "expected": expected})
    (pull,) = qualify(tmp_path / "out", book, "--only", "G0-PULL-001").evidence
    violated = {c["measure"]: (c["expected"], c["observed"]) for c in pull["comparisons"] if not c["holds"]}
    assert pull["outcome"] == "Falsified"
    assert violated == {"family": ("llama", "qwen2"), "hidden_size": (512, 256)}


@pytest.mark.parametrize(("named", "outcome"), [(None, "Corroborated"), ("0" * 64, "Falsified")])
def test_the_hubs_digest_is_held_against_the_bytes(named: str | None, outcome: str, tmp_path: Path) -> None:
    repository = tmp_path / "hub" / "models--tests--tiny-qwen2"
    (repository / "snapshots").mkdir(parents=True)
    snapshot = copied(QWEN2, repository / "snapshots", "abc")
    weights = snapshot / "model.safetensors"
    digest = named or hashlib.sha256(weights.read_bytes()).hexdigest()
    (repository / "blobs").mkdir()
    weights.rename(repository / "blobs" / digest)
    weights.symlink_to(Path("../../blobs") / digest)
    result = qualify(tmp_path / "out", playbook(tmp_path), "--only", "G0-PULL-001", source=repository)
    (pull,) = result.evidence
    assert pull["outcome"] == outcome, result.stdout
    (plain,) = qualify(tmp_path / "plain", playbook(tmp_path), "--only", "G0-PULL-001").evidence
    assert pull["compared"] == plain["compared"] + 1
    assert {c["measure"] for c in pull["comparisons"] if not c["holds"]} == ({"sha256"} if named else set())


@pytest.mark.parametrize(
    ("spoils", "gate", "measure"),
    [("renames", "F-CONV-NAME-001", "tensor_name"), ("wavers", "F-CONV-IDEM-001", "tensor_bytes")],
)
def test_a_converter_that_renames_or_wavers_is_seen_by_the_gate_that_looks(
    spoils: str, gate: str, measure: str, tmp_path: Path
) -> None:
    book = playbook(tmp_path, modalities=["run"])
    honest = qualify(tmp_path / "honest", book, "--only", gate)
    assert (honest.code, honest.gates("Corroborated")) == (0, {gate})
    fake = system(tmp_path / "system", converter=spoils, runtime="banner")
    result = qualify(tmp_path / "out", book, "--system", fake, "--only", gate)
    (outcome,) = result.evidence
    assert outcome["outcome"] == "Falsified"
    assert {c["measure"] for c in outcome["comparisons"] if not c["holds"]} == {measure}
    assert all(cause["component"] == "converter" for cause in outcome["causes"]) and blamed(result)


def test_bounds_of_speed_and_memory_decide_where_a_playbook_sets_them(tmp_path: Path) -> None:
    bounds = {"min_tokens_per_second": 1e9, "max_seconds_to_first_token": 1e-9, "max_memory_mb": 1}
    asked = ("--only", "F-PERF-*,F-PROFILE-*")
    measured: dict[str, object] = {"warmup": 0, "runs": 1}
    must = [{"gates": ["F-PERF-*", "F-PROFILE-*"], "force": "must"}]
    book = playbook(tmp_path, formats=["safetensors"], measured=measured | bounds, gates=must)
    result = qualify(tmp_path / "out", book, *asked)
    gates = {"F-PERF-001", "F-PERF-002", "F-PROFILE-001"}
    assert (result.code, result.gates("Falsified")) == (1, gates)
    book = playbook(tmp_path, formats=["safetensors"], measured=measured, gates=must)
    assert qualify(tmp_path / "free", book, *asked).gates("Corroborated") == gates


@pytest.mark.parametrize(("oracle", "outcome"), [("arithmetic", "Falsified"), ("garbage", "Corroborated")])
def test_an_answer_is_held_to_the_oracles_of_the_playbook(oracle: str, outcome: str, tmp_path: Path) -> None:
    asked = "What is 2+2?"  # the fake answers in words
    book = playbook(
        tmp_path, prompts=[asked], oracles=[{"oracle": oracle, "prompts": [asked]}], formats=["safetensors"]
    )
    result = qualify(
        tmp_path / "out", book, "--system", system(tmp_path / "system", runtime="banner"), "--only", "F-A1-001"
    )
    (answer,) = result.evidence
    assert answer["outcome"] == outcome, result.stdout
    assert any((c["note"] or "").startswith(oracle) for c in answer["comparisons"])
