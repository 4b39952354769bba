"""The report of a qualification begins with how much holds and for how many causes the rest does not."""

from __future__ import annotations

import re

import pytest

from model_contracts.outcome import Cause, Place, Scenario, Subject
from model_contracts.reporters import REPORTERS
from support.outcomes import comparison, outcome, record
from support.qualified import PLAYBOOK, QUANTISED, SLOW, TOKENIZER, answer, conversion, qualified, without_tokenizer

NO_GPU = {"verdict": "Skipped", "skip_cause": "not_owed", "reason": "no GPU was found"}


def text(outcomes, width=100, color=False, **changes):
    seen = tuple(outcomes)
    return REPORTERS["text"](seen, qualified(seen, **changes), width=width, color=color)


def forty_five():
    """29 that hold; 7 + 2 + 1 that do not, for three causes; 5 not owed and 1 skipped for want of its input."""
    held = [
        answer("F-A1-001", "safetensors", subject=Subject(name=f"m{n}", path=f"/m{n}", format="apr")) for n in range(29)
    ]
    chains = {"F-CONV-S-A": ("safetensors", "apr"), "F-CONV-A-S": ("apr", "safetensors")}
    quantised = [conversion(gate, *chains[gate], verdict="Falsified", causes=(QUANTISED,)) for gate in chains]
    slow = [outcome("Falsified", "F-PERF-001", force="should", causes=(SLOW,), scenario=Scenario(format="gguf"))]
    gpu = [answer(gate, "gguf", **NO_GPU) for gate in ("F-A2-001", "F-A4-001", "F-A6-001")]
    gpu += [answer("F-A2-001", "apr", **NO_GPU), answer("F-A2-001", "safetensors", **NO_GPU)]
    lost = [conversion("F-CONV-RT-004", "apr", "gguf", "apr", verdict="Skipped", reason="the .apr was not written")]
    return [*held, *quantised, *slow, *without_tokenizer(), *gpu, *lost]


def test_the_first_line_says_how_much_holds_and_the_second_what_does_not():
    lines = text(forty_five()).splitlines()
    assert lines[0] == "29 of 45 hold; 3 causes"
    assert lines[1] == "10 do not hold (9 that must, 1 that should) · 6 skipped (1 not proven, 5 not owed)"
    assert lines[2] == "playbook qualification/tiny (locked) · on qualification/systems/apr · collect-all"


def test_where_everything_holds_no_cause_is_spoken_of():
    assert text([outcome()]).splitlines()[0] == "1 of 1 hold"


def test_a_cause_has_its_statement_component_gates_evidence_and_command():
    shown = text(forty_five())
    assert shown.index("\n1. the GGUF has no tokenizer") < shown.index("\n2. 28 of 51") < shown.index("\n3. 3.1 tokens")
    assert (
        """
1. the GGUF has no tokenizer: 0 of 4 tokenizer.ggml.* keys are there
   suspected    converter
   gates (7)    F-A1-001 gguf, F-A3-001 gguf, F-A5-001 gguf, F-CONV-S-G gguf, F-CONV-G-A apr,
                F-CONV-G-S safetensors, F-CONV-RT-001 gguf
   seen by      F-A1-001 gguf run/cpu
                tiny-qwen2.gguf · tokenizer.ggml.tokens
                key_present: missing
                → llama.cpp refuses to load this
   reproduce    contracts check work/tests/tiny-qwen2/gguf/tiny-qwen2.gguf --only G0-TOKENIZER-001
"""
        in shown
    )
    assert "   suspected    runtime (warnings only)\n" in shown


def test_the_headline_names_every_cause_of_what_must_hold():
    head = " ".join(text(forty_five()).split("\n1. ", 1)[0].split())
    assert "causes: the GGUF has no tokenizer; 28 of 51" in head


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_command_is_never_folded(width):
    assert f"   reproduce    {TOKENIZER.reproduction}\n" in text(forty_five(), width=width)


def test_a_gate_is_a_line_with_its_scenario_and_its_cause():
    lines = text([answer("F-A1-001", "apr", reason="11 prompts"), *forty_five()[29:]]).splitlines()
    assert "  ✓ F-A1-001       apr run/cpu          11 prompts" in lines
    assert "  ✗ F-A3-001       gguf chat/cpu        cause 1: 1 violated, 4 compared" in lines
    assert "  ✗ F-CONV-S-A     safetensors→apr      cause 2: 1 violated, 10 compared" in lines
    assert "  ✗ F-CONV-RT-001  gguf→apr→st→gguf     cause 1: 1 violated, 4 compared" in lines
    assert "  ! F-PERF-001     gguf                 cause 3, warning: 1 violated, 10 compared" in lines
    assert "  – F-A2-001       safetensors run/gpu  not owed: no GPU was found" in lines
    assert "  – F-CONV-RT-004  apr→gguf→apr         not proven: the .apr was not written" in lines


def test_a_gate_that_holds_or_was_skipped_is_one_line_whose_title_or_reason_may_be_cut():
    title = "every shape is what the hyper-parameters make it, in every tensor of the family"
    holds = outcome(title=title, reason=f"{title}: 79 compared")
    skipped = outcome(
        "Skipped", "G0-TEST-002", reason="the converter had no answer to this question and said so at length"
    )
    lines = text([holds, skipped], width=80).splitlines()
    rows = [line for line in lines if line.startswith(("  ✓", "  –")) and "G0-TEST" in line][:2]
    assert rows == [
        "  ✓ G0-TEST-001    79 compared · every shape is what the hyper-parameters make…",
        "  – G0-TEST-002    not proven: the converter had no answer to this question and…",
    ]
    assert "said so at length: G0-TEST-002" in " ".join(" ".join(lines).split())


def test_what_a_statement_says_is_not_said_again_beneath_it():
    told = TOKENIZER.model_copy(update={"statement": "it refuses: answer at a.gguf: observed nothing (no tokenizer)"})
    seen = comparison(False, measure="answer", place=Place(file="a.gguf"), note="no tokenizer")
    shown = text([outcome("Falsified", causes=(told,), comparisons=(seen,))])
    assert "   seen by      G0-TEST-001\n                answer: expected 1, observed 1.5\n   reproduce " in shown


def test_the_gates_keep_the_order_of_the_playbook_with_those_of_a_gate_together():
    seen = [answer(gate, form) for form in ("apr", "gguf") for gate in ("F-A3-001", "F-A1-001")]
    rows = re.findall(r"^  ✓ (\S+)  (\S+)", text(seen), re.M)
    assert rows == [("F-A3-001", "apr"), ("F-A3-001", "gguf"), ("F-A1-001", "apr"), ("F-A1-001", "gguf")]


def test_gates_of_a_family_stand_together_with_a_blank_line_between_families():
    gates = ["G0-PULL-001", "F-PERF-001", "G0-FORMAT-APR-001", "F-CONV-S-A", "F-PROFILE-001"]
    table = text([outcome("Corroborated", gate) for gate in gates]).split("Gates\n")[1].split("\nArtifacts")[0]
    assert [line[4:22].strip() for line in table.split("\n")][:7] == [
        "G0-PULL-001", "G0-FORMAT-APR-001", "", "F-PERF-001", "F-PROFILE-001", "", "F-CONV-S-A",
    ]  # fmt: skip


def test_columns_that_do_not_fit_are_named_as_left_to_the_evidence():
    seen = [
        outcome(
            metrics={"tokens_per_second": 3.0, "a_metric_of_a_long_name": 1.0, "another_metric_of_a_long_name": 2.0}
        )
    ]
    assert "another metric of a long name" in text(seen, width=120)
    shown = text(seen, width=80)
    assert "a metric of a long name" in shown and "another" not in shown
    assert "  1 metric more in evidence.json\n" in shown


def test_a_gate_held_twice_in_one_scenario_names_its_artifact():
    subjects = [Subject(name=name, path=f"/{name}", format="gguf") for name in ("plain", "Q4_K_M")]
    shown = text([answer("F-A1-001", "gguf", subject=subject, reason="well") for subject in subjects])
    assert "gguf run/cpu  plain: well\n" in shown and "gguf run/cpu  Q4_K_M: well\n" in shown


def test_a_gate_with_two_causes_names_both():
    both = outcome("Falsified", "G-A-2", causes=(TOKENIZER, QUANTISED))
    shown = text([outcome("Falsified", "G-A-1", causes=(TOKENIZER,)), both])
    assert shown.startswith("0 of 2 hold; 2 causes\n2 do not hold (2 that must)\n")
    assert "✗ G-A-2    cause 1-2: 1 violated, 10 compared\n" in shown


def test_what_was_not_evaluated_stands_under_its_reason_what_is_not_proven_first():
    shown = text(forty_five(), not_evaluated={"G0-LABEL-001": "left out by --skip"})
    assert (
        """
Not evaluated
  – not proven: the .apr was not written: F-CONV-RT-004 apr
  – not owed: no GPU was found: F-A2-001 gguf apr safetensors, F-A4-001 gguf, F-A6-001 gguf
  – left out by --skip: G0-LABEL-001
"""
        in shown
    )


def test_what_was_skipped_for_a_cause_stands_with_it():
    skipped = conversion("F-CONV-RT-004", "apr", "gguf", "apr", verdict="Skipped", causes=(TOKENIZER,))
    assert "   not reached  F-CONV-RT-004 apr\n" in text([*without_tokenizer(), skipped])


def test_the_time_stands_by_gate_largest_first_with_its_share_of_the_run():
    seen = [
        outcome("Corroborated", gate, duration=took) for gate, took in (("G-A-1", 1.0), ("G-A-2", 5.0), ("G-A-1", 2.0))
    ]
    assert """
Where the time went  10.0 s
  G-A-2          5.00 s  50.0%  ████████████
  G-A-1          3.00 s  30.0%  ███████
  between gates  2.00 s  20.0%  █████
""" in text(seen, duration=10.0)


def test_where_gates_ran_side_by_side_the_shares_are_of_their_sum():
    seen = [outcome("Corroborated", gate, duration=6.0) for gate in ("G-A-1", "G-A-2")]
    shown = text(seen, duration=8.0)
    assert "Where the time went  8.0 s, 12.0 s of gates side by side\n" in shown
    assert shown.count(" 50.0% ") == 2 and "between gates" not in shown


def test_the_time_of_many_short_gates_is_summed():
    seen = [outcome("Corroborated", f"G-{n}-1", duration=1.0) for n in range(14)]
    assert "  4 gates more  4.00 s  28.6%  ███████\n" in text(seen, duration=14.0)


def test_metrics_of_a_scenario_are_one_row_with_their_spread():
    speed = {"tokens_per_second": 3.1, "tokens_per_second_min": 2.9, "tokens_per_second_max": 3.4}
    gguf = Scenario(format="gguf")
    seen = [
        outcome("Corroborated", "F-PERF-001", scenario=gguf, metrics=speed),
        outcome("Corroborated", "F-PERF-002", scenario=gguf, metrics={"seconds_to_first_token": 0.2134}),
        outcome("Corroborated", "F-PROFILE-001", scenario=gguf, metrics={"peak_memory_mb": 1412.3}),
        answer("F-A1-001", "apr", metrics={"tokens_per_second": 210.31}),
    ]
    assert """
Measured
  scenario          tokens/s  first token s  memory MB  by
  gguf         3.1 (2.9-3.4)          0.213      1,412  F-PERF-001 +2
  apr run/cpu            210              –          –  F-A1-001
""" in text(seen)


def test_the_decision_stands_last():
    assert text(forty_five()).splitlines()[-1].startswith("FALSIFIED  exit 1 · ")
    assert text([answer("F-A2-001", "gguf", **NO_GPU)]).splitlines()[-1].startswith("NOT PROVEN  exit 3 · ")


def test_a_playbook_that_is_not_the_locked_one_is_said():
    changed = PLAYBOOK.model_copy(update={"lock": "changed"})
    assert "The playbook is not the one that was locked.\n" in text([outcome()], playbook=changed)


def test_a_run_without_a_playbook_has_the_report_of_a_check():
    seen = tuple(without_tokenizer())
    assert REPORTERS["text"](seen, record(seen), width=100, color=False).startswith("FALSIFIED  7 gates: 7 falsified\n")


HOSTILE = "evil\x1b[2J\x07\u202egnp.\u200bname\x9b31m\r\nKEPT  exit 0"


def test_names_from_an_artifact_cannot_steer_a_terminal_nor_write_a_line_of_their_own():
    cause = Cause(key=HOSTILE, component="converter", statement=HOSTILE, reproduction=HOSTILE)
    fields = {"reason": HOSTILE, "subject": Subject(name=HOSTILE, path="/x", format=HOSTILE)}
    seen = [
        outcome(
            "Falsified", causes=(cause,), comparisons=(comparison(False, note=HOSTILE, observed=HOSTILE),), **fields
        ),
        conversion("F-CONV-S-A", HOSTILE, HOSTILE, verdict="Skipped", causes=(cause,), **fields),
        outcome("Crashed", "G-A-9", scenario=Scenario(format=HOSTILE), metrics={HOSTILE: 1.0}, **fields),
    ]
    book = PLAYBOOK.model_copy(update={"id": HOSTILE, "system": HOSTILE, "failure": HOSTILE})
    shown = text(seen, playbook=book, not_evaluated={HOSTILE: HOSTILE}, command=("-o", HOSTILE))
    assert [line for line in shown.split("\n") if not line.isprintable() or line.startswith("KEPT")] == []


def test_colours_are_ansi_and_only_where_they_are_wanted():
    plain, coloured = text(forty_five()), text(forty_five(), color=True)
    assert "\x1b" not in plain and "\x1b[31m✗\x1b[0m" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == plain


@pytest.mark.parametrize("width", [80, 100, 120])
def test_lines_fit_the_width_except_commands(width):
    lines = [line for line in text(forty_five(), width=width).splitlines() if not line.startswith("   reproduce ")]
    assert [line for line in lines if len(line) > width] == []
