"""Owns the evaluation of one step: its comparisons are taken, concluded, and written as an outcome."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime

from model_contracts.checks import KINDS
from model_contracts.checks.interface import Examination, Skip, Told, owed_to
from model_contracts.checks.trial import Trial
from model_contracts.definitions import load_corpus
from model_contracts.engine.classes import class_of
from model_contracts.engine.conclude import conclude
from model_contracts.engine.environment import host
from model_contracts.engine.plan import CheckRequest, Step
from model_contracts.engine.record import beside, subject_of
from model_contracts.engine.seen import Seen, Tally
from model_contracts.outcome import Outcome


def evaluate(step: Step, examination: Examination, request: CheckRequest) -> Seen:
    """Evaluate one step."""
    clock, tally, trial = time.perf_counter(), Tally(), _trial(step, request)

    def comparisons() -> Iterable[Told]:
        _refuse_missing(step, request)
        _refuse_unreadable(step, examination)
        owed_to(examination, step.gate.check)
        return KINDS[step.gate.check].run(examination, step.parameters, step.where, trial)

    verdict, cause, reason = conclude(comparisons, tally, step.gate)
    counterexample = trial.counterexample
    if counterexample is not None:
        counterexample = counterexample.model_copy(update={"files": beside(examination)})
    return Seen(tally, verdict, cause, reason, counterexample, time.perf_counter() - clock)


def _refuse_missing(step: Step, request: CheckRequest) -> None:
    """What is not here is not compared, not even as a file of another form."""
    why = request.missing or (request.missing_source if step.invariant.subject == "pair" else None)
    if why is not None:
        raise Skip("missing_input", why)


def _refuse_unreadable(step: Step, examination: Examination) -> None:
    """Only the gates of the container itself have something to say of a file that cannot be parsed."""
    if KINDS[step.gate.check].of_container:
        return
    if not examination.target.readable:
        raise Skip("unreadable", "the container could not be read; its own gates say why")
    source = examination.source
    if step.invariant.subject == "pair" and source is not None and not source.readable:
        raise Skip("unreadable", f"the source could not be read: contracts check {source.path} says why")


def outcome_of(step: Step, examination: Examination, seen: Seen) -> Outcome:
    """What a step saw, as evidence holds it."""
    return Outcome(
        id=uuid.uuid4().hex,
        gate_id=step.gate.id,
        title=step.gate.title,
        outcome=seen.verdict,
        reason=seen.reason,
        invariant=step.invariant.id,
        contract=step.contract,
        force=step.force,
        skip_cause=seen.cause,
        subject=subject_of(step, examination),
        owed=seen.tally.owed,
        compared=seen.tally.compared,
        violated=seen.tally.violated,
        comparisons=seen.tally.kept,
        uncompared=tuple(seen.tally.gaps),
        counterexample=seen.counterexample,
        metrics=seen.tally.metrics,
        fault=class_of(step.gate, step.invariant, seen.verdict, seen.cause, seen.tally.kept),
        duration=seen.duration,
        timestamp=now(),
        host=host(),
    )


def _trial(step: Step, request: CheckRequest) -> Trial:
    corpus = load_corpus(step.invariant.id) if KINDS[step.gate.check].tries else None
    pinned = corpus.of(step.gate.check) if corpus is not None else ()
    return Trial(_seed(step, request), request.max_examples, request.time_budget, pinned, request.bisect)


def _seed(step: Step, request: CheckRequest) -> int:
    """The seed that was asked for, else one that belongs to the invariant and its version."""
    if request.seed is not None:
        return request.seed
    from zlib import crc32

    return crc32(f"{step.invariant.id}:{step.invariant.version}".encode())


def now() -> str:
    """The time, RFC 3339, UTC."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
