"""Exceptions: a waiver holds for one gate on one content until a day, a baseline for what it has seen."""

from __future__ import annotations

from datetime import date

import pytest

from model_contracts.definitions import DefinitionError
from model_contracts.engine.baseline import baseline_of, known_from, write
from model_contracts.engine.evidence import Unusable, violations
from model_contracts.engine.judging import Judging, judge, read_waivers
from model_contracts.outcome import ArtifactRecord, Place, Subject, written
from support.outcomes import comparison, outcome, record

PRINT, OTHER = "blake3:" + "ab" * 32, "blake3:" + "cd" * 32
DAY = date(2029, 5, 1)
WAIVER = f"""waivers:
  - gate: G0-BAD-001
    subject: {PRINT}
    reason: the head is retrained in June
    owner: alice
    expires: 2029-05-01
"""


def run(*outcomes, fingerprint=PRINT, path="/m/a.gguf"):
    """Outcomes on one file of that content, and their run."""
    subject = Subject(name="a", path=path, format="gguf")
    own = tuple(one.model_copy(update={"subject": subject}) for one in outcomes)
    artifact = ArtifactRecord(name="a", path=path, format="gguf", layout="file", files=(), fingerprint=fingerprint)
    return own, record(own, artifacts=(artifact,))


def fault(*observed, gate="G0-BAD-001", **changes):
    """A gate at which as many tensors do not hold."""
    seen = [
        comparison(False, place=Place(file="x", tensor=f"t{at}", offset=9), observed=one)
        for at, one in enumerate(observed)
    ]
    return outcome("Falsified", gate, comparisons=tuple(seen), **{"violated": len(seen), **changes})


def waived(tmp_path, text=WAIVER):
    path = tmp_path / "waivers.yaml"
    path.write_text(text, encoding="utf-8")
    return read_waivers(path)


def test_a_waiver_lets_its_gate_through_and_says_who_answers_for_it(tmp_path):
    outcomes, told = judge(*run(outcome(), fault(1.0)), Judging(waived(tmp_path), today=DAY))
    assert (told.decision.exit_code, told.decision.word) == (0, "kept")
    assert told.decision.excused == ("G0-BAD-001",)
    assert outcomes[1].excused is not None and outcomes[1].excused.owner == "alice"
    assert outcomes[1].outcome == "Falsified", "it stays what it is"
    assert told.judged is not None and told.judged.on == "2029-05-01"
    assert [(one.state, one.source) for one in told.judged.waivers] == [("used", f"{tmp_path}/waivers.yaml:2")]
    assert list(violations(written(outcomes, told)[1])) == [] == list(violations(written(outcomes, told)[0]))


@pytest.mark.parametrize(
    ("change", "state", "why"),
    [
        ({"today": date(2029, 5, 2)}, "expired", "it expired on 2029-05-01"),
        ({"fingerprint": OTHER}, "unused", "no artifact of this run has that content"),
        ({"gate": "G0-ELSE-001"}, "unused", "the gate was not evaluated"),
    ],
)
def test_a_waiver_that_is_not_for_this_counts_as_absent_and_is_told(tmp_path, change, state, why):
    failing = run(
        outcome(), fault(1.0, gate=change.get("gate", "G0-BAD-001")), fingerprint=change.get("fingerprint", PRINT)
    )
    _, told = judge(*failing, Judging(waived(tmp_path), today=change.get("today", DAY)))
    assert told.decision.exit_code == 1
    assert told.judged is not None
    assert [(one.state, one.why) for one in told.judged.waivers] == [(state, why)]


def test_a_waiver_of_a_gate_that_holds_is_told(tmp_path):
    _, told = judge(*run(outcome(gate="G0-BAD-001")), Judging(waived(tmp_path), today=DAY))
    assert told.judged is not None and told.judged.waivers[0].why == "the gate holds"


def test_an_error_of_the_checker_is_never_excused(tmp_path):
    _, told = judge(*run(outcome(), outcome("Error", "G0-BAD-001")), Judging(waived(tmp_path), today=DAY))
    assert told.decision.exit_code == 4


def test_what_is_not_proven_may_have_its_owner(tmp_path):
    _, told = judge(*run(outcome(), outcome("Skipped", "G0-BAD-001")), Judging(waived(tmp_path), today=DAY))
    assert (told.decision.exit_code, told.decision.excused) == (0, ("G0-BAD-001",))


@pytest.mark.parametrize("line", ["gate", "subject", "reason", "owner", "expires"])
def test_every_part_of_a_waiver_is_owed(tmp_path, line):
    text = "\n".join(one for one in WAIVER.splitlines() if not one.strip(" -").startswith(line)) + "\n"
    text = text.replace("waivers:\n    subject", "waivers:\n  - subject")
    with pytest.raises(DefinitionError, match=line):
        waived(tmp_path, text)


@pytest.mark.parametrize(
    ("old", "new"), [(PRINT, "a.gguf"), ("G0-BAD-001", '"G0-*"'), ("2029-05-01", "soon"), ("alice", '" "')]
)
def test_a_waiver_is_for_one_gate_on_one_content_until_a_day(tmp_path, old, new):
    with pytest.raises(DefinitionError):
        waived(tmp_path, WAIVER.replace(old, new))


def baseline(tmp_path, *outcomes, **changes):
    write(tmp_path, baseline_of(*run(*outcomes, **changes)))
    return known_from(tmp_path)


def test_a_baseline_lets_yesterdays_faults_through_and_no_new_one(tmp_path):
    known = baseline(tmp_path, fault(1.0, 2.0), outcome())
    _, same = judge(*run(fault(1.0, 2.0), outcome()), Judging(baseline=known))
    assert (same.decision.exit_code, same.decision.excused) == (0, ("G0-BAD-001",))
    assert same.judged is not None and same.judged.baseline is not None and same.judged.baseline.known == 1
    _, fewer = judge(*run(fault(1.0), outcome()), Judging(baseline=known))
    assert fewer.decision.exit_code == 0
    for new in (fault(1.0, 2.0, 3.0), fault(1.0, 2.5), fault(1.0, gate="G0-NEW-001")):
        _, told = judge(*run(new, outcome()), Judging(baseline=known))
        assert told.decision.exit_code == 1, new


def test_a_baseline_knows_a_fault_by_content_and_not_by_the_files_name(tmp_path):
    known = baseline(tmp_path, fault(1.0), outcome())
    _, renamed = judge(*run(fault(1.0), outcome(), path="/elsewhere/b.gguf"), Judging(baseline=known))
    assert renamed.decision.exit_code == 0
    _, rebuilt = judge(*run(fault(1.0), outcome(), fingerprint=OTHER), Judging(baseline=known))
    assert rebuilt.decision.exit_code == 0, "the same fault at the same place with the same numbers"


def test_of_a_fault_with_unlisted_places_the_content_must_be_the_same(tmp_path):
    known = baseline(tmp_path, fault(1.0, violated=900), outcome())
    for change, code in (({}, 0), ({"fingerprint": OTHER}, 1), ({"fingerprint": None}, 1)):
        outcomes, told = run(fault(1.0, violated=900), outcome(), **change)
        _, judged = judge(outcomes, told, Judging(baseline=known))
        assert judged.decision.exit_code == code, change
    _, more = judge(*run(fault(1.0, violated=901), outcome()), Judging(baseline=known))
    assert more.decision.exit_code == 1


def test_a_crash_is_known_on_the_same_content_alone(tmp_path):
    known = baseline(tmp_path, outcome("Crashed", "G0-BAD-001"), outcome())
    crashed = (outcome("Crashed", "G0-BAD-001"), outcome())
    assert judge(*run(*crashed), Judging(baseline=known))[1].decision.exit_code == 0
    assert judge(*run(*crashed, fingerprint=OTHER), Judging(baseline=known))[1].decision.exit_code == 1


def test_what_is_no_longer_met_is_told(tmp_path):
    known = baseline(tmp_path, fault(1.0), outcome())
    _, told = judge(*run(outcome()), Judging(baseline=known))
    assert told.judged is not None and told.judged.baseline is not None
    assert told.judged.baseline.gone == ("G0-BAD-001",)


def test_a_known_fault_beside_a_new_one_is_not_said_to_be_gone_and_the_new_one_is_named(tmp_path):
    known = baseline(tmp_path, fault(1.0), outcome())
    _, told = judge(*run(fault(1.0, 2.0), outcome()), Judging(baseline=known))
    assert told.decision.exit_code == 1 and told.judged is not None and told.judged.baseline is not None
    assert told.judged.baseline.gone == ()
    (said,) = told.judged.notes
    assert said.startswith("G0-BAD-001 on a: new, beside what the baseline holds: ") and "t1" in said
    _, skipped = judge(*run(outcome("Skipped", "G0-BAD-001"), outcome()), Judging(baseline=known))
    assert skipped.judged is not None and skipped.judged.baseline is not None and skipped.judged.baseline.gone == ()


def test_what_is_not_proven_is_no_fault_of_a_baseline(tmp_path):
    known = baseline(tmp_path, outcome("Skipped", "G0-BAD-001"), outcome())
    _, told = judge(*run(outcome("Skipped", "G0-BAD-001"), outcome()), Judging(baseline=known))
    assert told.decision.exit_code == 3


@pytest.mark.parametrize("text", ["", "[]", "{", '{"tool": "t"}', '{"faults": 1e999}', "[" * 5000])
def test_a_baseline_that_is_none_is_refused_in_one_line(tmp_path, text):
    (tmp_path / "baseline.json").write_text(text)
    with pytest.raises(Unusable, match=r"baseline\.json"):
        known_from(tmp_path)


def test_nothing_asked_changes_nothing():
    before = run(outcome(), fault(1.0))
    assert judge(*before, Judging()) == before
