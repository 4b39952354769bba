"""Owns the decision: one pure function from outcomes to the exit code and the gates that decided it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from model_contracts.outcome import Decision, Outcome, Verdict

_FALSIFYING = (Verdict.FALSIFIED, Verdict.CRASHED, Verdict.TIMEOUT)


def decide(outcomes: Sequence[Outcome]) -> Decision:
    """What a run concludes; the first line that applies wins.

    1 falsified: a `must` was Falsified, Crashed or Timeout (an Error elsewhere does not undo it).
    4 checker broken: any Error, of a `should` too: what the checker did not see cannot be vouched for.
    3 not proven: a `must` was Skipped for a cause other than `not_owed`, or no `must` compared anything.
    0 kept. A `should` changes nothing but by its Error.
    """
    must = [outcome for outcome in outcomes if outcome.force == "must"]
    if falsified := _gates(outcome for outcome in must if outcome.outcome in _FALSIFYING):
        return Decision(exit_code=1, word="falsified", decided_by=falsified)
    if errors := _gates(outcome for outcome in outcomes if outcome.outcome is Verdict.ERROR):
        return Decision(exit_code=4, word="checker broken", decided_by=errors)
    unproven = _gates(o for o in must if o.outcome is Verdict.SKIPPED and o.skip_cause != "not_owed")
    kept = _gates(outcome for outcome in must if outcome.outcome is Verdict.CORROBORATED and outcome.compared)
    if unproven or not kept:
        return Decision(exit_code=3, word="not proven", decided_by=unproven)
    return Decision(exit_code=0, word="kept", decided_by=kept)


def _gates(outcomes: Iterable[Outcome]) -> tuple[str, ...]:
    """Gate ids in the order of the run, each once (a gate has an outcome for every artifact)."""
    return tuple(dict.fromkeys(outcome.gate_id for outcome in outcomes))
