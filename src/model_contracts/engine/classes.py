"""Owns what kind of fault an outcome shows: from its invariant's definition, and from what was compared."""

from __future__ import annotations

from collections.abc import Sequence

from model_contracts.invariant import Gate, Invariant
from model_contracts.outcome import Comparison, FaultClass, SkipCause, Verdict

#: What a skipped gate lacks, by why it was skipped; others are as unknown as what they would have seen.
_SKIPPED: dict[SkipCause, FaultClass] = {
    "missing_input": "incomplete",
    "unreadable": "corrupt",
    "plugin_failed": "environment",
}
#: How the note of a comparison begins to say that other values would have been right, in another place or scale.
_EXPLAINED = (" explains it: ", " explains most of it: ")


def class_of(
    gate: Gate, invariant: Invariant, verdict: Verdict, skipped: SkipCause | None, comparisons: Sequence[Comparison]
) -> FaultClass | None:
    """The class of an outcome; None where it holds or nothing is owed.

    Of several violated comparisons one that is explained tells, else the first whose measure its invariant names,
    else the gate, else the invariant.
    """
    if verdict is Verdict.CORROBORATED or skipped == "not_owed":
        return None
    if verdict is Verdict.ERROR:
        return "environment"
    if verdict is Verdict.SKIPPED:
        cause = skipped or "incomplete"
        return invariant.classes.get(cause, _SKIPPED.get(cause, "unknown"))
    violated = [comparison for comparison in comparisons if not comparison.holds]
    if any(words in (comparison.note or "") for comparison in violated for words in _EXPLAINED):
        return "wrong transform"
    if not violated and verdict in (Verdict.CRASHED, Verdict.TIMEOUT):
        return "environment"
    named = [invariant.classes[one.measure] for one in violated if one.measure in invariant.classes]
    return named[0] if named else gate.fault or invariant.fault
