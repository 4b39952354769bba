"""The founding system's evidence through the installed command: validated, reported, and held to the signs."""

from __future__ import annotations

import json

import pytest

from model_contracts.outcome import written
from support.command import contracts
from support.founding_evidence import HONEST, evidence, numbered, record
from support.outcomes import outcome
from support.outcomes import record as run_of


def kept(folder, value, name="evidence.json"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(value, ensure_ascii=False), "utf-8")
    return folder / name


def test_every_sign_is_found_and_no_honest_record_is_accused(tmp_path):
    """The Must-hold: a record for every sign of the description, among honest look-alikes of each."""
    records, expected = evidence()
    path = kept(tmp_path, records)
    done = contracts("evidence", "audit", path, "--format", "json")
    (found,) = json.loads(done.stdout)
    assert done.code == 1 and not done.stderr
    assert {one["pointer"]: one["sign"] for one in found["accusations"]} == expected
    assert all(one["gate_id"] == records[int(one["pointer"][1:])]["gate_id"] for one in found["accusations"])
    assert found["green"]["prove_nothing"] + found["red"]["checkers_own_fault"] == len(expected)

    told = contracts("evidence", "audit", path).stdout
    green, red = found["green"], found["red"]
    first = (
        f"{green['prove_nothing']} of {green['lines']} green lines prove nothing; "
        f"{red['checkers_own_fault']} of {red['lines']} red ones are the checker's own fault"
    )
    assert told.splitlines()[0] == f"{path}: {first}"
    places = {line.split()[0]: line.split()[1] for line in told.splitlines() if line.startswith("    /")}
    assert places == {one["pointer"]: one["gate_id"] for one in found["accusations"]}


def test_honest_evidence_of_either_form_is_accused_of_nothing(tmp_path):
    honest = kept(tmp_path / "theirs", numbered(HONEST))
    ours = kept(tmp_path / "ours", written((outcome("Corroborated"),), run_of(()))[0])
    done = contracts("evidence", "audit", honest, ours.parent)
    assert done.code == 0, done.stdout
    assert "0 of 1 green line prove nothing" in done.stdout


def test_evidence_of_ours_that_was_changed_by_hand_is_accused_at_its_place(tmp_path):
    values = written((outcome("Corroborated"), outcome("Corroborated", "G-B-1")), run_of(()))[0]
    values[1] |= {"compared": 0, "comparisons": []}
    done = contracts("evidence", "audit", kept(tmp_path, values))
    assert done.code == 1 and "1 of 2 green lines proves nothing" in done.stdout
    assert any(line.split() == ["/1", "G-B-1", "Corroborated"] for line in done.stdout.splitlines())


def test_an_unreadable_file_exits_2_and_the_others_are_still_told(tmp_path):
    good, bad = kept(tmp_path, numbered(HONEST)), kept(tmp_path, {"a": 1}, "bad.json")
    (tmp_path / "worse.json").write_text("[{")
    done = contracts("evidence", "audit", bad, tmp_path / "worse.json", tmp_path / "none.json", good)
    assert done.code == 2 and len(done.stderr.splitlines()) == 3 and "Traceback" not in done.stderr
    assert "expected an array of records" in done.stderr and "not JSON at line 1" in done.stderr
    assert "0 of" in done.stdout


def test_the_founding_systems_form_is_valid_in_both_spellings_of_an_outcome(tmp_path):
    records = numbered([*HONEST, record("F-A1-001", {"Timeout": {"seconds": 60}})])
    done = contracts("evidence", "validate", kept(tmp_path, records))
    assert (done.code, done.stdout.strip()) == (0, f"{tmp_path / 'evidence.json'}: valid (founding system's form)")
    wrapped = contracts("evidence", "validate", kept(tmp_path, {"evidence": records, "metadata": {}}, "w.json"))
    assert wrapped.code == 0 and wrapped.stdout.endswith("valid (founding system's form)\n")


@pytest.mark.parametrize(
    ("change", "pointer", "message"),
    [
        ({"outcome": "Passed"}, "/0/outcome", "found"),
        ({"outcome": {"Falsified": {}, "Crashed": {}}}, "/0/outcome", "found"),
        ({"exit_code": "0"}, "/0/exit_code", "expected integer or null"),
        ({"id": "7"}, "/0/id", "expected text that matches"),
        ({"extra": 1}, "/0", "extra"),
        ({"metadata": []}, "/0/metadata", "expected object"),
        ({"timestamp": "yesterday"}, "/0/timestamp", "expected text that matches"),
        ({"reason": None}, "/0/reason", "expected string"),
    ],
)
def test_a_violation_of_that_form_has_its_pointer(change, pointer, message, tmp_path, capsys):
    from model_contracts.cli.main import main

    path = kept(tmp_path, [{**record("F-A1-001"), **change}])
    assert main(["evidence", "validate", str(path)]) == 1
    shown = capsys.readouterr().out
    assert f"{path}: {pointer}: " in shown and message in shown and "not valid (founding system's form)" in shown
    assert main(["report", str(path)]) == 2 and pointer in capsys.readouterr().err


@pytest.mark.parametrize(
    ("outcomes", "code", "word"),
    [
        (["Corroborated", "Skipped"], 0, "KEPT"),
        (["Corroborated", "Falsified"], 1, "FALSIFIED"),
        (["Corroborated", "Crashed"], 1, "FALSIFIED"),
        (["Corroborated", {"Timeout": {}}], 1, "FALSIFIED"),
        (["Skipped"], 3, "NOT PROVEN"),
        (["Skipped", "Skipped"], 3, "NOT PROVEN"),
    ],
)
def test_the_report_exits_by_the_records_own_words(outcomes, code, word, tmp_path, capsys):
    from model_contracts.cli.main import main

    kept(tmp_path, [record("F-A1-001", outcome) for outcome in outcomes])
    assert main(["report", str(tmp_path)]) == code
    assert capsys.readouterr().out.startswith(f"{word}  {outcomes.count('Corroborated')} of {len(outcomes)} gate")


def test_the_report_shows_one_line_a_gate_and_nothing_that_a_terminal_obeys(tmp_path):
    long = "x" * 99 + "\x1b[2J" + "y" * 50
    red = record("F-A1-001", {"Falsified": {"reason": long}})
    del red["reason"]
    path = kept(tmp_path, [red, record("F-A2-001", backend="gpu")])
    done = contracts("report", path)
    assert done.code == 1 and "\x1b" not in done.stdout and "y" not in done.stdout.splitlines()[3]
    assert done.stdout.splitlines()[0] == "FALSIFIED  1 of 2 gates Corroborated (1 Falsified)"
    assert done.stdout.splitlines()[2:4] == ["Falsified 1", f"  ✗ F-A1-001  run/cpu/gguf  {'x' * 99}\\x1b"]
    assert "  ✓ F-A2-001  run/gpu/gguf  Test passed" in done.stdout.splitlines()
    as_json = contracts("report", path, "--format", "json")
    assert as_json.code == 1 and json.loads(as_json.stdout) == json.loads(path.read_text("utf-8"))


def test_evidence_of_ours_without_its_run_is_not_taken_for_theirs(tmp_path):
    path = kept(tmp_path, written((outcome("Corroborated"),), run_of(()))[0])
    for asked, expected in ((path, "expected a directory"), (tmp_path, "run.json")):
        done = contracts("report", asked)
        assert done.code == 2 and expected in done.stderr and "Traceback" not in done.stderr


def test_every_sign_is_listed_and_explained():
    listed = json.loads(contracts("list", "audit", "--format", "json").stdout)["audit"]
    assert {one["verdict"] for one in listed} == {"green", "red"} and len(listed) >= 12
    done = contracts("explain", "audit/gpu-without-gpu")
    assert (
        done.code == 0 and "host.gpu is blank" in done.stdout and "contracts/audit/gpu-without-gpu.yaml:" in done.stdout
    )
    assert "nearest: audit/gpu-without-gpu" in contracts("explain", "audit/gpu-without-gp").stderr
