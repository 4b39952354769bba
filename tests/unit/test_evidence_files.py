"""Evidence on disk: whole or not at all, and every way in which a file is not valid has its pointer."""

from __future__ import annotations

import json
import os
import stat
from math import inf

import pytest

from model_contracts.engine import bounded_json, evidence
from model_contracts.engine.evidence import Unusable, read, validate_file, write
from model_contracts.outcome import Counterexample, Place, Uncompared
from support.outcomes import comparison, outcome, record

OUTCOMES = (
    outcome("Corroborated", "G-A-1"),
    outcome("Falsified", "G-A-2", comparisons=(comparison(False, tolerance=0.5, smallest_passing_tolerance=inf),)),
    outcome("Skipped", "G-A-3", reason="no tokenizer: “none” \u202e"),
    outcome(
        "Falsified",
        "G-A-4",
        violated=0,
        comparisons=(),
        counterexample=Counterexample(kind="header", description="d", input=[1]),
    ),
)
RUN = record(OUTCOMES)
GAP = {"place": {"tensor": "b.weight"}, "count": 6, "reason": "nothing decodes type F4"}


@pytest.fixture
def written(tmp_path):
    write(tmp_path / "out", OUTCOMES, RUN)
    return tmp_path / "out"


def test_what_is_written_reads_back_equal(written):
    assert read(written) == (OUTCOMES, RUN)


def test_only_the_two_files_are_left_and_others_may_read_them(written):
    assert sorted(path.name for path in written.iterdir()) == ["evidence.json", "run.json"]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((written / "evidence.json").stat().st_mode) == 0o666 & ~mask


def test_evidence_is_an_array_that_a_script_reads_without_us(written):
    lines = [
        f"[{'PASS' if e['outcome'] == 'Corroborated' else 'FAIL'}] {e['gate_id']}: {e['reason'][:100]}"
        for e in json.loads((written / "evidence.json").read_bytes())
    ]
    assert lines[0] == "[PASS] G-A-1: Corroborated because of the test"
    assert [line[:13] for line in lines[1:]] == ["[FAIL] G-A-2:", "[FAIL] G-A-3:", "[FAIL] G-A-4:"]


def test_a_place_holds_only_the_parts_that_are_set(written):
    first = json.loads((written / "evidence.json").read_bytes())[0]["comparisons"][0]
    assert first["place"] == {"tensor": "a.weight"}


def test_what_the_schema_refuses_is_not_written_and_the_earlier_evidence_stays(written):
    before = (written / "evidence.json").read_bytes()
    incoherent = outcome("Corroborated", compared=0)
    with pytest.raises(Unusable, match=r"evidence\.json is not written: /0/compared: expected at least 1, found 0"):
        write(written, (incoherent,), RUN)
    assert (written / "evidence.json").read_bytes() == before


def test_a_disk_that_fails_half_way_leaves_the_earlier_evidence_and_no_rest(written, monkeypatch):
    before = {path.name: path.read_bytes() for path in written.iterdir()}
    fill = evidence._fill

    def fails_on_the_run(path, value):
        if isinstance(value, dict):
            path.write_text("{", encoding="utf-8")
            raise OSError(28, "No space left on device")
        fill(path, value)

    monkeypatch.setattr(evidence, "_fill", fails_on_the_run)
    with pytest.raises(Unusable, match="no space left on device"):
        write(written, OUTCOMES[:1], RUN)
    assert {path.name: path.read_bytes() for path in written.iterdir()} == before


def test_a_file_where_the_directory_should_be_is_refused(tmp_path):
    file = tmp_path / "out"
    file.write_text("mine", encoding="utf-8")
    with pytest.raises(Unusable, match="is a file, not a directory"):
        write(file, OUTCOMES, RUN)
    assert file.read_text(encoding="utf-8") == "mine"


def changed(outcomes, change):
    value = json.loads(outcomes)
    change(value)
    return json.dumps(value)


@pytest.mark.parametrize(
    ("change", "pointer", "message"),
    [
        (lambda e: e[0].update(id=3), "/0/id", "expected string, found 3"),
        (lambda e: e[0].update(id="XYZ"), "/0/id", "expected text that matches"),
        (lambda e: e[1].update(outcome="Passed"), "/1/outcome", 'found "Passed"'),
        (lambda e: e[0].pop("reason"), "/0", "'reason' is a required property"),
        (lambda e: e[0].update(reason=""), "/0/reason", "expected at least 1 character"),
        (lambda e: e[0].update(extra=1), "/0", "'extra' was unexpected"),
        (lambda e: e[0].update(compared=0, owed=0), "/0/compared", "expected at least 1, found 0"),
        (lambda e: e[0].update(violated=1), "/0/violated", "expected 0, found 1"),
        (lambda e: e[3].update(counterexample=None), "/3/violated", "expected at least 1, found 0"),
        (lambda e: e[2].update(skip_cause=None), "/2/skip_cause", "expected string, found null"),
        (lambda e: e[0].update(skip_cause="unreadable"), "/0/skip_cause", "expected null"),
        (lambda e: e[0].update(id=e[1]["id"]), "/1/id", "found that of /0"),
        (lambda e: e[0]["comparisons"][0].pop("holds"), "/0/comparisons/0", "'holds' is a required property"),
        (lambda e: e[0]["comparisons"][0].update(tolerance="small"), "/0/comparisons/0/tolerance", "Infinity"),
        (lambda e: e[0]["subject"].update({"a/b~c": 1}), "/0/subject", "unexpected"),
        (lambda e: e[0].update(owed=12), "/0/owed", "expected the 10 compared and listed as not compared, found 12"),
        (lambda e: e[0].update(uncompared=[GAP], owed=16), "/0/uncompared", "expected at most 0 items, found 1"),
        (lambda e: e[1].update(uncompared=[GAP]), "/1/owed", "at least the 16 compared and listed as not compared"),
        (lambda e: e[1].update(uncompared=[{**GAP, "reason": ""}], owed=16), "/1/uncompared/0/reason", "at least 1"),
        (lambda e: e[2].update(skip_cause="incomplete"), "/2/uncompared", "expected at least 1 item, found 0"),
        (lambda e: e.append(5), "/4", "expected object, found 5"),
    ],
)
def test_each_violation_of_evidence_has_its_pointer(written, tmp_path, change, pointer, message):
    file = tmp_path / "changed.json"
    file.write_text(changed((written / "evidence.json").read_bytes(), change), encoding="utf-8")
    assert [(v.pointer, message in v.message) for v in validate_file(file)] == [(pointer, True)]


def test_an_incomplete_outcome_is_valid_where_what_is_owed_was_compared_or_was_not(tmp_path):
    gap = Uncompared(place=Place(tensor="b.weight"), count=6, reason="nothing decodes type F4")
    found = outcome("Skipped", skip_cause="incomplete", compared=10, owed=16, uncompared=(gap,))
    more = outcome("Skipped", skip_cause="incomplete", compared=10, owed=99, uncompared=(gap,))
    write(tmp_path, (found, more), record((found, more)))
    assert validate_file(tmp_path / "evidence.json") == []
    assert read(tmp_path)[0] == (found, more)


def test_a_run_whose_word_and_exit_code_differ_is_not_valid(written, tmp_path):
    run = json.loads((written / "run.json").read_bytes())
    run["decision"]["word"] = "kept"
    (tmp_path / "run.json").write_text(json.dumps(run), encoding="utf-8")
    found = validate_file(tmp_path / "run.json")
    assert [(v.pointer, v.message) for v in found] == [("/decision/word", 'expected "falsified", found "kept"')]


def test_the_json_report_is_validated_as_the_two_that_it_holds(written, tmp_path):
    both = {name: json.loads((written / f"{name}.json").read_bytes()) for name in ("run", "evidence")}
    file = tmp_path / "report.json"
    file.write_text(json.dumps(both), encoding="utf-8")
    assert validate_file(file) == []
    both["run"]["seed"] = "x"
    both["evidence"][0]["force"] = "may"
    file.write_text(json.dumps(both), encoding="utf-8")
    assert [v.pointer for v in validate_file(file)] == ["/run/seed", "/evidence/0/force"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not JSON at line 1, column 1"),
        (b"[1,\n2", "not JSON at line 2, column 2"),
        (b"\xff\xfe[]", "not "),
        (b"[NaN]", "NaN is no JSON number"),
        (b'[{"a": 1, "a": 2}]', 'the key "a" twice in one object'),
        (b"[" * 200_000, "nested too deeply"),
        (b"[" + b"9" * 5000 + b"]", "not JSON that can be read"),
        (b"{}", "an array of outcomes (evidence) or a run object"),
        (b'"text"', "an array of outcomes (evidence) or a run object"),
    ],
)
def test_what_is_no_evidence_is_said_in_one_line(tmp_path, data, message):
    file = tmp_path / "x.json"
    file.write_bytes(data)
    found = validate_file(file)
    assert len(found) == 1 and message in found[0].message and found[0].pointer == ""


def test_a_file_beyond_the_limit_or_absent_is_unusable(tmp_path, monkeypatch):
    monkeypatch.setattr(bounded_json, "MAX_BYTES", 10)
    file = tmp_path / "x.json"
    file.write_bytes(b"[" + b" " * 20 + b"]")
    with pytest.raises(Unusable, match="more than 10 bytes"):
        validate_file(file)
    with pytest.raises(Unusable, match="no such file"):
        validate_file(tmp_path / "none.json")


def test_a_hostile_array_yields_a_bounded_list(tmp_path):
    file = tmp_path / "x.json"
    file.write_text(json.dumps([0] * 5000), encoding="utf-8")
    assert len(validate_file(file)) == evidence.MAX_VIOLATIONS


def test_reading_a_directory_whose_files_are_swapped_is_refused(written):
    (written / "evidence.json").rename(written / "x")
    (written / "run.json").rename(written / "evidence.json")
    (written / "x").rename(written / "run.json")
    with pytest.raises(Unusable, match=r"evidence\.json is an array of outcomes"):
        read(written)


def test_reading_evidence_that_is_not_valid_names_the_pointer(written):
    (written / "evidence.json").write_text("[{}]", encoding="utf-8")
    with pytest.raises(Unusable, match=r"evidence\.json: /0: 'id' is a required property"):
        read(written)


def test_a_file_name_that_is_no_unicode_is_written_as_its_escape(tmp_path):
    odd = outcome(comparisons=(comparison(place=Place(file="a\udcff.gguf"), observed=["\ud800"]),))
    write(tmp_path, (odd,), record((odd,)))
    first = read(tmp_path)[0][0].comparisons[0]
    assert (first.place.file, first.observed) == (r"a\udcff.gguf", [r"\ud800"])


def test_listed_violations_are_among_those_counted(written, tmp_path):
    changed_list = json.loads((written / "evidence.json").read_bytes())
    changed_list[1]["comparisons"] *= 3
    file = tmp_path / "changed.json"
    file.write_text(json.dumps(changed_list), encoding="utf-8")
    assert [str(v) for v in validate_file(file)] == ["/1/violated: expected at least the 3 listed, found 1"]
