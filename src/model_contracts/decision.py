"""Owns the decision: one pure function from outcomes to the exit code and the gates that decided it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from model_contracts.outcome import Decision, Outcome, Terms, Verdict

_FALSIFYING = (Verdict.FALSIFIED, Verdict.CRASHED, Verdict.TIMEOUT)
_OURS = Terms()


def decide(outcomes: Sequence[Outcome], terms: Terms = _OURS) -> Decision:
    """What a run concludes; the first line that applies wins. An excused outcome changes nothing.

    1 falsified: a `must` was Falsified, Crashed or Timeout (an Error elsewhere does not undo it).
    4 checker broken: any Error, of a `should` too: what the checker did not see cannot be vouched for.
    3 not proven: a `must` was Skipped for a cause other than `not_owed`, or no `must` compared anything.
    0 kept. A `should` changes nothing but by its Error.

    `terms` move what counts as a `must`, and let what is not proven, or everything, exit 0 under its own word. A run in
    which nothing was compared is not proven whatever the terms, but for `never`.
    """
    decision = _strictly(outcomes, terms)
    passed = decision.word == "not proven" and terms.not_proven == "pass" and any(o.compared for o in outcomes)
    if passed or (terms.fail_on == "never" and decision.exit_code in (1, 3)):
        return decision.model_copy(update={"exit_code": 0})
    return decision


def _strictly(outcomes: Sequence[Outcome], terms: Terms) -> Decision:
    excused = _gates(outcome for outcome in outcomes if outcome.excused is not None)
    counted = [outcome for outcome in outcomes if outcome.excused is None]
    told = partial(Decision, excused=excused, terms=terms)
    failing = ("must",) if terms.fail_on in ("must", "never") else ("must", "should")
    if falsified := _gates(o for o in counted if o.force in failing and o.outcome in _FALSIFYING):
        return told(exit_code=1, word="falsified", decided_by=falsified)
    if errors := _gates(outcome for outcome in counted if outcome.outcome is Verdict.ERROR):
        return told(exit_code=4, word="checker broken", decided_by=errors)
    owing = ("must", "should") if terms.fail_on == "not-proven" else ("must",)
    skipped = (o for o in counted if o.outcome is Verdict.SKIPPED and o.skip_cause != "not_owed")
    unproven = _gates(outcome for outcome in skipped if outcome.force in owing)
    must = [outcome for outcome in outcomes if outcome.force == "must" and outcome.compared]
    kept = _gates(o for o in must if o.outcome is Verdict.CORROBORATED or o.excused is not None)
    if unproven or not kept:
        return told(exit_code=3, word="not proven", decided_by=unproven)
    return told(exit_code=0, word="kept", decided_by=kept)


def _gates(outcomes: Iterable[Outcome]) -> tuple[str, ...]:
    """Gate ids in the order of the run, each once (a gate has an outcome for every artifact)."""
    return tuple(dict.fromkeys(outcome.gate_id for outcome in outcomes))
