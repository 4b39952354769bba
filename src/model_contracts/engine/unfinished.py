"""Owns the journal of a check that is going on: a line an outcome, so that a run that was ended goes on where it was.

It lies beside the evidence while the run goes on, and goes when the evidence is written. Nothing of a journal counts
that stands on other files, definitions or options, or that is not whole line by line: all of it is evaluated again.
A line is handed to the system in one write. It is not forced to disk: what a machine that lost its power left of the
last lines is no JSON, and is then no journal.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from model_contracts import door, placing
from model_contracts.checks.interface import Examination
from model_contracts.engine.bounded_json import JsonRefused, parse
from model_contracts.engine.evidence import Unusable, violations
from model_contracts.engine.examined import Examined
from model_contracts.engine.plan import Step
from model_contracts.log import logger
from model_contracts.outcome import ArtifactRecord, Outcome, Verdict, as_json
from model_contracts.tables import TensorTable

NAME = "unfinished.jsonl"
#: The longest journal that is gone on with, in bytes; one of 45 gates and 3,000 tensors takes under 1 MB.
_MOST = 256 << 20
#: Tensors of one line.
_ROWS = 5_000
#: Files that were being written when a run was ended.
_HALF = re.compile(r"\.(evidence\.json|run\.json|tensors\.json|unfinished\.jsonl)\.[0-9a-f]{12}")
#: What is read of an artifact when a gate first asks for it, and then is a matter of its container too.
_READ = ("tokenizer", "pieces")
_STANDS_ON, _BEGINS = "stands_on", b'{"stands_on"'


class JournalRefused(Exception):
    """A journal of which nothing is used: one line that says why."""


@dataclass
class Earlier:
    """What an earlier run saw of one artifact: outcomes by their step, and the records where all was seen."""

    outcomes: dict[int, Outcome] = field(default_factory=dict)
    records: tuple[ArtifactRecord, ...] | None = None
    table: TensorTable | None = None
    read: set[tuple[str, str]] = field(default_factory=set)

    def read_again(self, examination: Examination) -> None:
        """Read what gates of the earlier run had read: the ledgers of the artifacts hold what that brought up."""
        for side, what in sorted(self.read):
            getattr(getattr(examination, side), what, None)


class Unfinished:
    """The journal of one run."""

    def __init__(self, folder: Path, held: Sequence[Examined], stands_on: dict[str, str], *, resume: bool) -> None:
        self.path = folder / NAME
        #: What a person is told of the journal that lay there.
        self.said: str | None = None
        self._held, self._earlier = held, {at: Earlier() for at in range(len(held))}
        self._file: BinaryIO | None = None
        self._resumed = resume
        lines: list[bytes] = []
        if resume:
            try:
                lines = self._read(stands_on)
            except JournalRefused as refused:
                self._earlier = {at: Earlier() for at in range(len(held))}
                self.said = f"{self.path}: {refused}; everything is evaluated"
        elif os.path.lexists(self.path):
            self.said = f"{self.path}: a run was ended here, and is begun anew (--resume goes on with it)"
        self._begin([_line({_STANDS_ON: stands_on}), *lines])

    def earlier(self, at: int) -> Earlier:
        """What an earlier run saw of the artifact at that place."""
        return self._earlier[at]

    def keep(self, at: int, step: int, outcome: Outcome, examination: Examination) -> None:
        """Add an outcome; it outlives this process when this returns, unless the disk is full or gone."""
        sides = {"target": examination.target, "source": examination.source}
        read = [[side, name] for side, one in sides.items() if one is not None for name in _READ if name in vars(one)]
        self._append(_line({"at": [at, step], "outcome": as_json(outcome.model_dump(by_alias=True)), "read": read}))

    def know(self, at: int, records: Sequence[ArtifactRecord], table: TensorTable | None) -> None:
        """Add the records of an artifact of which everything was seen, and its tensors.

        Where they are more than a line may hold, the bytes are read again.
        """
        if table is None or len(table.rows) <= _ROWS:
            told = [as_json(record.model_dump()) for record in records]
            self._append(_line({"at": [at], "records": told, "table": as_json(table.model_dump()) if table else None}))

    def end(self) -> None:
        """Take the journal away: the evidence is written."""
        if self._file is not None:
            self._file.close()
            self._file = None
        with suppress(OSError):  # it says nothing that the evidence does not
            self.path.unlink(missing_ok=True)
            for name in os.listdir(self.path.parent) if self._resumed else ():  # noqa: PTH208 -- names
                if _HALF.fullmatch(name):
                    (self.path.parent / name).unlink(missing_ok=True)

    def _begin(self, lines: list[bytes]) -> None:
        """A journal of our own in the place of what lies there: no link is followed, no file of others is added to."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            placing.write(self.path, b"".join(lines), replace=True)
            self._file = self.path.open("ab", buffering=0)
        except OSError as error:
            self._broken(error)

    def _append(self, line: bytes) -> None:
        if self._file is None:
            return
        try:
            if self._file.write(line) != len(line):
                raise OSError(0, "no room")
        except OSError as error:
            self._broken(error)

    def _broken(self, error: OSError) -> None:
        """Nothing is kept any more. The run goes on: what it saw is still in memory, and can be printed."""
        logger().warning("journal_not_written", path=str(self.path), reason=(error.strerror or "no room").lower())
        self._file = None

    def _read(self, stands_on: dict[str, str]) -> list[bytes]:
        """The lines that count; raises JournalRefused for a journal that does not."""
        if not os.path.lexists(self.path):
            raise JournalRefused("no run was ended here")
        try:
            data = door.read(self.path, _MOST)
        except OSError as error:
            raise JournalRefused(f"not read: {(error.strerror or 'cannot be read').lower()}") from None
        whole = data.split(b"\n")[:-1]  # what stands behind the last end of line was being written
        if not _begins_as_ours(data):
            raise JournalRefused("line 1: expected what a run stands on, found something else")
        if not whole:
            return []
        self._refuse_other(_entry(whole[0], 1), stands_on)
        kept = []
        for number, line in enumerate(whole[1:], 2):
            if self._take(_entry(line, number), number):
                kept.append(line + b"\n")
        return kept

    def _refuse_other(self, entry: dict[str, Any], stands_on: dict[str, str]) -> None:
        earlier = entry.get(_STANDS_ON)
        if not isinstance(earlier, dict) or entry.keys() != {_STANDS_ON}:
            raise JournalRefused("line 1: expected what a run stands on, found something else")
        differ = [
            name for name in sorted(stands_on.keys() | earlier.keys()) if earlier.get(name) != stands_on.get(name)
        ]
        if differ:
            raise JournalRefused(f"the run that was ended stands on other {', '.join(map(str, differ[:8]))}"[:300])

    def _take(self, entry: dict[str, Any], number: int) -> bool:
        """Take one entry; whether it counts (what failed in us, or for want of a disk, is evaluated again)."""
        try:
            at, *step = (int(one) for one in entry["at"])
            held, earlier = self._held[at], self._earlier[at]
            if not step:
                earlier.records = _records(entry["records"], held)
                earlier.table = TensorTable.model_validate(entry["table"]) if entry["table"] is not None else None
                return True
            outcome = Outcome.model_validate(entry["outcome"])
            if at < 0 or not 0 <= step[0] < len(held.plan.steps) or not _is_of(outcome, held.plan.steps[step[0]]):
                raise ValueError("no step of this run")
            if next(iter(violations([entry["outcome"]])), None) is not None:
                raise ValueError("no outcome")
            read = {(str(side), str(name)) for side, name in entry["read"]}
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            raise JournalRefused(f"line {number}: expected an outcome of this run, found something else") from None
        if outcome.outcome is Verdict.ERROR:
            return False
        earlier.outcomes[step[0]] = outcome
        earlier.read |= read & {(side, name) for side in ("target", "source") for name in _READ}
        return True


def _begins_as_ours(data: bytes) -> bool:
    return _BEGINS.startswith(data[: len(_BEGINS)])


def _line(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry, ensure_ascii=True, allow_nan=False).encode() + b"\n"


def _entry(line: bytes, number: int) -> dict[str, Any]:
    try:
        entry = parse(line)
    except JsonRefused as refused:
        raise JournalRefused(f"line {number}: {refused}") from None
    if not isinstance(entry, dict):
        raise JournalRefused(f"line {number}: expected an object, found something else")
    return entry


def _records(entries: Any, held: Examined) -> tuple[ArtifactRecord, ...]:
    """The records of target and source; ValueError for those of others."""
    records = tuple(ArtifactRecord.model_validate(entry) for entry in entries)
    of = held.examination
    sides = [one for one in (of.target, of.source, of.adapter) if one is not None]
    if [record.path for record in records] != [as_json(str(side.path)) for side in sides]:
        raise ValueError("other artifacts")
    return records


def _is_of(outcome: Outcome, step: Step) -> bool:
    """Whether an outcome is that of a step."""
    told = (outcome.gate_id, outcome.title, outcome.invariant, outcome.contract, outcome.force)
    return told == (step.gate.id, step.gate.title, step.invariant.id, step.contract, step.force)


def refuse_foreign(folder: Path) -> None:
    """Raises Unusable where a file of that name lies there that is no journal of ours: it would be replaced."""
    path = folder / NAME
    if os.path.lexists(path) and not _is_ours(path):
        raise Unusable(f"{placing.taken([path])} (this is not the journal of an earlier check)")


def was_ended(folder: Path) -> bool:
    """Whether a check was ended in a folder: what of its evidence lies there may be half of it."""
    return os.path.lexists(folder / NAME) and _is_ours(folder / NAME)


def _is_ours(path: Path) -> bool:
    try:
        with door.opened(path) as file:
            return _begins_as_ours(file.read(len(_BEGINS)))
    except OSError:
        return False
