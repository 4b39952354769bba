"""What does not hold is grouped under what it followed from; what was skipped is never counted as holding."""

from __future__ import annotations

import pytest

from model_contracts.outcome import Cause
from model_contracts.reporters.causes import causes, counts, reproduction, tally
from support.outcomes import comparison, outcome, record
from support.qualified import QUANTISED, SLOW, TOKENIZER, answer, conversion, without_tokenizer


def test_seven_gates_that_followed_from_one_missing_tokenizer_are_one_cause():
    seen = (outcome(), *without_tokenizer())
    (group,) = causes(seen)
    assert (group.key, group.component, len(group.outcomes)) == ("converter/tokenizer", "converter", 7)
    assert [o.gate_id for o in group.outcomes] == [
        "F-A1-001", "F-A3-001", "F-A5-001", "F-CONV-S-G", "F-CONV-G-A", "F-CONV-G-S", "F-CONV-RT-001",
    ]  # fmt: skip
    assert tally(seen, (group,)) == "1 of 8 hold; 1 cause"


def test_a_gate_with_two_causes_stands_under_both_and_is_counted_once():
    both = outcome("Falsified", "G-A-2", causes=(TOKENIZER, QUANTISED))
    seen = (outcome("Falsified", "G-A-1", causes=(TOKENIZER,)), both)
    groups = causes(seen)
    assert [(g.key, len(g.outcomes)) for g in groups] == [
        ("converter/tokenizer", 2),
        ("converter/silent-quantisation", 1),
    ]
    assert counts(seen) == ("2 do not hold (2 that must)", "")
    assert tally(seen, groups) == "0 of 2 hold; 2 causes"


def test_what_a_must_followed_from_comes_before_more_gates_that_only_should_hold():
    warned = [outcome("Falsified", f"F-PERF-{n}", force="should", causes=(SLOW,)) for n in range(3)]
    groups = causes([*warned, outcome("Falsified", causes=(QUANTISED,)), *without_tokenizer()])
    assert [(g.key, g.must) for g in groups] == [
        ("converter/tokenizer", True),
        ("converter/silent-quantisation", True),
        ("runtime/slow", False),
    ]


def test_an_outcome_without_a_cause_is_grouped_under_its_own_gate():
    one, two, other = outcome("Falsified", "G-A-1"), outcome("Falsified", "G-A-1"), outcome("Crashed", "G-A-2")
    groups = causes([one, other, two])
    assert [(g.key, g.component, len(g.outcomes)) for g in groups] == [
        ("gate/G-A-1", "unknown", 2),
        ("gate/G-A-2", "unknown", 1),
    ]
    assert groups[0].statement == "mean at a.weight: expected 1, observed 1.5 (and 1 more)"
    assert groups[1].statement == "crashed: Crashed because of the test"


def test_an_error_is_suspected_in_the_checker():
    (group,) = causes([outcome("Error", "G-A-1")])
    assert (group.component, counts(group.outcomes)[0]) == ("checker", "1 does not hold (1 in error)")


@pytest.mark.parametrize("cause", ["not_owed", "missing_input"])
def test_a_skip_neither_holds_nor_is_a_cause_of_its_own(cause):
    seen = (outcome(), outcome("Skipped", skip_cause=cause, causes=(TOKENIZER,)))
    assert (causes(seen), tally(seen, ())) == ((), "1 of 2 hold")
    assert counts(seen)[1] == f"1 skipped (1 {'not owed' if cause == 'not_owed' else 'not proven'})"


def test_what_was_skipped_for_a_cause_stands_with_it_and_is_not_counted():
    skipped = conversion("F-CONV-RT-004", "apr", "gguf", "apr", verdict="Skipped", causes=(TOKENIZER,))
    (group,) = causes([*without_tokenizer(), skipped])
    assert (len(group.outcomes), group.followed) == (7, (skipped,))


def test_a_cause_is_shown_by_the_gate_that_has_no_other_and_by_its_furthest_comparison():
    near, far = (
        comparison(False, tolerance=0.1, smallest_passing_tolerance=passing, observed=passing) for passing in (0.2, 0.9)
    )
    both = outcome("Falsified", "G-A-1", causes=(QUANTISED, TOKENIZER))
    alone = outcome("Falsified", "G-A-2", causes=(QUANTISED,), comparisons=(near, far), violated=2)
    group = next(g for g in causes([both, alone]) if g.key == QUANTISED.key)
    assert group.shown == (alone, far)


def test_a_cause_is_shown_by_the_comparison_that_its_statement_speaks_of():
    cause = QUANTISED.model_copy(update={"statement": "it quantises unasked: tensor_type: expected F32, observed Q4_K"})
    far = comparison(False, tolerance=0.1, smallest_passing_tolerance=9.0)
    other = outcome("Falsified", "G-A-1", causes=(cause,), comparisons=(far,))
    typed = comparison(False, measure="tensor_type")
    named = outcome("Falsified", "G-A-2", causes=(cause, TOKENIZER), comparisons=(far, typed), violated=2)
    group = next(g for g in causes([other, named]) if g.key == cause.key)
    assert group.shown == (named, typed)


def test_of_two_causes_with_one_measure_each_is_shown_by_what_it_observed():
    narrow, wide = (
        QUANTISED.model_copy(update={"key": kind, "statement": f"types: tensor_type: expected BF16, observed {kind}"})
        for kind in ("Q4_K", "F32")
    )
    seen = tuple(
        comparison(False, measure="tensor_type", expected="BF16", observed=kind) for kind in ("Q4_K", "F32", "F32")
    )
    both = outcome("Falsified", causes=(narrow, wide), comparisons=seen, violated=3)
    told = {group.key: [c.observed for _, c in group.telling] for group in causes([both])}
    assert told == {"Q4_K": ["Q4_K"], "F32": ["F32", "F32"]}


def test_a_cause_without_comparisons_is_shown_by_its_outcome():
    crashed = outcome("Crashed", causes=(TOKENIZER,))
    assert causes([crashed])[0].shown == (crashed, None)


def test_the_first_reproduction_that_an_outcome_has_is_the_causes():
    bare = TOKENIZER.model_copy(update={"reproduction": None})
    group = causes([outcome("Falsified", causes=(bare,)), outcome("Falsified", causes=(TOKENIZER,))])[0]
    assert reproduction(group, record(group.outcomes)) == TOKENIZER.reproduction


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("check", "a b.gguf", "-o", "out", "--skip=G-B-1"), "contracts check 'a b.gguf' --only G0-TEST-001"),
        (("check", "m", "-oout", "--only", "G0-*"), "contracts check m --only G0-TEST-001"),
        (
            ("qualify", "tiny", "--no-gpu", "--workers", "2", "--resume", "--keep"),
            "contracts qualify tiny --no-gpu --only G0-TEST-001",
        ),
        (("check", "m", "--against", "s"), "contracts check m --against s --only G0-TEST-001"),
        (("convert", "s", "t", "--dtype", "Q8_0"), "contracts convert s t --dtype Q8_0"),
    ],
)
def test_a_cause_without_a_reproduction_has_the_runs_own_command_for_its_gate(words, shown):
    seen = (outcome("Falsified"),)
    assert reproduction(causes(seen)[0], record(seen, command=("contracts", *words))) == shown


def test_the_order_of_a_run_does_not_lose_an_outcome():
    seen = [
        answer("F-A1-001", "gguf", "Timeout", causes=(Cause(key="k", component="runtime", statement="s"),)),
        outcome(),
    ]
    assert [o.outcome for o in causes(seen)[0].outcomes] == ["Timeout"]
