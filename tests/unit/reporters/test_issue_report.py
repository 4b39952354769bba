"""A bug report stands by itself: what was run on what, the causes with their numbers, and how to see them again."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from model_contracts.outcome import ArtifactRecord, Cause, Counterexample, FileRecord, Place, Scenario, Subject
from model_contracts.reporters import REPORTERS
from support.outcomes import comparison, outcome, record
from support.qualified import PLAYBOOK, QUANTISED, SLOW, TOKENIZER, answer, conversion, qualified, without_tokenizer

READER = MarkdownIt("commonmark").enable("table")


def issue(outcomes, make=qualified, **changes):
    seen = tuple(outcomes)
    return REPORTERS["issue"](seen, make(seen, **changes), width=80, color=True)


def headings(text):
    tokens = READER.parse(text)
    return [(t.tag, tokens[at + 1].content) for at, t in enumerate(tokens) if t.type == "heading_open"]


def two_causes():
    values = tuple(
        comparison(
            False,
            measure="relative_rmse",
            place=Place(tensor=f"blk.{n}.ffn_down.weight"),
            expected=0.0,
            observed=0.086,
            tolerance=1e-6,
            smallest_passing_tolerance=0.086,
            bound_from="contracts/budgets.yaml:12",
            note="the values fit Q4_K",
        )
        for n in range(3)
    )
    quantised = conversion(
        "F-CONV-S-A", "safetensors", "apr", verdict="Falsified", causes=(QUANTISED,), comparisons=values, violated=28
    )
    gpu = answer("F-A2-001", "gguf", "Skipped", skip_cause="not_owed", reason="no GPU was found")
    return [outcome(), *without_tokenizer(), quantised, gpu]


def test_the_title_is_the_worst_cause_and_the_parts_stand_in_their_order():
    statements = [
        TOKENIZER.statement.replace("tokenizer.ggml.*", "`tokenizer.ggml.*`"),
        QUANTISED.statement.replace("Q4_K", "`Q4_K`"),
    ]
    assert headings(issue(two_causes())) == [
        ("h1", f"Qwen2.5-0.5B: {statements[0]} (and 1 cause more)"),
        ("h2", "Environment"),
        ("h2", f"1. {statements[0]}"),
        ("h2", f"2. {statements[1]}"),
        ("h2", "How it was decided"),
        ("h2", "Not evaluated"),
    ]


def test_the_summary_counts_what_holds_and_what_was_skipped():
    shown = issue(two_causes())
    assert "**1 of 10 hold; 2 causes**: 8 do not hold (8 that must); 1 skipped (1 not owed).\n" in shown
    assert (
        "to the playbook `qualification/tiny` with the converter and the runtimes of `qualification/systems/apr`."
        in shown
    )
    assert "| 1 | the GGUF has no tokenizer: 0 of 4 `tokenizer.ggml.*` keys are there | converter | 7 |\n" in shown


def test_the_environment_names_versions_system_and_digests_but_not_the_machine():
    shown = issue(
        two_causes(), environment={"numpy": "2.1"}, host=outcome().host.model_copy(update={"hostname": "mine"})
    )
    assert "- model-contracts `0.1.0`, definitions `blake3:00`\n" in shown
    assert "- Python `3.11` on `Linux`, `c`\n- libraries: `numpy 2.1`\n" in shown
    assert f"- playbook: `qualification/tiny` `{PLAYBOOK.digest}` (locked)\n" in shown
    assert f"| `tiny-qwen2` | `gguf` | `tiny-qwen2.gguf` | 3,445,856 | `blake3:{'ab' * 32}` |\n" in shown
    assert "mine" not in shown


def test_a_cause_has_its_numbers_its_gates_and_its_command():
    shown = issue(two_causes())
    assert "Suspected component: **converter**.\n" in shown
    assert (
        "| `F-CONV-S-A` | `blk.0.ffn_down.weight` and 2 places more | `relative_rmse` | 0 | 0.086 "
        "| within 1e-06, would pass at 0.086, from `contracts/budgets.yaml:12` |\n\n25 comparisons more do not hold.\n"
    ) in shown
    assert "- Note: the values fit `Q4_K`\n" in shown
    assert (
        "| `F-A1-001` and 6 more | `tiny-qwen2.gguf · tokenizer.ggml.tokens` | `key_present` | true | nothing |  |\n"
        in shown
    )
    assert "Shown by 7 gates:\n\n- `F-A1-001` gguf run/cpu, what the test holds: falsified\n" in shown
    assert f"Smallest reproduction:\n\n```sh\n{TOKENIZER.reproduction}\n```\n" in shown


def test_numbers_of_another_cause_are_not_shown_where_a_gate_has_this_one_alone():
    tokens = comparison(False, measure="key_present")
    both = outcome("Falsified", "G-A-1", causes=(TOKENIZER, QUANTISED), comparisons=(tokens,))
    second = issue([both, *two_causes()]).split("## 2. ")[1]
    assert "relative_rmse" in second and "key_present" not in second


def test_a_long_statement_is_a_short_heading_and_stands_in_full_beneath():
    long = QUANTISED.model_copy(
        update={"statement": f"it quantises unasked: tensor_type at {'x' * 120}: observed Q4_K"}
    )
    shown = issue([outcome("Falsified", causes=(long,))])
    assert shown.startswith("# Qwen2.5-0.5B: it quantises unasked\n")
    assert f"## 1. it quantises unasked\n\n`tensor_type` at {'x' * 120}: observed `Q4_K`\n" in shown


def test_a_chain_of_formats_is_written_out():
    chain = ("safetensors", "apr", "gguf", "apr", "safetensors")
    shown = issue([conversion("F-CONV-RT-003", *chain, verdict="Falsified")])
    assert "- `F-CONV-RT-003` safetensors→apr→gguf→apr→safetensors, what the test holds: falsified\n" in shown


def test_a_cause_of_warnings_is_said_to_close_nothing():
    shown = issue(
        [outcome("Falsified", "F-PERF-001", force="should", causes=(SLOW,), scenario=Scenario(format="gguf"))]
    )
    assert "Suspected component: **runtime**; no gate that must hold is closed.\n" in shown
    assert "- `F-PERF-001` gguf, what the test holds: a warning\n" in shown


def test_the_smallest_input_is_said():
    found = Counterexample(kind="texts", description="the text 'a  b' loses a space")
    assert "Smallest input that shows it: the text 'a b' loses a space\n" in issue(
        [outcome("Falsified", counterexample=found)]
    ).replace("  b", " b")


def test_it_ends_with_the_decision_and_what_was_not_evaluated():
    shown = issue(two_causes(), not_evaluated={"G0-LABEL-001": "left out by --skip"})
    assert "**falsified** (exit 1: a gate that must hold does not), by `F-A1-001`, `F-A3-001`, " in shown
    assert shown.endswith(
        "## Not evaluated\n\n"
        "- Reason: not owed: no GPU was found: F-A2-001 gguf\n"
        "- Reason: left out by --skip: G0-LABEL-001\n"
    )


@pytest.mark.parametrize(("verdict", "word"), [("Corroborated", "1 of 1 hold"), ("Skipped", "0 of 1 hold")])
def test_without_a_cause_the_title_is_how_much_holds(verdict, word):
    assert issue([outcome(verdict)]).startswith(f"# Qwen2.5-0.5B: {word}\n")


def test_the_evidence_of_a_check_is_reported_by_gate_with_its_own_command():
    seen = [outcome(), outcome("Falsified", "G0-CONTAINER-001", title="the container is well-formed")]
    shown = issue(seen, record, command=("contracts", "check", "a model.gguf", "-o", "out"))
    assert "model-contracts held `Qwen2.5-0.5B` (`gguf`) to its contract.\n**1 of 2 hold; 1 cause**: " in shown
    assert "## 1. mean at a.weight: expected 1, observed 1.5\n" in shown
    assert "```sh\ncontracts check 'a model.gguf' --only G0-CONTAINER-001\n```\n" in shown


def test_a_run_of_nothing_is_a_report_too():
    assert issue([], artifacts=()).startswith("# Report: 0 of 0 hold\n")


HOSTILE = (
    "evil` [x](http://a.b) ![y](z) <img src=q onerror=w> | a\\| @user #12 www.c.d \n```\n# KEPT\n- [ ] x\n\x1b[2J\u202e"
)


def test_strings_from_an_artifact_are_no_markup():
    cause = Cause(key=HOSTILE, component="converter", statement=HOSTILE, reproduction=HOSTILE)
    place = Place(tensor=HOSTILE, file=HOSTILE, key=HOSTILE)
    compared = comparison(
        False,
        measure=HOSTILE,
        place=place,
        expected=HOSTILE,
        observed={HOSTILE: [HOSTILE]},
        note=HOSTILE,
        bound_from=HOSTILE,
    )
    fields = {"reason": HOSTILE, "title": HOSTILE, "subject": Subject(name=HOSTILE, path="/x", format=HOSTILE)}
    seen = [
        outcome("Falsified", causes=(cause,), comparisons=(compared,), scenario=Scenario(format=HOSTILE), **fields),
        outcome("Crashed", "G-A-9", counterexample=Counterexample(kind="k", description=HOSTILE), **fields),
        outcome("Skipped", "G-A-8", **fields),
    ]
    artifact = ArtifactRecord(
        name=HOSTILE, path="/x", format=HOSTILE, layout="file", files=(FileRecord(name=HOSTILE, size=1),)
    )
    shown = issue(
        seen,
        artifacts=(artifact,),
        environment={HOSTILE: HOSTILE},
        not_evaluated={HOSTILE: HOSTILE},
        command=("contracts", HOSTILE),
        playbook=PLAYBOOK.model_copy(update={"id": HOSTILE, "system": HOSTILE}),
    )
    tokens = READER.parse(shown)
    inner = [child for token in tokens for child in token.children or ()]
    assert {child.type for child in inner} <= {
        "text",
        "text_special",
        "code_inline",
        "softbreak",
        "strong_open",
        "strong_close",
    }
    assert [token.type for token in tokens if token.type in ("html_block", "code_block", "hr")] == []
    assert sum(token.type == "heading_open" for token in tokens) == 6
    assert sum(token.type == "fence" for token in tokens) == 3
    spoken = " ".join(child.content for child in inner if child.type == "text")
    assert [mark for mark in ("http://", "www.", "@user", "#12", "<img") if mark in spoken] == []
    assert all(line.isprintable() for line in shown.split("\n"))
