"""Owns a qualification: step by step in the order of the plan, each outcome journalled, then evidence of all."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from model_contracts.artifact import Artifact
from model_contracts.decision import decide
from model_contracts.engine.classes import class_of
from model_contracts.engine.conclude import conclude
from model_contracts.engine.environment import environment, host
from model_contracts.engine.record import (
    artifact_record,
    digest_of,
    folder_records,
    named,
    own_definitions,
    plugin_records,
)
from model_contracts.engine.seen import Tally
from model_contracts.formats.opening import open_artifact
from model_contracts.log import logger
from model_contracts.outcome import (
    ArtifactRecord,
    Comparison,
    Evidence,
    Outcome,
    PlaybookRecord,
    Run,
    Subject,
    Uncompared,
    Verdict,
)
from model_contracts.qualification import diagnosis, folders, products, programs, subjects
from model_contracts.qualification.chains import Chain
from model_contracts.qualification.gates import GATES
from model_contracts.qualification.gates.borrowed import borrowed
from model_contracts.qualification.interface import QualificationStep, Seeing
from model_contracts.qualification.journal import NAME, Journal
from model_contracts.qualification.matrix import Settled, settle
from model_contracts.qualification.plan import Planned, plan
from model_contracts.qualification.request import QualifyRequest
from model_contracts.qualification.workshop import Workshop

_BAD = (Verdict.FALSIFIED, Verdict.CRASHED, Verdict.TIMEOUT, Verdict.ERROR)


def prepared(request: QualifyRequest) -> tuple[Artifact, Settled, Planned]:
    """The source, what is asked of it, and the steps. Raises UsageError, DefinitionError, Unreadable."""
    source = open_artifact(request.model_path)
    settled = settle(
        request.playbook,
        source.format,
        system=request.system,
        gpu=request.gpu,
        folder=Path(request.named).parent,
        failure=request.failure,
    )
    return source, settled, plan(settled, request.only, request.skip)


def qualify(request: QualifyRequest) -> tuple[Evidence, Run]:
    """Evaluate a playbook. Raises UsageError and Unusable; what a gate meets is an outcome."""
    started, clock = _now(), time.perf_counter()
    source, settled, planned = prepared(request)
    stands_on = _stands_on(request, settled, source)
    root = folders.workspace(request.output, resume=request.resume)
    journal = Journal(request.output / NAME, stands_on, resume=request.resume)
    folders.sweep(root)
    with Workshop(settled, source, root, request.workers) as workshop:
        workshop.blamed |= journal.blamed
        workshop.prepare(dict.fromkeys(chain for step in planned.steps for chain in step.chains if len(chain) > 1))
        stopped = _evaluate_all(request, planned, workshop, journal)
    outcomes = subjects.digested(
        tuple(journal.outcomes[step.key] for step in planned.steps if step.key in journal.outcomes),
        tuple(journal.artifacts.values()),
    )
    left_out = planned.not_evaluated | stopped | dict(request.not_evaluated)
    run = _record(request, settled, planned, outcomes, left_out, tuple(journal.artifacts.values()))
    return outcomes, run.model_copy(update={"started": started, "duration": time.perf_counter() - clock})


def _evaluate_all(request: QualifyRequest, planned: Planned, workshop: Workshop, journal: Journal) -> dict[str, str]:
    """Every step that the journal does not hold; gates that were not reached, and why."""
    steps, failure = planned.steps, workshop.settled.failure
    for at, step in enumerate(steps):
        outcome = journal.outcomes.get(step.key)
        if outcome is None:
            if request.tell is not None:
                request.tell(at, len(steps), step.key)
            outcome = _evaluate(step, workshop, request)
            for record in _records(workshop, step):
                journal.know(record)
            journal.keep(step.key, outcome, workshop.blamed)
            logger(gate=step.gate.id).info("gate_evaluated", step=step.key, outcome=outcome.outcome.value)
        if not request.keep:
            for chain in _last_seen(steps, at):
                workshop.release(chain)
        if outcome.outcome in _BAD and (
            failure == "stop-on-first" or (failure == "stop-on-must" and step.force == "must")
        ):
            why = f"not reached: {failure} at {step.key}"
            return {later.key: why for later in steps[at + 1 :] if later.key not in journal.outcomes}
    return {}


def _last_seen(steps: tuple[QualificationStep, ...], at: int) -> Iterator[Chain]:
    """Chains that no later step looks at, nor anything that is made of them."""
    later = {chain[:end] for step in steps[at + 1 :] for chain in step.chains for end in range(1, len(chain) + 1)}
    for chain in steps[at].chains:
        yield from (chain[:end] for end in range(len(chain), 1, -1) if chain[:end] not in later)


def _evaluate(step: QualificationStep, workshop: Workshop, request: QualifyRequest) -> Outcome:
    clock, tally, seeing = time.perf_counter(), Tally(), Seeing(subject=step.chains[0] if step.chains else None)

    def comparisons() -> Iterator[Comparison | Uncompared]:
        kind = GATES.get(step.gate.check)
        return kind.run(workshop, step, step.parameters, seeing) if kind else borrowed(workshop, step, seeing)

    verdict, skipped, reason = conclude(comparisons, tally, step.gate)
    outcome = Outcome(
        id=uuid.uuid4().hex,
        gate_id=step.gate.id,
        title=step.gate.title,
        outcome=verdict,
        reason=reason,
        invariant=step.invariant.id,
        contract=workshop.settled.playbook.id,
        force=step.force,
        skip_cause=skipped,
        subject=_subject(workshop, seeing),
        owed=tally.owed,
        compared=tally.compared,
        violated=tally.violated,
        comparisons=tally.kept,
        uncompared=tuple(tally.gaps),
        scenario=step.scenario,
        fault=class_of(step.gate, step.invariant, verdict, skipped, tally.kept),
        metrics=seeing.metrics,
        duration=time.perf_counter() - clock,
        timestamp=_now(),
        host=host(),
    )
    if seeing.concluded is not None and not tally.violated:
        taken = {"force": step.force, "contract": workshop.settled.playbook.id, "scenario": step.scenario}
        outcome = seeing.concluded.model_copy(update=taken | {"id": outcome.id, "duration": outcome.duration})
    return diagnosis.diagnosed(outcome, step, workshop, request)


def _subject(workshop: Workshop, seeing: Seeing) -> Subject:
    chain = seeing.subject or workshop.settled.base(workshop.settled.source)
    against = _named(workshop, seeing.against, None) if seeing.against is not None else None
    return _named(workshop, chain, against)


def _named(workshop: Workshop, chain: Chain, against: Subject | None) -> Subject:
    product = workshop.known(chain)
    if product is None or product.artifact is None:
        path = products.place(workshop.root, workshop.settled, chain)
        return Subject(name=path.name, path=str(path), format=chain[-1], digest=None, against=against)
    examination = workshop.examination if len(chain) == 1 else product.examination
    return named(product.artifact, examination, against)


def _records(workshop: Workshop, step: QualificationStep) -> Iterator[ArtifactRecord]:
    """The source and each format as it was made of it: what a reader looks for. Chains are named in the outcomes."""
    for chain in step.chains:
        product = workshop.known(chain) if len(chain) < 3 else None
        if product is None or product.artifact is None:
            continue
        examination = workshop.examination if len(chain) == 1 else product.examination
        if examination is not None:
            yield artifact_record(product.artifact, examination, ())


def _stands_on(request: QualifyRequest, settled: Settled, source: Artifact) -> dict[str, str]:
    """What must be the same for outcomes of an earlier run to be used again."""
    from model_contracts.version import version

    beside = (sidecar.path for sidecar in source.sidecars.values())
    files = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in (*source.files, *beside)]
    return {
        "tool": version(),
        "playbook": f"{_digest(settled.playbook)} {_digest(settled.tier)}",
        "system": " ".join(
            _digest(definition) for definition in (settled.system, *programs.definitions(settled.system))
        ),
        "own": digest_of(own_definitions()),
        "plugins": " ".join(f"{one.name} {one.version}" for one in plugin_records()),
        "source": f"{source.path.absolute()} {files}",
        "gpu": str(request.gpu),
    }


def _digest(definition: object) -> str:
    origin = getattr(definition, "_origin", None)
    return str(origin.digest) if origin is not None else ""


def _record(
    request: QualifyRequest,
    settled: Settled,
    planned: Planned,
    outcomes: Evidence,
    left_out: dict[str, str],
    artifacts: tuple[ArtifactRecord, ...],
) -> Run:
    from model_contracts.version import version

    stood_on = (settled.playbook, settled.tier, settled.system, *programs.definitions(settled.system))
    definitions = planned.definitions | {each.id: _digest(each) for each in stood_on} | own_definitions()
    return Run(
        tool="model-contracts",
        version=version(),
        command=request.command,
        seed=settled.seed,
        started=_now(),
        duration=0.0,
        definitions=definitions,
        definitions_digest=digest_of(definitions),
        folders=folder_records(),
        plugins=plugin_records(),
        artifacts=artifacts,
        environment=environment(),
        host=host(),
        not_evaluated=left_out,
        playbook=PlaybookRecord(
            id=settled.playbook.id,
            digest=_digest(settled.playbook),
            lock=request.lock,
            system=settled.system.id,
            failure=settled.failure,
        ),
        decision=decide(outcomes),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
