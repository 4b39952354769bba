"""Two runs compared: which gates changed, and what changed under them."""

from __future__ import annotations

import json

import pytest

from model_contracts.outcome import ArtifactRecord, Excuse, FileRecord, Scenario, Subject
from model_contracts.reporters.difference import Change, difference
from model_contracts.reporters.difference_report import DIFFERENCES
from support.outcomes import HOST, comparison, outcome, record
from support.qualified import PLAYBOOK, QUANTISED, TOKENIZER, answer, qualified

OLD = "blake3:" + "11" * 32
NEW = "blake3:" + "22" * 32


def side(*outcomes, **changes):
    return outcomes, qualified(outcomes, **changes)


def text(old, new, width=100, color=False):
    return DIFFERENCES["text"](difference(old, new), width=width, color=color)


def as_json(old, new):
    return json.loads(DIFFERENCES["json"](difference(old, new), width=80, color=True))


def artifact(name="m", format="gguf", **file):
    return ArtifactRecord(
        name=name, path="/x", format=format, layout="file", files=(FileRecord(**{"name": "m.gguf", "size": 9, **file}),)
    )


BROKEN = answer("F-A1-001", "gguf", "Falsified", causes=(TOKENIZER,))
MENDED = answer("F-A1-001", "gguf", reason="11 prompts")


def test_a_run_beside_itself_is_one_in_which_nothing_changed():
    run = side(outcome(), BROKEN)
    assert text(run, run) == (
        "Nothing changed: 2 gates came to the same outcomes on the same things\n"
        "  before  2025-01-01T00:00:00Z  falsified, 1 of 2 hold\n"
        "  now     2025-01-01T00:00:00Z  falsified, 1 of 2 hold\n"
        "\n"
        "Under them\n"
        "  nothing changed: artifacts, definitions, playbook, tool, environment, host\n"
        "\n"
        "FALSIFIED  exit 1\n"
    )
    told = as_json(run, run)
    assert told["nothing_changed"] is True and (told["changed"], told["under"], told["not_known"]) == ([], [], [])


def test_the_order_of_gates_and_the_ids_and_durations_of_outcomes_are_no_change():
    again = answer("F-A1-001", "gguf", "Falsified", causes=(TOKENIZER,), duration=9.0)
    assert difference(side(outcome(), BROKEN), side(again, outcome())).nothing


def test_a_gate_that_changed_is_said_with_what_it_was_and_is():
    shown = text(side(outcome(), BROKEN), side(outcome(), MENDED))
    assert shown.startswith("Gates: 1 changed; 1 holds now\n")
    assert "falsified, 1 of 2 hold\n" in shown and "kept, 2 of 2 hold\n" in shown
    assert "\nChanged\n  ✓ F-A1-001  gguf run/cpu  Falsified → Corroborated: 11 prompts\n\nUnder them\n" in shown
    assert shown.endswith("KEPT  exit 0\n")


def test_a_gate_that_no_longer_holds_is_counted_as_such():
    assert text(side(MENDED), side(BROKEN)).startswith("Gates: 1 changed; 1 no longer holds\n")


def test_gates_are_told_apart_by_scenario_and_by_the_name_of_their_subject():
    other = Subject(name="Q4_K_M", path="/q", format="gguf")
    old = side(MENDED, answer("F-A1-001", "apr"), answer("F-A1-001", "gguf", subject=other))
    new = side(MENDED, answer("F-A1-001", "apr"), answer("F-A1-001", "gguf", "Falsified", subject=other))
    told = difference(old, new)
    assert [(a.subject.name, a.outcome, b.outcome) for a, b in told.changed] == [
        ("Q4_K_M", "Corroborated", "Falsified")
    ]
    assert "✗ F-A1-001  gguf run/cpu Q4_K_M  Corroborated → Falsified" in text(old, new)


def test_gates_alike_in_all_three_are_compared_in_their_order():
    old, new = side(MENDED, BROKEN, MENDED), side(MENDED, MENDED)
    told = difference(old, new)
    assert (len(told.changed), len(told.gone), len(told.added)) == (1, 1, 0)


def test_gates_that_are_new_and_gone_are_said_and_why_where_the_run_says_so():
    old, new = side(BROKEN, outcome()), side(outcome(), outcome("Corroborated", "G-A-9", reason="5 compared"))
    new[1].not_evaluated["F-A1-001"] = "left out by --skip"
    shown = text(old, new)
    assert shown.startswith("Gates: 1 new, 1 gone\n")
    assert "\nNew\n  ✓ G-A-9  Corroborated: 5 compared\n" in shown
    assert "  ✗ F-A1-001  gguf run/cpu  was Falsified; now left out by --skip\n" in shown


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            outcome("Skipped", skip_cause="not_owed"),
            outcome("Skipped", skip_cause="missing_input", reason="no .apr"),
            "Skipped (not owed) → Skipped (missing input): no .apr",
        ),
        (
            outcome("Falsified", force="should"),
            outcome("Falsified", reason="2 of 9"),
            "Falsified (should) → Falsified (must): 2 of 9",
        ),
    ],
)
def test_another_reason_to_skip_and_another_force_are_changes(old, new, said):
    assert said in text(side(old), side(new))


def test_the_same_outcome_from_other_counts_or_causes_is_said_apart():
    old = side(outcome("Falsified", causes=(TOKENIZER,)), outcome("Corroborated", "G-A-2"))
    two = (comparison(False), comparison(False))
    new = side(
        outcome("Falsified", causes=(QUANTISED,), violated=2, comparisons=two),
        outcome("Corroborated", "G-A-2", compared=12),
    )
    shown = text(old, new, width=120)
    assert shown.startswith("No gate changed\n")
    assert (
        """
Same outcome, other counts or causes
  ✗ G0-TEST-001  Falsified: 2 violated, was 1; converter/silent-quantisation, was converter/tokenizer
  ✓ G-A-2        Corroborated: 12 compared, was 10
"""
        in shown
    )


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ({"definitions": {"a/b": OLD}}, {"definitions": {"a/b": NEW}}, Change("definition", "a/b", OLD, NEW)),
        ({"definitions": {"a/b": OLD}}, {"definitions": {}}, Change("definition", "a/b", OLD, None)),
        ({"environment": {}}, {"environment": {"gguf": "0.17"}}, Change("environment", "gguf", None, "0.17")),
        ({"version": "0.1.0"}, {"version": "0.2.0"}, Change("tool", "model-contracts", "0.1.0", "0.2.0")),
        ({"seed": 7}, {"seed": None}, Change("seed", "--seed", "7", None)),
        ({}, {"host": HOST.model_copy(update={"cpu": "arm"})}, Change("host", "cpu", "c", "arm")),
        (
            {},
            {"playbook": PLAYBOOK.model_copy(update={"digest": NEW})},
            Change("playbook", "digest", PLAYBOOK.digest, NEW),
        ),
        (
            {"artifacts": (artifact(digest=OLD),)},
            {"artifacts": (artifact(digest=NEW),)},
            Change("artifact", "m gguf m.gguf", OLD, NEW),
        ),
        (
            {"artifacts": (artifact(size=8),)},
            {"artifacts": (artifact(digest=NEW),)},
            Change("artifact", "m gguf m.gguf", "8 bytes", "9 bytes"),
        ),
        (
            {"artifacts": ()},
            {"artifacts": (artifact(digest=NEW),)},
            Change("artifact", "m gguf m.gguf", None, NEW),
        ),
    ],
)  # fmt: skip
def test_what_changed_under_the_gates_is_named(old, new, change):
    told = difference(side(outcome(), **old), side(outcome(), **new))
    assert told.under == (change,) and not told.nothing and told.unknown == ()


def test_a_qualification_beside_a_check_has_another_playbook():
    old = (outcome(),)
    kinds = {(change.kind, change.name) for change in difference((old, record(old, artifacts=())), side(*old)).under}
    assert ("playbook", "digest") in kinds


def test_bytes_that_were_not_digested_are_not_called_the_same():
    run = side(outcome(), artifacts=(artifact(),))
    told = difference(run, side(outcome(), artifacts=(artifact(digest=NEW),)))
    assert (told.under, told.unknown) == ((), ("m gguf m.gguf",))
    assert "  not known, for want of a digest: m gguf m.gguf\n" in text(run, run)


def test_the_text_shortens_digests_and_long_lists_and_json_does_not():
    old = side(outcome(), definitions={f"a/{n:02}": OLD for n in range(25)})
    new = side(outcome(), definitions={f"a/{n:02}": NEW for n in range(25)})
    shown = text(old, new)
    assert "  definition  a/00        blake3:1111111111111111 → blake3:2222222222222222\n" in shown
    assert "  definition  and 5 more\n" in shown and "a/20" not in shown
    told = as_json(old, new)["under"]
    assert len(told) == 25 and told[24] == {"kind": "definition", "name": "a/24", "old": OLD, "new": NEW}


def test_json_has_both_sides_of_a_gate():
    told = as_json(side(BROKEN), side(MENDED, outcome()))
    scenario = {"format": "gguf", "modality": "run", "backend": "cpu", "chain": []}
    (changed,) = told["changed"]
    assert (changed["gate_id"], changed["scenario"], changed["subject"]) == ("F-A1-001", scenario, "Qwen2.5-0.5B")
    assert (changed["old"]["outcome"], changed["old"]["causes"]) == ("Falsified", ["converter/tokenizer"])
    assert (changed["new"]["outcome"], changed["new"]["reason"]) == ("Corroborated", "11 prompts")
    assert (told["hold"], told["gates"]) == ({"old": 0, "new": 2}, {"old": 1, "new": 2})
    assert told["decision"]["old"]["exit_code"] == 1 and told["decision"]["new"]["word"] == "kept"
    assert [gate["gate_id"] for gate in told["new"]] == ["G0-TEST-001"] and told["gone"] == []


def test_names_cannot_steer_a_terminal():
    hostile = "evil\x1b[2J\u202e\r\nKEPT  exit 0"
    fields = {"reason": hostile, "subject": Subject(name=hostile, path="/x", format=hostile)}
    old = side(outcome("Falsified", scenario=Scenario(format=hostile), **fields), outcome("Crashed", "G-A-2", **fields))
    new = side(
        outcome(scenario=Scenario(format=hostile), **fields),
        environment={hostile: hostile},
        artifacts=(artifact(name=hostile),),
        definitions={hostile: f"blake3:{hostile}"},
    )
    new[1].not_evaluated["G-A-2"] = hostile
    lines = text(old, new).split("\n")
    assert [line for line in lines if not line.isprintable()] == []
    assert [line for line in lines if line.startswith("KEPT")] == ["KEPT  exit 0"]


def test_a_fault_that_has_an_owner_now_is_a_change():
    excuse = Excuse(by="waiver", source="w:1", reason="agreed", owner="alice", expires="2030-01-01")
    old, new = side(outcome("Falsified"), outcome()), side(outcome("Falsified", excused=excuse), outcome())
    assert "Falsified (not excused) → Falsified (excused)" in text(old, new)
