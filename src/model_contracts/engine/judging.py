"""Owns the judgement of a run: which outcomes a waiver or a baseline excuses, and the decision under the terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from model_contracts.decision import decide
from model_contracts.engine.baseline import Known
from model_contracts.outcome import (
    BaselineRecord,
    Evidence,
    Excuse,
    Judgement,
    Outcome,
    Run,
    Terms,
    Verdict,
    WaiverRecord,
)
from model_contracts.waiver import Waiver, Waivers

#: Fingerprints of artifacts by their paths, as outcomes have them.
Fingerprints = dict[str, str | None]


_OURS = Terms()


@dataclass(frozen=True, slots=True)
class GivenWaivers:
    """A file of waivers, the digest of its bytes, and where each of them stands."""

    path: Path
    digest: str
    waivers: tuple[tuple[Waiver, str], ...]


@dataclass(frozen=True, slots=True)
class Judging:
    """What a run is judged by: exceptions that a person gave, terms, and the day (None: today, UTC)."""

    waivers: GivenWaivers | None = None
    baseline: Known | None = None
    terms: Terms = _OURS
    today: date | None = None
    #: What was found and is not believed.
    notes: tuple[str, ...] = ()

    @property
    def asks(self) -> bool:
        """Whether anything but the decision's own terms is asked for."""
        return bool(self.waivers or self.baseline or self.notes or self.terms != _OURS)


def judge(outcomes: Evidence, run: Run, asked: Judging) -> tuple[Evidence, Run]:
    """The outcomes with those marked that are excused, and the run decided again under the terms.

    An Error is never excused: what the checker did not see cannot be answered for.
    """
    if not asked.asks:
        return outcomes, run
    given, known = asked.waivers, asked.baseline
    run = _fingerprinted(run) if given is not None or known is not None else run
    today, prints = asked.today or datetime.now(UTC).date(), {one.path: one.fingerprint for one in run.artifacts}
    judged = [_excused(outcome, given, known, today, prints) for outcome in outcomes]
    judgement = Judgement(
        on=today.isoformat(),
        waivers_file=str(given.path) if given is not None else None,
        waivers_digest=given.digest if given is not None else None,
        waivers=_told(given, outcomes, today, prints) if given is not None else (),
        baseline=_record(known, judged) if known is not None else None,
        notes=(*asked.notes, *(_new(known, judged) if known is not None else ())),
    )
    return tuple(judged), run.model_copy(update={"judged": judgement, "decision": decide(judged, asked.terms)})


def read_waivers(path: Path) -> GivenWaivers:
    """The waivers of a file. Raises DefinitionError with file, line and column."""
    from model_contracts.definitions.loading import tree_of
    from model_contracts.definitions.typed import Text, build

    tree, digest = tree_of(path, str(path))
    text = Text(tree, digest)
    found = build(Waivers, tree)
    return GivenWaivers(path, digest, tuple((one, text.where("waivers", at)) for at, one in enumerate(found.waivers)))


def excusable(outcome: Outcome) -> bool:
    """Whether it does not hold, or is not proven; what the checker itself failed at is neither."""
    if outcome.outcome is Verdict.SKIPPED:
        return outcome.skip_cause != "not_owed"
    return outcome.outcome in (Verdict.FALSIFIED, Verdict.CRASHED, Verdict.TIMEOUT)


def _excused(
    outcome: Outcome, given: GivenWaivers | None, known: Known | None, today: date, prints: Fingerprints
) -> Outcome:
    if not excusable(outcome):
        return outcome
    subject = prints.get(outcome.subject.path)
    for waiver, place in given.waivers if given is not None else ():
        if _for(waiver, outcome, subject) and today <= waiver.expires:
            excuse = Excuse(
                by="waiver",
                source=place,
                reason=waiver.reason,
                owner=waiver.owner,
                expires=waiver.expires.isoformat(),
            )
            return outcome.model_copy(update={"excused": excuse})
    if known is not None and known.has(outcome, subject):
        excuse = Excuse(by="baseline", source=str(known.path), reason=f"known since {known.recorded}")
        return outcome.model_copy(update={"excused": excuse})
    return outcome


def _for(waiver: Waiver, outcome: Outcome, subject: str | None) -> bool:
    return waiver.gate == outcome.gate_id and waiver.subject == subject


def _told(given: GivenWaivers, outcomes: Evidence, today: date, prints: Fingerprints) -> tuple[WaiverRecord, ...]:
    """Every waiver of the file with what became of it."""
    records = []
    for waiver, place in given.waivers:
        why = _unused(waiver, outcomes, prints)
        expired = today > waiver.expires
        records.append(
            WaiverRecord(
                gate=waiver.gate,
                subject=waiver.subject,
                reason=waiver.reason,
                owner=waiver.owner,
                expires=waiver.expires.isoformat(),
                source=place,
                state="expired" if expired else "unused" if why else "used",
                why=f"it expired on {waiver.expires.isoformat()}" if expired else why,
            )
        )
    return tuple(records)


def _unused(waiver: Waiver, outcomes: Evidence, prints: Fingerprints) -> str:
    """Why nothing answers to a waiver; empty where something does."""
    at_gate = [outcome for outcome in outcomes if outcome.gate_id == waiver.gate]
    if waiver.subject not in prints.values():
        return "no artifact of this run has that content"
    here = [outcome for outcome in at_gate if _for(waiver, outcome, prints.get(outcome.subject.path))]
    if not here:
        return "the gate was not evaluated"
    return "" if any(excusable(outcome) for outcome in here) else "the gate holds"


def _record(known: Known, judged: Sequence[Outcome]) -> BaselineRecord:
    excused = [outcome for outcome in judged if outcome.excused is not None and outcome.excused.by == "baseline"]
    return BaselineRecord(path=str(known.path), digest=known.digest, known=len(excused), gone=known.gone(judged))


def _new(known: Known, judged: Sequence[Outcome]) -> list[str]:
    """What is new where some of it is known: the report lists both."""
    return [said for outcome in judged if outcome.excused is None and (said := known.beside(outcome))]


def _fingerprinted(run: Run) -> Run:
    """The run with the fingerprint of every artifact, whose bytes are read where no gate has read them."""
    from model_contracts.engine.fingerprints import fingerprint_at

    records = [
        one if one.fingerprint is not None else one.model_copy(update={"fingerprint": fingerprint_at(one.path)})
        for one in run.artifacts
    ]
    return run.model_copy(update={"artifacts": tuple(records)})
