"""The decision: one row of the table a test, and what can never change it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_contracts.decision import decide
from model_contracts.outcome import Excuse, Terms
from support.outcomes import outcome

KEPT = outcome("Corroborated", "G-A-1")
FALSIFIED = outcome("Falsified", "G-A-2")
CRASHED = outcome("Crashed", "G-A-3")
TIMEOUT = outcome("Timeout", "G-A-4")
ERROR = outcome("Error", "G-A-5")
UNPROVEN = outcome("Skipped", "G-A-6")
NOT_OWED = outcome("Skipped", "G-A-7", skip_cause="not_owed")
WARNED = outcome("Falsified", "G-A-8", force="should")
SHOULD_KEPT = outcome("Corroborated", "G-A-9", force="should")
SHOULD_UNPROVEN = outcome("Skipped", "G-A-10", force="should")
SHOULD_ERROR = outcome("Error", "G-A-11", force="should")


@pytest.mark.parametrize(
    ("outcomes", "code", "word", "decided_by"),
    [
        ((KEPT,), 0, "kept", ("G-A-1",)),
        ((KEPT, NOT_OWED), 0, "kept", ("G-A-1",)),
        ((KEPT, WARNED, SHOULD_UNPROVEN), 0, "kept", ("G-A-1",)),
        ((KEPT, FALSIFIED), 1, "falsified", ("G-A-2",)),
        ((TIMEOUT, FALSIFIED, CRASHED), 1, "falsified", ("G-A-4", "G-A-2", "G-A-3")),
        ((FALSIFIED, FALSIFIED), 1, "falsified", ("G-A-2",)),
        ((ERROR, FALSIFIED, UNPROVEN), 1, "falsified", ("G-A-2",)),
        ((KEPT, ERROR, UNPROVEN), 4, "checker broken", ("G-A-5",)),
        ((KEPT, SHOULD_ERROR), 4, "checker broken", ("G-A-11",)),
        ((KEPT, UNPROVEN), 3, "not proven", ("G-A-6",)),
        ((), 3, "not proven", ()),
        ((NOT_OWED,), 3, "not proven", ()),
        ((SHOULD_KEPT,), 3, "not proven", ()),
    ],
)
def test_each_row_of_the_table(outcomes, code, word, decided_by):
    decision = decide(outcomes)
    assert (decision.exit_code, decision.word, decision.decided_by) == (code, word, decided_by)


@pytest.mark.parametrize("cause", ["nothing_compared", "missing_input", "unreadable", "unsatisfiable"])
def test_a_must_that_was_skipped_for_any_cause_but_not_owed_is_not_proven(cause):
    assert decide((KEPT, outcome("Skipped", "G-B-1", skip_cause=cause))).decided_by == ("G-B-1",)


def test_a_corroborated_outcome_that_compared_nothing_keeps_nothing():
    assert decide((outcome("Corroborated", compared=0),)).exit_code == 3


MUST = (KEPT, FALSIFIED, CRASHED, TIMEOUT, ERROR, UNPROVEN, NOT_OWED)
SHOULD = tuple(
    outcome(verdict, "G-S-1", force="should", **({"skip_cause": cause} if cause else {}))
    for verdict, cause in [
        ("Corroborated", None),
        ("Falsified", None),
        ("Crashed", None),
        ("Timeout", None),
        ("Skipped", "not_owed"),
        ("Skipped", "unreadable"),
    ]
)


@settings(database=None, deadline=None, max_examples=200)
@given(st.lists(st.sampled_from(MUST + SHOULD)), st.sampled_from(SHOULD), st.integers(0, 20))
def test_a_should_that_is_no_error_never_changes_the_exit_code(outcomes, added, at):
    more = [*outcomes[:at], added, *outcomes[at:]]
    assert decide(more) == decide(outcomes)


@settings(database=None, deadline=None, max_examples=200)
@given(st.lists(st.sampled_from(MUST + SHOULD)))
def test_the_order_of_outcomes_never_changes_the_exit_code(outcomes):
    assert decide(outcomes[::-1]).exit_code == decide(outcomes).exit_code


WAIVED = outcome("Falsified", "G-A-12", excused=Excuse(by="waiver", source="w:1", reason="r", owner="o", expires="d"))
STRICT, PROVEN, LOOSE, NEVER = (
    Terms(fail_on="should"),
    Terms(fail_on="not-proven"),
    Terms(not_proven="pass"),
    Terms(fail_on="never"),
)


@pytest.mark.parametrize(
    ("terms", "outcomes", "code", "word", "decided_by"),
    [
        (Terms(), (KEPT, WAIVED), 0, "kept", ("G-A-1", "G-A-12")),
        (Terms(), (WAIVED,), 0, "kept", ("G-A-12",)),
        (Terms(), (WAIVED, FALSIFIED), 1, "falsified", ("G-A-2",)),
        (STRICT, (KEPT, WARNED), 1, "falsified", ("G-A-8",)),
        (STRICT, (KEPT, SHOULD_UNPROVEN), 0, "kept", ("G-A-1",)),
        (PROVEN, (KEPT, SHOULD_UNPROVEN), 3, "not proven", ("G-A-10",)),
        (LOOSE, (KEPT, UNPROVEN), 0, "not proven", ("G-A-6",)),
        (LOOSE, (UNPROVEN,), 3, "not proven", ("G-A-6",)),
        (LOOSE, (KEPT, UNPROVEN, FALSIFIED), 1, "falsified", ("G-A-2",)),
        (NEVER, (FALSIFIED, KEPT), 0, "falsified", ("G-A-2",)),
        (NEVER, (UNPROVEN,), 0, "not proven", ("G-A-6",)),
        (NEVER, (KEPT, ERROR), 4, "checker broken", ("G-A-5",)),
    ],
)
def test_terms_move_the_exit_and_never_the_word(terms, outcomes, code, word, decided_by):
    decision = decide(outcomes, terms)
    assert (decision.exit_code, decision.word, decision.decided_by) == (code, word, decided_by)
    assert decision.terms == terms
    assert decision.excused == tuple(one.gate_id for one in outcomes if one is WAIVED)
