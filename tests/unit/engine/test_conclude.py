"""The conclusion of a gate: what was violated stays violated, and nothing that was left out is green."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from model_contracts.checks.interface import CannotWork, Skip, missing_input, not_owed
from model_contracts.engine.conclude import conclude
from model_contracts.engine.seen import Tally
from model_contracts.invariant import Gate
from model_contracts.outcome import Comparison, Place, Uncompared, Verdict
from model_contracts.runtimes.interface import Crashed, NotInstalled, Refused, TimedOut, WrongAnswer
from support.outcomes import comparison

GATE = Gate(id="G0-TEST-001", title="values survive", check="elementwise")
HELD, VIOLATED = comparison(count=4), comparison(holds=False)
GAP = Uncompared(place=Place(tensor="b.weight"), count=6, reason="nothing decodes type F4")

FAILURES: list[Callable[[], Exception]] = [
    lambda: KeyError("ours"),
    lambda: CannotWork("no space left on the device"),
    lambda: Crashed("it left with exit code -6"),
    lambda: TimedOut("no answer within 5 s"),
    lambda: NotInstalled("torch is not installed"),
    lambda: Refused("it refuses the file"),
    lambda: WrongAnswer("it answers NaN"),
    lambda: missing_input("no source"),
    lambda: not_owed("no chat template"),
]


def concluded(*seen: Any) -> tuple[Verdict, str | None, str, Tally]:
    """What is concluded of comparisons, gaps, and the failure that ends them."""
    tally = Tally()

    def comparisons() -> Iterator[Comparison | Uncompared]:
        for one in seen:
            if isinstance(one, Exception):
                raise one
            yield one

    return (*conclude(comparisons, tally, GATE), tally)


@pytest.mark.parametrize("failure", FAILURES, ids=lambda make: type(make()).__name__)
def test_whatever_fails_after_a_violation_leaves_it_falsified(failure: Callable[[], Exception]) -> None:
    verdict, cause, reason, tally = concluded(HELD, VIOLATED, failure())
    assert (verdict, cause) == (Verdict.FALSIFIED, None)
    assert reason.startswith("mean at a.weight: expected 1, observed 1.5")
    assert tally.violations[0] == VIOLATED


@pytest.mark.parametrize(
    ("failure", "verdict", "cause", "words"),
    [
        (KeyError("ours"), Verdict.ERROR, None, "KeyError: 'ours'"),
        (CannotWork("the disk is full"), Verdict.ERROR, None, "the disk is full"),
        (Crashed("exit code -6"), Verdict.CRASHED, None, "exit code -6"),
        (TimedOut("no answer"), Verdict.TIMEOUT, None, "no answer"),
        (NotInstalled("no torch"), Verdict.SKIPPED, "missing_input", "no torch"),
        (Refused("it refuses"), Verdict.FALSIFIED, None, "runtime_answers: expected an answer, observed it refuses"),
        (WrongAnswer("NaN"), Verdict.FALSIFIED, None, "runtime_answers: expected an answer, observed NaN"),
        (Skip("unsatisfiable", "settles nothing"), Verdict.SKIPPED, "unsatisfiable", "settles nothing"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
@pytest.mark.parametrize("before", [(), (HELD,), (HELD, GAP)], ids=["nothing", "held", "a gap"])
def test_a_failure_is_never_green_whatever_held_before_it(
    before: tuple[Any, ...], failure: Exception, verdict: Verdict, cause: str | None, words: str
) -> None:
    found = concluded(*before, failure)
    assert found[:2] == (verdict, cause)
    assert words in found[2]


def test_nothing_compared_is_skipped_and_says_so() -> None:
    assert concluded()[:3] == (Verdict.SKIPPED, "nothing_compared", "nothing was compared")


def test_what_was_compared_whole_is_corroborated_under_its_title() -> None:
    assert concluded(HELD, HELD)[:3] == (Verdict.CORROBORATED, None, "values survive: 8 compared")


def test_a_gap_is_incomplete_with_how_much_was_compared_why_not_and_where() -> None:
    verdict, cause, reason, tally = concluded(HELD, GAP)
    assert (verdict, cause) == (Verdict.SKIPPED, "incomplete")
    assert reason == ("values survive: 4 of 10 compared; not compared: nothing decodes type F4 (6: b.weight)")
    assert (tally.owed, tally.compared, tally.missed) == (10, 4, 6)


def test_gaps_alone_are_incomplete_too() -> None:
    assert concluded(GAP)[:2] == (Verdict.SKIPPED, "incomplete")


def test_a_violation_beside_a_gap_is_falsified() -> None:
    assert concluded(GAP, VIOLATED)[:2] == (Verdict.FALSIFIED, None)


def test_equal_reasons_are_told_together_and_the_fourth_is_counted() -> None:
    gaps = [Uncompared(place=Place(tensor=f"t{at}"), count=2, reason="a") for at in range(5)]
    gaps += [Uncompared(count=1, reason=reason) for reason in "bcde"]
    reason = concluded(*gaps)[2]
    assert "a (10: t0; t1; t2 and 2 places more); b (1); c (1); 2 reasons more" in reason
