"""Owns a run: opens the artifacts, makes the one pass over their bytes, and yields each outcome when it is known."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from model_contracts.anatomy.claims import UnknownRecipe, requested
from model_contracts.artifact import Artifact
from model_contracts.checks import KINDS
from model_contracts.checks.interface import Examination
from model_contracts.definitions import load_families, load_recipes
from model_contracts.engine.evaluate import evaluate, now, outcome_of
from model_contracts.engine.examined import Examined
from model_contracts.engine.plan import CheckRequest, Plan, UsageError, plan, refuse_unknown_gates
from model_contracts.engine.record import artifact_record, run_record
from model_contracts.formats.opening import open_artifact
from model_contracts.formats.repository import open_repository
from model_contracts.log import logger
from model_contracts.outcome import ArtifactRecord, Evidence, Outcome, Place, Run
from model_contracts.sweep.apart import start
from model_contracts.sweep.interface import Sweep

if TYPE_CHECKING:
    from pathlib import Path

    from model_contracts.engine.unfinished import Earlier, Unfinished
    from model_contracts.golden import Golden
    from model_contracts.tables import TensorTable


def check(request: CheckRequest) -> tuple[Evidence, Run]:
    """Examine every path of the request; the evidence of all, and the record of the run."""
    return Checking((request,)).finish()


class Checking(Iterator[Outcome]):
    """A run as it goes: outcomes as they come, then evidence and run.

    What does not wait for the bytes comes first. Such an outcome names no digest yet; the evidence has it.
    Raises UsageError, DefinitionError and Unreadable when it is made.
    """

    def __init__(self, requests: Sequence[CheckRequest]) -> None:
        self._started, self._clock = now(), time.perf_counter()
        self.held = tuple(_opened(requests))
        self._journal: Unfinished | None = None
        self._outcomes = self._go()
        self._finished: tuple[Evidence, Run] | None = None

    def keep(self, folder: Path, *, resume: bool = False) -> str | None:
        """Keep outcomes in a folder as they come, before the first; what a person is told of what lay there.

        To be resumed, the run takes those that an earlier one kept there: they do not come again.
        """
        from model_contracts.engine.identity import stands_on
        from model_contracts.engine.unfinished import Unfinished

        self._journal = Unfinished(folder, self.held, stands_on(self.held), resume=resume)
        return self._journal.said

    def kept(self) -> None:
        """Take the kept outcomes away: the evidence is written."""
        if self._journal is not None:
            self._journal.end()

    def __next__(self) -> Outcome:
        return next(self._outcomes)

    def close(self) -> None:
        """End the run where it is: runtimes are ended, nothing more is evaluated."""
        self._outcomes.close()

    def finish(self) -> tuple[Evidence, Run]:
        """Evaluate what is left; the evidence in the order of the plan, and the record of the run."""
        for _ in self:
            continue
        if self._finished is None:
            raise RuntimeError("the run was ended before it was finished")
        return self._finished

    def _go(self) -> Generator[Outcome]:
        for at, held in enumerate(self.held):
            earlier = self._journal.earlier(at) if self._journal is not None else None
            for step, outcome in examined(held, earlier):
                held.outcomes[step] = outcome
                if self._journal is not None:
                    self._journal.keep(at, step, outcome, held.examination)
                yield outcome
            if held.records is None:
                held.records, held.table = _records(held), _table(held)
                if self._journal is not None:
                    self._journal.know(at, held.records, held.table)
            if held.table is not None and held.request.tables is not None:
                held.request.tables(held.table)
        self._finished = self._concluded()

    def _concluded(self) -> tuple[Evidence, Run]:
        evidence = tuple(outcome for held in self.held for outcome in held.evidence)
        told = [held.records or () for held in self.held]
        sources = {record.path: record for records in reversed(told) for record in records[1:]}
        records = [*(records[0] for records in told), *reversed(sources.values())]
        plans, seconds = [held.plan for held in self.held], time.perf_counter() - self._clock
        return evidence, run_record(self.held[0].request, plans, records, evidence, self._started, seconds)


def _opened(requests: Sequence[CheckRequest]) -> Iterator[Examined]:
    """Every artifact of the requests; a source that several are held against is opened once."""
    plans = [(request, path, plan(request, path)) for request in requests for path in request.paths]
    if requests[0].among_others:
        known = {gate for _, _, one in plans for gate in (*one.not_evaluated, *(step.gate.id for step in one.steps))}
        refuse_unknown_gates(requests[0], "the models that were touched", known)
    sources: dict[object, Artifact | None] = {}
    golden = {request.golden: _golden(request.golden) for request in requests if request.golden is not None}
    for request, path, planned in plans:
        key = (request.against, request.tokenizer, request.missing_source)
        if key not in sources:
            sources[key] = _source(request)
        held = golden[request.golden] if request.golden is not None else None
        for target in _targets(request, path):
            own = planned if target.path == path else plan(request, target.path)
            yield Examined(request, own, examination_of(request, target, sources[key], held), {})


def _records(held: Examined) -> tuple[ArtifactRecord, ...]:
    golden = held.examination.golden
    said = (f"held to {held.request.golden}, {golden.digests.content}",) if golden is not None else ()
    examination, several = held.examination, len(held.request.paths) > 1
    target = artifact_record(examination.target, examination, (*held.plan.notes, *said), several=several)
    others = [(examination.source, ()), (examination.adapter, ("the adapter of --adapter",))]
    return (target, *(artifact_record(one, examination, told) for one, told in others if one is not None))


def _table(held: Examined) -> TensorTable | None:
    if held.request.tables is None:
        return None
    from model_contracts.engine.tensor_tables import table_of

    return table_of(held.examination, held.plan)


def _targets(request: CheckRequest, path: Path) -> tuple[Artifact, ...]:
    """What a path is held as: a repository of several models as each of them, but where it is held to another."""
    alone = request.against is not None or request.source is not None or request.golden is not None
    return (open_artifact(path),) if alone else open_repository(path)


def _golden(path: Path) -> Golden:
    from model_contracts.engine.golden_files import read

    return read(path)


def _source(request: CheckRequest) -> Artifact | None:
    if request.against is None or request.source is not None or request.missing_source is not None:
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
    adapter = _adapter(request.adapter) if request.adapter is not None else None
    return Examination(
        target,
        source,
        load_families(),
        recipes,
        sweeper,
        asked,
        golden=golden,
        runtime=request.runtime,
        adapter=adapter,
    )


def _adapter(path: Path) -> Artifact:
    """The adapter at a path. Raises UsageError for what is none."""
    from model_contracts.anatomy.parts.recognised import part

    found = open_artifact(path)
    if found.readable and (held := part(found)).name != "adapter":
        raise UsageError(f"{path}: --adapter wants an adapter, and this is {held.words}")
    return found


def examine(plan: Plan, examination: Examination, request: CheckRequest) -> list[Outcome]:
    """The outcomes in the order of the plan."""
    held = Examined(request, plan, examination, {})
    held.outcomes = dict(examined(held, None))
    held.records = _records(held)
    return list(held.evidence)


def examined(held: Examined, earlier: Earlier | None) -> Iterator[tuple[int, Outcome]]:
    """Each step with its outcome, as they come: those that read no value are evaluated while the bytes are read.

    What an earlier run saw stands in `held` at once, and is not evaluated again.
    """
    plan, examination = held.plan, held.examination
    examination.refused = plan.refused
    if earlier is not None:
        held.outcomes |= earlier.outcomes
        held.records, held.table = earlier.records, earlier.table
    left = [(at, step) for at, step in enumerate(plan.steps) if at not in held.outcomes]
    waits = {at for at, step in left if KINDS[step.gate.check].after_the_pass}
    valued = any(KINDS[step.gate.check].reads_values for step in plan.steps)
    reads = (
        valued
        and held.request.missing is None
        and bool(examination.target.containers)
        and bool(waits or held.records is None)
    )
    log = logger(artifact=str(examination.target.path))
    try:
        if reads:
            examination.begin()
        if earlier is not None:
            earlier.read_again(examination)
        for late in (False, True):
            if late:
                _end_pass(examination, reads)
            for at, step in left:
                if (at in waits) is late:
                    outcome = outcome_of(step, examination, evaluate(step, examination, held.request))
                    told = {"gate": outcome.gate_id, "outcome": outcome.outcome.value, "compared": outcome.compared}
                    log.info("gate_evaluated", **told)
                    yield at, outcome
    finally:
        examination.end()


def _end_pass(examination: Examination, reads: bool) -> None:
    """Wait for the pass, where there is one, and take what it met; runtimes are not needed any more."""
    if reads and (done := _finished(examination)) is not None:
        _take_problems(examination, done)
        log = logger(artifact=str(examination.target.path))
        log.info("bytes_read", values=done.values, seconds=round(done.seconds, 3), engine=done.engine)
    examination.end()
    # What a tokenizer file holds is a matter of its container too, whether a gate asked for it or not.
    _ = examination.target.tokenizer


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
