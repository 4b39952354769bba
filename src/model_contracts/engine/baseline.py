"""Owns baseline.json: what did not hold in an earlier run, written from its evidence and known again in a later one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from model_contracts import placing
from model_contracts.engine.bounded_json import JsonRefused, Unusable, bytes_of, parse
from model_contracts.fingerprint import content_of
from model_contracts.outcome import Comparison, Evidence, Outcome, Run, Verdict
from model_contracts.terminal import plural, safe
from model_contracts.waiver import Baseline, KnownFault

FILE = "baseline.json"
_BAD = (Verdict.FALSIFIED, Verdict.CRASHED, Verdict.TIMEOUT)


@dataclass(frozen=True, slots=True)
class Known:
    """A baseline that was read."""

    path: Path
    digest: str
    recorded: date
    faults: tuple[KnownFault, ...]

    def has(self, outcome: Outcome, subject: str | None) -> bool:
        """Whether an outcome that does not hold is in it, with nothing that is new."""
        return outcome.outcome in _BAD and any(_same(fault, outcome, subject) for fault in self.faults)

    def gone(self, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
        """Gates that show nothing in this run of what it holds of them; one that was skipped may."""
        unknown = {outcome.gate_id for outcome in outcomes if outcome.outcome is Verdict.SKIPPED}
        left = [one for one in self.faults if one.gate not in unknown and not any(_shows(one, o) for o in outcomes)]
        return tuple(dict.fromkeys(fault.gate for fault in left))

    def beside(self, outcome: Outcome) -> str:
        """What is new in an outcome that shows some of it too; empty where none of it is known, or all."""
        if outcome.outcome not in _BAD or not any(_shows(fault, outcome) for fault in self.faults):
            return ""
        known = {content for fault in self.faults if _is_of(fault, outcome) for content in fault.faults}
        new = [one for one in _violated(outcome) if content_of(outcome, one) not in known]
        if not new:
            return ""
        more = f", and {plural(len(new) - 1, 'place')} more" if len(new) > 1 else ""
        at = " · ".join(part for part in (str(new[0].place), new[0].measure) if part)
        return f"{outcome.gate_id} on {outcome.subject.name}: new, beside what the baseline holds: {at}{more}"


def baseline_of(outcomes: Evidence, run: Run) -> Baseline:
    """What does not hold in a run. What is not proven is no fault, and what a waiver excuses has its owner."""
    prints = {one.path: one.fingerprint for one in run.artifacts}
    faults = [
        KnownFault(
            gate=outcome.gate_id,
            invariant=outcome.invariant,
            scenario=outcome.scenario,
            subject=prints.get(outcome.subject.path),
            violated=outcome.violated,
            faults=tuple(sorted({content_of(outcome, one) for one in _violated(outcome)})),
            said=safe(outcome.reason)[:1000],
        )
        for outcome in outcomes
        if outcome.outcome in _BAD and (outcome.excused is None or outcome.excused.by == "baseline")
    ]
    return Baseline(tool=run.tool, version=run.version, recorded=datetime.now(UTC).date(), faults=tuple(faults))


def write(directory: Path, baseline: Baseline) -> Path:
    """Write baseline.json, in place of an earlier one; the file. OSError where it cannot be written."""
    path = directory / FILE
    data = baseline.model_dump_json(indent=2, exclude_none=True).encode("utf-8", "backslashreplace") + b"\n"
    placing.write(path, data, replace=True)
    return path


def known_from(place: Path) -> Known:
    """The baseline of a folder, or a file. Raises Unusable for what is absent, unreadable or none."""
    from blake3 import blake3
    from pydantic import ValidationError

    path = place / FILE if place.is_dir() else place
    data = bytes_of(path)
    try:
        found = Baseline.model_validate_json(json.dumps(parse(data)))
    except JsonRefused as refused:
        raise Unusable(f"{path}: {refused}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = "/".join(map(str, first["loc"]))
        raise Unusable(f"{path}: /{where}: {first['msg']} (contracts baseline DIR writes it)") from None
    return Known(path, f"blake3:{blake3(data).hexdigest()}", found.recorded, found.faults)


def _same(fault: KnownFault, outcome: Outcome, subject: str | None) -> bool:
    """Whether an outcome shows a fault and no other.

    Of a fault with more places than evidence lists, the contents must be the same to know the unlisted ones.
    """
    if not _is_of(fault, outcome):
        return False
    violated = _violated(outcome)
    if not {content_of(outcome, one) for one in violated} <= set(fault.faults):
        return False
    if violated and outcome.violated == len(violated):
        return True
    return subject is not None and subject == fault.subject and outcome.violated <= fault.violated


def _is_of(fault: KnownFault, outcome: Outcome) -> bool:
    return (fault.gate, fault.invariant, fault.scenario) == (outcome.gate_id, outcome.invariant, outcome.scenario)


def _shows(fault: KnownFault, outcome: Outcome) -> bool:
    """Whether any of a fault is among what does not hold, or may be among what is not listed."""
    if outcome.outcome not in _BAD or not _is_of(fault, outcome):
        return False
    violated = _violated(outcome)
    unlisted = not violated or outcome.violated > len(violated)
    return unlisted or not {content_of(outcome, one) for one in violated}.isdisjoint(fault.faults)


def _violated(outcome: Outcome) -> tuple[Comparison, ...]:
    return tuple(one for one in outcome.comparisons if not one.holds)
