"""Owns a run: opens the artifacts, makes the one pass over their bytes, evaluates every step, and concludes."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from model_contracts.anatomy.claims import UnknownRecipe, requested
from model_contracts.artifact import Artifact
from model_contracts.checks import KINDS
from model_contracts.checks.interface import Examination, Skip, Told, owed_to
from model_contracts.checks.trial import Trial
from model_contracts.definitions import load_corpus, load_families, load_recipes
from model_contracts.engine.conclude import conclude
from model_contracts.engine.environment import host
from model_contracts.engine.plan import CheckRequest, Plan, Step, UsageError, plan
from model_contracts.engine.record import artifact_record, beside, run_record, subject_of
from model_contracts.engine.seen import Seen, Tally
from model_contracts.formats.opening import open_artifact
from model_contracts.log import logger
from model_contracts.outcome import (
    ArtifactRecord,
    Evidence,
    Outcome,
    Place,
    Run,
)
from model_contracts.sweep.apart import start
from model_contracts.sweep.interface import Sweep

if TYPE_CHECKING:
    from pathlib import Path

    from model_contracts.golden import Golden


def check(request: CheckRequest) -> tuple[Evidence, Run]:
    """Examine every path of the request; the evidence of all, and the record of the run."""
    started, clock = _now(), time.perf_counter()
    plans = [plan(request, path) for path in request.paths]
    golden = _golden(request.golden) if request.golden is not None else None
    source = _source(request)
    examinations = [examination_of(request, open_artifact(path), source, golden) for path in request.paths]
    outcomes: list[Outcome] = []
    records: list[ArtifactRecord] = []
    held = (f"held to {request.golden}, {golden.digests.content}",) if golden is not None else ()
    for planned, examination in zip(plans, examinations, strict=True):
        outcomes += examine(planned, examination, request)
        _hand_over_table(planned, examination, request)
        records.append(artifact_record(examination.target, examination, (*planned.notes, *held)))
    if source is not None:
        records.append(artifact_record(source, examinations[0], ()))
    return tuple(outcomes), run_record(request, plans, records, outcomes, started, time.perf_counter() - clock)


def _hand_over_table(planned: Plan, examination: Examination, request: CheckRequest) -> None:
    if request.tables is None:
        return
    from model_contracts.engine.tensor_tables import table_of

    if (table := table_of(examination, planned)) is not None:
        request.tables(table)


def _golden(path: Path) -> Golden:
    from model_contracts.engine.golden_files import read

    return read(path)


def _source(request: CheckRequest) -> Artifact | None:
    if request.against is None or request.source is not None:
        return request.source
    source = open_artifact(request.against)
    if request.tokenizer is None:
        return source
    from model_contracts.converters.gather import with_tokenizer

    return with_tokenizer(source, request.tokenizer)[0]


def examination_of(
    request: CheckRequest, target: Artifact, source: Artifact | None, golden: Golden | None
) -> Examination:
    """What the checks of one path share. Raises UsageError for a recipe that nobody knows."""
    recipes = load_recipes()
    try:
        asked = requested(request.dtype, recipes) if request.dtype is not None else None
    except UnknownRecipe as error:
        raise UsageError(str(error)) from None
    sweeper = request.sweeper or partial(start, progress=request.progress)
    return Examination(target, source, load_families(), recipes, sweeper, asked, golden=golden, runtime=request.runtime)


def examine(plan: Plan, examination: Examination, request: CheckRequest) -> list[Outcome]:
    """The outcomes in the order of the plan. Gates that read no value are evaluated while the bytes are read."""
    reads = any(KINDS[step.gate.check].reads_values for step in plan.steps) and bool(examination.target.containers)
    seen: dict[int, Seen] = {}
    examination.refused = plan.refused
    if reads:
        examination.begin()
    log = logger(artifact=str(examination.target.path))
    for at, step in enumerate(plan.steps):
        if not KINDS[step.gate.check].after_the_pass:
            seen[at] = evaluate(step, examination, request)
    if reads and (done := _finished(examination)) is not None:
        _take_problems(examination, done)
        log.info("bytes_read", values=done.values, seconds=round(done.seconds, 3), engine=done.engine)
    examination.end()
    # What a tokenizer file holds is a matter of its container too, whether a gate asked for it or not.
    _ = examination.target.tokenizer
    outcomes = []
    for at, step in enumerate(plan.steps):
        found = seen.get(at) or evaluate(step, examination, request)
        outcomes.append(outcome_of(step, examination, found))
        log.info("gate_evaluated", gate=step.gate.id, outcome=found.verdict.value, compared=found.tally.compared)
    return outcomes


def _finished(examination: Examination) -> Sweep | None:
    """The pass, waited for; None where it failed: each gate that needs it meets the same failure and says so."""
    try:
        return examination.sweep
    except Exception:
        return None


def _take_problems(examination: Examination, done: Sweep) -> None:
    """Reads that did not give what a header promised become comparisons of the container."""
    ledger = examination.target.ledger
    target, source = set(examination.target.files), examination.source
    for problem in done.problems:
        whose = source.ledger if source is not None and problem.file not in target else ledger
        whose.compare(
            "sizes",
            "bytes_read",
            False,
            expected=problem.expected,
            observed=problem.observed,
            place=Place(file=problem.file.name, tensor=problem.tensor, offset=problem.offset),
            note=problem.reason,
        )
    for dtype, count in done.undecoded.items():
        ledger.note(f"{count} tensors of type {dtype} were not decoded: nothing was said of their values")


def evaluate(step: Step, examination: Examination, request: CheckRequest) -> Seen:
    """Evaluate one step."""
    clock, tally, trial = time.perf_counter(), Tally(), _trial(step, request)

    def comparisons() -> Iterable[Told]:
        _refuse_unreadable(step, examination)
        owed_to(examination, step.gate.check)
        return KINDS[step.gate.check].run(examination, step.parameters, step.where, trial)

    verdict, cause, reason = conclude(comparisons, tally, step.gate)
    counterexample = trial.counterexample
    if counterexample is not None:
        counterexample = counterexample.model_copy(update={"files": beside(examination)})
    return Seen(tally, verdict, cause, reason, counterexample, time.perf_counter() - clock)


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
        duration=seen.duration,
        timestamp=_now(),
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


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
