"""Owns what changed from one run to another: gates by their outcomes, and what changed under them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from model_contracts.outcome import ArtifactRecord, Evidence, FileRecord, Outcome, Run

Pair = tuple[Outcome, Outcome]
Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that stood under the gates and is another now; None where a run has no such thing."""

    kind: str
    name: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything that an old run and a new one differ in; pairs are (old, new)."""

    old: tuple[Evidence, Run]
    new: tuple[Evidence, Run]
    #: Another verdict, another reason to skip, another force; excused now, or no more.
    changed: tuple[Pair, ...]
    #: The same verdict from other counts or other causes.
    counted: tuple[Pair, ...]
    added: tuple[Outcome, ...]
    gone: tuple[Outcome, ...]
    under: tuple[Change, ...]
    #: Files whose bytes were digested in neither run, or in one: whether they changed is not known.
    unknown: tuple[str, ...]

    @property
    def nothing(self) -> bool:
        """Whether the two runs say the same of the same things, as far as that is known."""
        return not (self.changed or self.counted or self.added or self.gone or self.under)


def difference(old: tuple[Evidence, Run], new: tuple[Evidence, Run]) -> Difference:
    """Gates are the same where id, scenario and the subject's name are; where several are, in their order."""
    before, after = (_numbered((_key(outcome), outcome) for outcome in side[0]) for side in (old, new))
    pairs = [(before[key], after[key]) for key in after if key in before]
    changed = tuple(pair for pair in pairs if _verdict(pair[0]) != _verdict(pair[1]))
    under, unknown = _under(old[1], new[1])
    return Difference(
        old=old,
        new=new,
        changed=changed,
        counted=tuple(p for p in pairs if _verdict(p[0]) == _verdict(p[1]) and _counts(p[0]) != _counts(p[1])),
        added=tuple(outcome for key, outcome in after.items() if key not in before),
        gone=tuple(outcome for key, outcome in before.items() if key not in after),
        under=tuple(under),
        unknown=tuple(unknown),
    )


def _key(outcome: Outcome) -> tuple[object, ...]:
    return outcome.gate_id, outcome.scenario, outcome.subject.name


def _numbered(items: Iterable[tuple[tuple[object, ...], Thing]]) -> dict[tuple[object, ...], Thing]:
    """By key and its how-manieth: two subjects of one name are told apart by the order of the run."""
    found: dict[tuple[object, ...], Thing] = {}
    turns: Counter[tuple[object, ...]] = Counter()
    for key, item in items:
        found[*key, turns[key]] = item
        turns[key] += 1
    return found


def _verdict(outcome: Outcome) -> tuple[object, ...]:
    return outcome.outcome, outcome.skip_cause, outcome.force, outcome.excused is not None


def _counts(outcome: Outcome) -> tuple[object, ...]:
    return outcome.compared, outcome.violated, sorted({cause.key for cause in outcome.causes})


def _under(old: Run, new: Run) -> tuple[list[Change], list[str]]:
    """What is recorded of artifacts, definitions, playbook, tool, environment and host, where it differs."""
    changes, unknown = _artifacts(old.artifacts, new.artifacts)
    changes += _mapped("definition", old.definitions, new.definitions)
    books = [{} if run.playbook is None else dict(run.playbook) for run in (old, new)]
    changes += _mapped("playbook", *books)
    changes += _mapped("tool", *({run.tool: run.version} for run in (old, new)))
    changes += _mapped("seed", *({"--seed": None if run.seed is None else str(run.seed)} for run in (old, new)))
    changes += _mapped("environment", old.environment, new.environment)
    changes += _mapped("host", dict(old.host), dict(new.host))
    return changes, unknown


def _mapped(kind: str, old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    names = dict.fromkeys((*old, *new))
    return [Change(kind, n, old.get(n), new.get(n)) for n in names if old.get(n) != new.get(n)]


def _artifacts(old: Iterable[ArtifactRecord], new: Iterable[ArtifactRecord]) -> tuple[list[Change], list[str]]:
    """Artifacts are the same by name and format (the workspace of a run has a path of its own), files by name."""
    before, after = (_files(side) for side in (old, new))
    changes, unknown = [], []
    for key in dict.fromkeys((*before, *after)):
        was, now = before.get(key), after.get(key)
        name = " ".join(dict.fromkeys(str(part) for part in key[:3]))
        if was is None or now is None or was.size != now.size or _apart(was, now):
            changes.append(Change("artifact", name, _bytes(was, now), _bytes(now, was)))
        elif not (was.digest and now.digest):
            unknown.append(name)
    return changes, unknown


def _files(records: Iterable[ArtifactRecord]) -> dict[tuple[object, ...], FileRecord]:
    return _numbered(((record.name, record.format, file.name), file) for record in records for file in record.files)


def _apart(was: FileRecord, now: FileRecord) -> bool:
    return bool(was.digest and now.digest and was.digest != now.digest)


def _bytes(file: FileRecord | None, other: FileRecord | None) -> str | None:
    """Its digest where the other side has one to be held beside it, or where it stands alone; else its size."""
    if file is None:
        return None
    return file.digest if file.digest and (other is None or other.digest) else f"{file.size:,} bytes"
