"""Owns the journal: what a qualification has seen so far, a line an outcome, so that it goes on where it was ended."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from model_contracts import door
from model_contracts.engine.bounded_json import JsonRefused, Unusable, parse
from model_contracts.engine.plan import UsageError
from model_contracts.log import logger
from model_contracts.outcome import ArtifactRecord, Outcome, Verdict

NAME = "journal.jsonl"
#: The longest journal that is gone on with, in bytes: one of 117 gates takes some 400 KB.
_MOST = 256 << 20


class Journal:
    """Outcomes by the key of their step; the first line says what they stand on."""

    def __init__(self, path: Path, stands_on: dict[str, str], *, resume: bool) -> None:
        self.path = path
        self.outcomes: dict[str, Outcome] = {}
        self.artifacts: dict[str, ArtifactRecord] = {}
        #: Keys of causes that were seen on artifacts that nothing is wrong with, as the earlier run knew them.
        self.blamed: set[str] = set()
        #: Why nothing is added any more. The run goes on: what it saw is still in memory, and can be printed.
        self.broken: str | None = None
        if resume and path.exists():
            self._read(stands_on)
        else:
            self._append({"stands_on": stands_on})

    def keep(self, key: str, outcome: Outcome, blamed: set[str]) -> None:
        """Add an outcome; it is on disk when this returns, unless the disk is full or gone (see `broken`)."""
        self.outcomes[key] = outcome
        self._append({"step": key, "outcome": outcome.model_dump(mode="json"), "blamed": sorted(blamed)})

    def know(self, record: ArtifactRecord) -> None:
        """Add an artifact that evidence will name."""
        if record.path not in self.artifacts:
            self.artifacts[record.path] = record
            self._append({"artifact": record.model_dump(mode="json")})

    def _append(self, entry: dict[str, Any]) -> None:
        if self.broken is not None:
            return
        line = json.dumps(entry, ensure_ascii=True) + "\n"
        try:
            with self.path.open("a", encoding="ascii") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            self.broken = f"{self.path}: {(error.strerror or 'cannot be written').lower()}"
            logger().warning("journal_not_written", reason=self.broken)

    def _read(self, stands_on: dict[str, str]) -> None:
        try:
            text = door.read(self.path, _MOST).decode("ascii", "replace")
        except OSError as error:
            raise Unusable(f"{self.path}: {(error.strerror or 'cannot be read').lower()}") from None
        lines = text.split("\n")
        whole = lines[:-1]  # what stands behind the last end of line was being written when the run was ended
        for number, line in enumerate(whole, 1):
            expected = "an outcome of an earlier run" if number > 1 else "what an earlier run stands on"
            try:
                self._take(parse(line.encode()), stands_on, first=number == 1)
            except (ValueError, JsonRefused, ValidationError, KeyError, TypeError, AttributeError, RecursionError):
                raise Unusable(f"{self.path}:{number}: expected {expected}, found something else") from None
        if lines[-1]:
            self._cut(len(text) - len(lines[-1]))
        if not whole:
            self._append({"stands_on": stands_on})

    def _take(self, entry: Any, stands_on: dict[str, str], *, first: bool) -> None:
        if ("stands_on" in entry) is not first:
            raise ValueError("outcomes stand on the first line alone")
        if first:
            differ = [name for name, value in stands_on.items() if entry["stands_on"].get(name) != value]
            if differ:
                raise UsageError(
                    f"{self.path}: the earlier run stands on another {', '.join(differ)}: nothing of it can be used "
                    "again; give another -o"
                )
        elif "artifact" in entry:
            record = ArtifactRecord.model_validate(entry["artifact"])
            self.artifacts[record.path] = record
        else:
            outcome = Outcome.model_validate_json(json.dumps(entry["outcome"]))
            self.outcomes.pop(str(entry["step"]), None)
            if not _of_the_machine(outcome):
                self.outcomes[str(entry["step"])] = outcome
            self.blamed.update(map(str, entry.get("blamed", ())))

    def _cut(self, size: int) -> None:
        with self.path.open("r+b") as file:
            file.truncate(size)


def _of_the_machine(outcome: Outcome) -> bool:
    """Whether an outcome says that something was full, missing or broken here: it is evaluated again."""
    return outcome.outcome is Verdict.ERROR or any(cause.component == "environment" for cause in outcome.causes)
