"""The report for people: the verdict first and last, a line a gate, numbers, reasons, nothing a terminal obeys."""

from __future__ import annotations

import re

import pytest

from model_contracts.outcome import ArtifactRecord, Figures, FileRecord, Place, Subject, Uncompared
from model_contracts.reporters import REPORTERS, verdicts
from support.outcomes import comparison, outcome, record

SOURCE = Subject(name="Qwen2.5-0.5B-src", path="/m/src", format="safetensors")
TARGET = Subject(name="Qwen2.5-0.5B", path="/m/Qwen2.5-0.5B", format="gguf", against=SOURCE)
ARTIFACT = ArtifactRecord(
    name="Qwen2.5-0.5B",
    path="/m/Qwen2.5-0.5B",
    format="gguf",
    layout="file",
    files=(FileRecord(name="a.gguf", size=12_345_678, digest="blake3:" + "ab" * 32),),
    sidecars={"config": "config.json"},
    notes=("the footer is missing",),
)


def text(outcomes, width=100, color=False, **changes):
    return REPORTERS["text"](tuple(outcomes), record(tuple(outcomes), **changes), width=width, color=color)


def worst(count, **changes):
    return outcome(
        "Falsified",
        "G-A-2",
        violated=count,
        comparisons=tuple(
            comparison(
                False,
                measure="row_cosine",
                place=Place(tensor=f"blk.{n}.attn_k.weight", row=n),
                tolerance=0.02,
                smallest_passing_tolerance=0.1 + n / 100,
            )
            for n in range(count)
        ),
        **changes,
    )


@pytest.mark.parametrize(
    ("outcomes", "word", "code"),
    [
        ([outcome()], "KEPT", 0),
        ([outcome("Falsified")], "FALSIFIED", 1),
        ([outcome("Skipped")], "NOT PROVEN", 3),
        ([outcome("Error")], "CHECKER BROKEN", 4),
        ([], "NOT PROVEN", 3),
    ],
)
def test_the_verdict_stands_first_and_last(outcomes, word, code):
    lines = text(outcomes).splitlines()
    assert lines[0].startswith(f"{word}  ") and lines[-1].startswith(f"{word}  exit {code} ")


def test_an_artifact_is_named_with_its_format_size_digest_and_what_it_took():
    lines = text([outcome()], artifacts=(ARTIFACT,)).splitlines()
    assert lines[2] == "Qwen2.5-0.5B  gguf · 1 file · 12,345,678 bytes · blake3:abababababababab"
    assert lines[3] == "  took config.json"
    assert "  · the footer is missing" in lines


def test_a_pair_names_its_source_and_stands_in_one_section():
    shown = text([outcome("Corroborated", "G-A-1"), outcome("Corroborated", "G-A-2", subject=TARGET)])
    assert shown.count("Qwen2.5-0.5B  gguf") == 1
    assert "against Qwen2.5-0.5B-src  safetensors" in shown


def test_two_artifacts_have_a_section_each():
    other = Subject(name="other", path="/m/other", format="apr")
    lines = text([outcome("Corroborated", "G-A-1"), outcome("Corroborated", "G-A-1", subject=other)]).splitlines()
    heads = ["Qwen2.5-0.5B  gguf", "other  apr"]
    assert [line for line in lines if line in heads] == heads


@pytest.mark.parametrize(
    ("shown", "line"),
    [
        (
            outcome("Corroborated", "G-A-1", reason="290 tensors, 494,032,768 compared"),
            "✓ G-A-1  290 tensors, 494,032,768",
        ),
        (outcome("Skipped", "G-A-1", skip_cause="not_owed", reason="no experts"), "– G-A-1  not owed: no experts"),
        (outcome("Skipped", "G-A-1", reason="no tokenizer"), "– G-A-1  not proven: no tokenizer"),
        (outcome("Error", "G-A-1", reason="KeyError: x"), "! G-A-1  the checker failed: KeyError: x"),
        (outcome("Crashed", "G-A-1", reason="signal 6"), "✗ G-A-1  crashed: signal 6"),
        (
            outcome("Falsified", "G-A-1"),
            "✗ G-A-1  falsified: what the test holds: 1 comparison does not hold (10 compared)",
        ),
        (outcome("Falsified", "G-A-1", force="should"), "! G-A-1  warning: what the test holds: 1 comparison"),
    ],
)
def test_a_gate_is_one_line_with_its_mark(shown, line):
    assert any(found.startswith(f"  {line}") for found in text([shown]).splitlines())


def test_the_worst_five_comparisons_stand_with_their_numbers_and_the_rest_is_counted():
    shown = text([worst(8)])
    rows = [int(row) for row in re.findall(r"^      blk\.\d\.attn_k\.weight · row (\d)", shown, re.MULTILINE)]
    assert rows == [7, 6, 5, 4, 3]
    assert "row_cosine: expected 1, observed 1.5, tolerance 0.02, would pass at 0.17" in shown
    assert "      and 3 more" in shown


def test_a_note_and_the_origin_of_a_bound_are_said():
    noted = comparison(False, note="the rows fit when permuted", bound_from="invariants/I-4.yaml:20")
    shown = text([outcome("Falsified", comparisons=(noted,))])
    assert "→ the rows fit when permuted" in shown and "[invariants/I-4.yaml:20]" in shown


def test_gates_that_were_left_out_stand_with_their_reason():
    shown = text([outcome()], not_evaluated={"G-B-1": "left out by --skip", "G-B-2": "left out by --skip"})
    assert "Not evaluated\n  – left out by --skip: G-B-1, G-B-2\n" in shown


def test_the_command_that_shows_more_names_the_gate_and_the_directory():
    assert "  contracts explain G-A-2\n  contracts report out\n" in text(
        [worst(1)], command=("contracts", "check", "m", "-o", "out")
    )
    assert "-o DIR keeps the evidence" in text([worst(1)])


def test_the_gates_that_decided_stand_before_the_verdict():
    assert text([outcome(), worst(1)]).splitlines()[-2] == "decided by G-A-2"


HOSTILE = "evil\x1b[2J\x07\u202egnp.\u200bname\x9b31m\r\nOK"


def test_names_from_an_artifact_cannot_steer_a_terminal():
    hostile = outcome(
        "Falsified",
        reason=HOSTILE,
        comparisons=(
            comparison(
                False,
                place=Place(tensor=HOSTILE, file=HOSTILE, key=HOSTILE),
                expected=HOSTILE,
                observed={HOSTILE: [HOSTILE]},
                note=HOSTILE,
            ),
        ),
        subject=Subject(name=HOSTILE, path="/x", format="gguf"),
    )
    named = ARTIFACT.model_copy(update={"name": HOSTILE, "notes": (HOSTILE,), "sidecars": {"config": HOSTILE}})
    crashed = outcome("Crashed", "G-A-9", reason=HOSTILE)
    shown = text([hostile, crashed], artifacts=(named,), not_evaluated={"G-B-1": HOSTILE}, command=("-o", HOSTILE))
    assert [line for line in shown.split("\n") if not line.isprintable()] == []
    assert r"evil\x1b[2J\x07\u202egnp.\u200bname\x9b31m\r\nOK" in shown


def test_colours_are_ansi_and_only_where_they_are_wanted():
    plain, coloured = text([worst(1)]), text([worst(1)], color=True)
    assert "\x1b" not in plain
    assert "\x1b[31m✗\x1b[0m" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == plain


@pytest.mark.parametrize("width", [60, 80, 140])
def test_lines_fit_the_width_unless_a_name_is_longer(width):
    long = outcome("Skipped", reason="there is no tokenizer beside the weights and none inside, " * 5)
    shown = text([long, worst(6)], width=width, artifacts=(ARTIFACT,))
    assert [line for line in shown.splitlines() if len(line) > width and " " in line.strip()] == []


MATRIX = "blk.0.attn_q.weight"


def values(note=None, measure="relative_rmse", tensor=MATRIX, gate="F-CONTRACT-I4-002", **changes):
    """A gate of values with one comparison that does not hold."""
    one = comparison(
        False,
        measure=measure,
        place=Place(file="q.gguf", tensor=tensor),
        tolerance=0.1,
        smallest_passing_tolerance=1.43,
        note=note,
    )
    return outcome("Falsified", gate, comparisons=(one,), **changes)


def test_moments_stand_after_the_explanation_of_the_same_tensors_and_are_no_cause():
    rival = "rows not permuted (Q/K) explains it: relative RMSE 1.43 as declared, 0.0766 so"
    shown = text([values(measure="mean", gate="F-CONTRACT-I4-001"), values(rival)])
    lines = shown.splitlines()
    assert lines[1] == "Likely cause"
    assert lines[2].startswith(f"  → rows not permuted (Q/K) explains {MATRIX}: relative RMSE 1.43 as declared, 0.0766")
    assert shown.index(rival) < shown.index("mean: expected 1")
    assert shown.index("✗ F-CONTRACT-I4-001  falsified") < shown.index("✗ F-CONTRACT-I4-002  falsified")


def test_a_cause_never_swallows_another_and_the_one_that_makes_a_model_useless_is_first():
    narrowed = outcome("Falsified", "F-CONTRACT-I3-004", comparisons=(comparison(False, measure="tensor_type"),))
    lines = text([narrowed, values("rows not permuted explains it: 1.43 as declared, 0.08 so")]).splitlines()
    assert lines[1] == "Likely causes"
    assert lines[2].startswith("  → rows not permuted explains") and "(F-CONTRACT-I4-002)" in " ".join(lines[2:4])
    assert any(line.startswith("  → tensor_type at a.weight") for line in lines[:6])


def test_where_all_holds_no_cause_is_spoken_of():
    assert "Likely" not in text([outcome()]) + text([values(force="should")])


def test_what_is_not_there_is_missing():
    lost = comparison(False, measure="tensor_missing", expected="a tensor in the target", observed=None)
    flag = comparison(False, measure="tokenizer_present", expected=1, observed=0)
    shown = text([outcome("Falsified", comparisons=(lost,)), outcome("Falsified", "G-A-2", comparisons=(flag,))])
    assert "tensor_missing: expected a tensor in the target, missing" in shown
    assert "tokenizer_present: missing" in shown and "observed 0" not in shown


def gap(count, reason="the source's bytes are not there", **place):
    return Uncompared(place=Place(**place), count=count, reason=reason)


def test_what_was_not_compared_is_counted_on_the_line_of_the_gate_and_its_places_stand_beneath():
    missed = (gap(60, tensor="a"), gap(30, tensor="b"), gap(10, "no decoder", tensor="c"))
    shown = text([outcome("Skipped", "G-A-1", skip_cause="incomplete", owed=1150, compared=1000, uncompared=missed)])
    assert "  – G-A-1  not proven: what the test holds: 1,000 of 1,150 compared\n" in shown
    assert "      not compared: the source's bytes are not there\n        a  60 values\n        b  30 values\n" in shown
    assert "      not compared: no decoder\n        c  10 values\n      and 50 values more that were not" in shown


def test_a_gate_that_is_falsified_and_incomplete_says_both():
    shown = text([outcome("Falsified", "G-A-1", owed=40, compared=10, uncompared=(gap(30, tensor="a"),))])
    assert "1 comparison does not hold (10 of 40 compared; incomplete)" in " ".join(shown.split())
    assert "        a  30 values" in shown


def several():
    other = Subject(name="other", path="/m/other-Q4_K_M.gguf", format="gguf")
    close = comparison(place=Place(tensor="b"), measure="gain", tolerance=0.1, smallest_passing_tolerance=0.05)
    return [outcome(comparisons=(close,)), values(subject=other), outcome("Falsified", "G-A-9", subject=other)]


def test_the_verdict_of_each_of_several_files_stands_first_in_one_table():
    record_of = ArtifactRecord(
        name="other",
        path="/m/other-Q4_K_M.gguf",
        format="gguf",
        layout="file",
        files=(FileRecord(name="other-Q4_K_M.gguf", size=5_000_000),),
        elements=8_000_000,
        tensor_bytes=4_900_000,
    )
    lines = text(several(), width=140, artifacts=(record_of,)).splitlines()
    assert lines[2].split() == ["file", "size", "bits/weight", "verdict", "decided", "by", "worst"]
    assert lines[3].split() == ["Qwen2.5-0.5B", "kept", *["gain", "0.05", "of", "0.1", "·", "b"]]
    row = [
        "other-Q4_K_M.gguf",
        "5",
        "MB",
        "4.90",
        "falsified",
        "F-CONTRACT-I4-002",
        "+1",
        "relative_rmse",
        "1.43",
        "of",
        "0.1",
        "·",
    ]
    assert lines[4].split() == [*row, MATRIX]
    narrow = text(several(), width=80, artifacts=(record_of,)).splitlines()
    assert f"  relative_rmse 1.43 of 0.1 · {MATRIX}" in narrow[:8]


def test_quiet_prints_the_verdict_lines_only():
    seen = tuple(several())
    assert verdicts(seen, record(seen), width=80, color=False).splitlines() == [
        "KEPT  Qwen2.5-0.5B",
        "FALSIFIED  other-Q4_K_M.gguf",
        "FALSIFIED  3 gates: 1 kept, 2 falsified",
    ]
    assert verdicts(seen[:1], record(seen[:1]), width=80, color=False) == "KEPT  1 gate: 1 kept\n"


def release(*verdicts_of, width=80):
    """A report of as many files, each with three gates that hold or are not owed and one with its verdict."""
    subjects = [Subject(name=f"tiny-model-Q{at}_K_M", path=f"/m/tiny-Q{at}_K_M.gguf", format="gguf") for at in range(9)]
    own = [
        one.model_copy(update={"subject": subject})
        for subject, verdict in zip(subjects, verdicts_of, strict=False)
        for one in (outcome(), outcome(gate="G0-TEST-002"), outcome("Skipped", "G-N-3", skip_cause="not_owed"), verdict)
    ]
    figures = Figures(
        tensors=9, mean_relative_rmse=0.00321, worst_relative_rmse=0.0777, worst_tensor="blk.0.ffn_up.weight"
    )
    records = [
        ArtifactRecord(
            name=one.name, path=one.path, format="gguf", layout="file", files=(FileRecord(name="a", size=1),),
            label="Q4_K_M", elements=8_000_000, tensor_bytes=5_000_000, figures=figures,
        )
        for one in subjects[: len(verdicts_of)]
    ]  # fmt: skip
    return text(own, width=width, artifacts=tuple(records)).splitlines()


def test_the_table_of_several_files_fits_a_narrow_terminal_and_still_says_what_decided():
    for width in (80, 100, 120):
        lines = release(outcome(gate="G-K-1"), worst(1), width=width)
        assert max(map(len, lines)) <= width, width
        head = next(line for line in lines if line.startswith("file "))
        assert ("decided by" in head) == (width > 80)
        assert any(line.startswith("  by G-A-2") for line in lines) == (width == 80)
    assert not any("decided by" in line for line in release(outcome(gate="G-K-1"), outcome(gate="G-K-1"), width=120))


def test_of_several_files_gates_that_hold_are_counted_and_those_that_do_not_are_told():
    lines = release(outcome(gate="G-K-1"), worst(1))
    assert sum("G0-TEST-002" in line for line in lines) == 0
    assert [line.strip() for line in lines if " gates kept" in line and line.startswith("  ✓")] == [
        "✓ 3 gates kept: 30 compared",
        "✓ 2 gates kept: 20 compared",
    ]
    assert sum(line.startswith("  – 1 gate not owed") for line in lines) == 2
    assert any(line.startswith("  ✗ G-A-2  falsified") for line in lines)
    assert "  --report markdown lists every gate of every file" in lines
    assert any("G0-TEST-002" in line for line in text([outcome(), outcome(gate="G0-TEST-002")]).splitlines())
