"""Owns the conclusion of one gate: comparisons are taken until they end or fail, and a verdict is drawn from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from model_contracts.checks.interface import CannotWork, Skip, Told
from model_contracts.engine.seen import Tally
from model_contracts.invariant import Gate
from model_contracts.log import logger
from model_contracts.outcome import Comparison, SkipCause, Verdict


def conclude(
    comparisons: Callable[[], Iterable[Told]], tally: Tally, gate: Gate
) -> tuple[Verdict, SkipCause | None, str]:
    """Verdict, why it was skipped, and the reason a reader is told.

    Nothing compared is Skipped, and so is what was compared in part (`incomplete`); an exception of ours is Error,
    never a verdict on the file. What was violated before a failure stays violated.
    """
    verdict, cause, reason = Verdict.CORROBORATED, None, ""
    try:
        for comparison in comparisons():
            tally.take(comparison)
    except Skip as skip:
        verdict, cause, reason = Verdict.SKIPPED, skip.cause, skip.reason
    except Exception as error:  # a runtime that failed, or ours: the other gates go on
        verdict, cause, reason = _failed(gate, error)
        if verdict is Verdict.FALSIFIED:
            tally.take(_unanswered(reason))
    if tally.violated:
        return Verdict.FALSIFIED, None, _falsified(tally)
    if verdict is Verdict.CORROBORATED and tally.missed:
        return Verdict.SKIPPED, "incomplete", incomplete(gate.title, tally)
    if verdict is Verdict.CORROBORATED and not tally.compared:
        return Verdict.SKIPPED, "nothing_compared", "nothing was compared"
    if verdict is Verdict.CORROBORATED:
        reason = f"{gate.title}: {tally.compared:,} compared"
    return verdict, cause, reason


def incomplete(title: str, tally: Tally) -> str:
    """How much of what was owed was compared, and what was not: by reason, with the first places."""
    said = []
    for reason, (places, values) in list(tally.reasons.items())[:3]:
        first = [str(gap.place) for gap in tally.gaps if gap.reason == reason and str(gap.place)][:3]
        more = places - len(first)
        where = "; ".join(first) + (f" and {more:,} places more" if first and more else "")
        said.append(f"{reason} ({values:,}{': ' if where else ''}{where})")
    rest = len(tally.reasons) - len(said)
    text = f"{title}: {tally.compared:,} of {tally.owed:,} compared; not compared: " + "; ".join(said)
    return text + (f"; {rest} reasons more" if rest else "")


def _failed(gate: Gate, error: Exception) -> tuple[Verdict, SkipCause | None, str]:
    """A runtime that is not installed proves nothing, one that died or hung falsifies; anything else is our error."""
    from model_contracts.runtimes.interface import Crashed, NotInstalled, PluginBroke, RuntimeFailure, TimedOut

    if isinstance(error, CannotWork):
        return Verdict.ERROR, None, str(error)[:300]
    if not isinstance(error, RuntimeFailure):
        _log_error(gate, error)
        return Verdict.ERROR, None, f"{type(error).__name__}: {error}"[:300]
    tail = f" · last words: {error.tail.strip()[-160:]}" if error.tail.strip() else ""
    if isinstance(error, PluginBroke):
        return Verdict.SKIPPED, "plugin_failed", error.reason
    if isinstance(error, NotInstalled):
        return Verdict.SKIPPED, "missing_input", error.reason
    if isinstance(error, TimedOut):
        return Verdict.TIMEOUT, None, error.reason + tail
    return (Verdict.CRASHED if isinstance(error, Crashed) else Verdict.FALSIFIED), None, error.reason + tail


def _unanswered(reason: str) -> Comparison:
    """A runtime that refused, or answered what cannot be an answer: an answer was expected."""
    return Comparison(measure="runtime_answers", expected="an answer", observed=reason[:300], holds=False)


def _falsified(tally: Tally) -> str:
    first = tally.violations[0]
    place = f" at {first.place}" if str(first.place) else ""
    text = f"{first.measure}{place}: expected {_short(first.expected)}, observed {_short(first.observed)}"
    rest = tally.violated - 1
    return text + (f" (and {rest:,} more of {tally.records:,} comparisons)" if rest else "")


def _short(value: object) -> str:
    if value is None:
        return "nothing"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _log_error(gate: Gate, error: Exception) -> None:
    log = logger(gate=gate.id)
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    at = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "unknown"
    log.error("check_failed", error=repr(error)[:300], at=at)
    log.debug("check_failed_traceback", exc_info=error)
