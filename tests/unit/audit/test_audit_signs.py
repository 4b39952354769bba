"""Signs: each one is found where it is, and an honest record near it is not accused."""

from __future__ import annotations

import json

import pytest

from model_contracts import audit
from model_contracts.engine.bounded_json import Unusable
from model_contracts.outcome import written
from support.founding_evidence import DISHONEST, HONEST, evidence, numbered, record
from support.outcomes import comparison, outcome
from support.outcomes import record as run_of

OURS = (outcome("Corroborated", "G-A-1"), outcome("Falsified", "G-A-2"), outcome("Skipped", "G-A-3"))


def audited(tmp_path, value, name="evidence.json"):
    (tmp_path / name).write_text(json.dumps(value), "utf-8")
    return audit.audit(tmp_path / name)


def accused(found):
    return [(accusation.pointer, accusation.sign.id) for accusation in found.accusations]


def ours(**changes):
    """Three honest outcomes of ours; the first is changed by hand."""
    values = written(OURS, run_of(OURS))[0]
    values[0] |= changes
    return values


@pytest.mark.parametrize(("sign", "shown"), DISHONEST, ids=lambda value: value if isinstance(value, str) else "")
def test_a_record_that_shows_a_sign_is_accused_by_that_sign_alone(sign, shown, tmp_path):
    assert accused(audited(tmp_path, [shown])) == [("/0", sign)]


@pytest.mark.parametrize("honest", HONEST, ids=lambda honest: honest["gate_id"])
def test_an_honest_record_near_a_sign_is_not_accused(honest, tmp_path):
    assert accused(audited(tmp_path, [honest])) == []


def test_every_sign_for_their_evidence_has_a_record_that_shows_it():
    shown = {sign for sign, _ in DISHONEST}
    assert shown == {sign.id for sign in audit.signs() if "founding" in sign.evidence}


def test_in_a_mixed_file_the_accused_are_exactly_those_that_show_a_sign(tmp_path):
    records, expected = evidence()
    found = audited(tmp_path, records)
    assert dict(accused(found)) == expected and len(found.accusations) == len(expected)
    assert found.accused("green") + found.accused("red") == len(expected)
    assert found.count("green") + found.count("red") + found.count("neither") == len(records)


def test_a_sign_is_found_in_the_object_that_the_founding_schema_asks_for(tmp_path):
    shown = record("F-CONV-IDEM-001", {"Falsified": {"reason": "Unknown format extension: .5b-instruct"}})
    del shown["reason"]
    found = audited(tmp_path, {"evidence": numbered([shown]), "metadata": {}})
    assert accused(found) == [("/evidence/0", "audit/name-taken-for-an-extension")]


def test_a_cut_name_is_known_by_the_names_of_other_records(tmp_path):
    cut = record("F-CONV-G-A", "Falsified", model="test", reason="File not found: /w/SmolLM2-1.apr")
    assert accused(audited(tmp_path, [cut])) == []
    other = record("F-A1-001", model="SmolLM2-1.7B-Instruct")
    assert accused(audited(tmp_path, [cut, other])) == [("/0", "audit/path-cut-at-a-dot")]


def test_honest_evidence_of_ours_is_not_accused(tmp_path):
    found = audited(tmp_path, ours())
    assert accused(found) == [] and found.form == "ours"
    assert (found.count("green"), found.count("red"), found.count("neither")) == (1, 1, 1)


@pytest.mark.parametrize(
    ("changes", "sign"),
    [
        ({"compared": 0}, "audit/nothing-compared"),
        ({"comparisons": []}, "audit/nothing-compared"),
        ({"skip_cause": "missing_input"}, "audit/skip-kept"),
        ({"violated": 1}, "audit/violation-kept"),
        ({"comparisons": [json.loads(comparison(False).model_dump_json())]}, "audit/violation-kept"),
        ({"counterexample": {"kind": "k", "description": "d"}}, "audit/violation-kept"),
        ({"gate_id": "F-A2-001", "reason": "there is no GPU here"}, "audit/gpu-switched-off"),
        (
            {"gate_id": "F-GOLDEN-RULE-001", "comparisons": [{"expected": "", "observed": "", "holds": True}]},
            "audit/empty-texts-equal",
        ),
        ({"gate_id": "F-A1-001", "metrics": {"tokens": 0}}, "audit/no-token-measured"),
        ({"outcome": "Falsified"}, "audit/red-without-a-comparison"),
        (
            {
                "outcome": "Falsified",
                "violated": 1,
                "causes": [{"key": "k", "component": "checker", "statement": "s", "reproduction": None}],
            },
            "audit/checker-named-as-cause",
        ),
    ],
)
def test_evidence_of_ours_that_was_changed_by_hand_is_accused(changes, sign, tmp_path):
    assert accused(audited(tmp_path, ours(**changes))) == [("/0", sign)]


@pytest.mark.parametrize("change", [{"gate_id": "F-A2-001"}, {"scenario": {"backend": "gpu"}}])
def test_a_gpu_gate_of_ours_is_held_to_the_command_of_its_run(change, tmp_path):
    run = written(OURS, run_of(OURS))[1]
    run["command"] = ["contracts", "qualify", "p.yaml", "--no-gpu"]
    report = {"run": run, "evidence": ours(**change)}
    assert accused(audited(tmp_path, report)) == [("/evidence/0", "audit/gpu-switched-off")]
    (tmp_path / "run.json").write_text(json.dumps(run), "utf-8")
    assert accused(audited(tmp_path, ours(**change))) == [("/0", "audit/gpu-switched-off")]
    run["command"] = ["contracts", "qualify", "p.yaml"]
    (tmp_path / "run.json").write_text(json.dumps(run), "utf-8")
    assert accused(audited(tmp_path, ours(**change))) == []


@pytest.mark.parametrize(
    "value",
    [{}, 5, {"evidence": 1, "run": {}}, [5], [None, {}], {"tool": "model-contracts", "decision": {}}],
)
def test_what_holds_no_records_is_unusable(value, tmp_path):
    with pytest.raises(Unusable, match="expected"):
        audited(tmp_path, value)


@pytest.mark.parametrize(
    "changes",
    [
        {"gate_id": None},
        {"gate_id": ["F-A1-001"]},
        {"outcome": []},
        {"outcome": {"Falsified": None, "Crashed": None}},
        {"outcome": {"Falsified": ["reason"]}},
        {"output": {"a": 1}},
        {"metrics": [0], "scenario": 3, "host": None},
        {"scenario": {"model": {"name": 5}}},
    ],
)
def test_a_damaged_record_is_looked_at_all_the_same(changes, tmp_path):
    shown = record("F-A1-001", output="")
    found = audited(tmp_path, [{**record("F-A1-001"), **changes}, shown])
    assert ("/1", "audit/nothing-generated") in accused(found)


def test_records_without_a_known_outcome_are_counted(tmp_path):
    found = audited(tmp_path, [record("F-A1-001", "corroborated", output="")])
    assert accused(found) == [] and "1 record without a known outcome" in audit.text("f", found, width=100, color=False)
