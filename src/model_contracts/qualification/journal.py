"""Owns the journal: what a qualification has seen so far, a line an outcome, so that it goes on where it was ended."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from model_contracts.engine.evidence import Unusable
from model_contracts.engine.plan import UsageError
from model_contracts.outcome import ArtifactRecord, Outcome

NAME = "journal.jsonl"


class Journal:
    """Outcomes by the key of their step; the first line says what they stand on."""

    def __init__(self, path: Path, stands_on: dict[str, str], *, resume: bool) -> None:
        self.path = path
        self.outcomes: dict[str, Outcome] = {}
        self.artifacts: dict[str, ArtifactRecord] = {}
        if resume and path.exists():
            self._read(stands_on)
        else:
            self._append({"stands_on": stands_on})

    def keep(self, key: str, outcome: Outcome) -> None:
        """Add an outcome; it is on disk when this returns. Raises Unusable where the disk does not take it."""
        self.outcomes[key] = outcome
        self._append({"step": key, "outcome": outcome.model_dump(mode="json")})

    def know(self, record: ArtifactRecord) -> None:
        """Add an artifact that evidence will name."""
        if record.path not in self.artifacts:
            self.artifacts[record.path] = record
            self._append({"artifact": record.model_dump(mode="json")})

    def _append(self, entry: dict[str, Any]) -> None:
        line = json.dumps(entry, ensure_ascii=True) + "\n"
        try:
            with self.path.open("a", encoding="ascii") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise Unusable(f"{self.path}: {(error.strerror or 'cannot be written').lower()}") from None

    def _read(self, stands_on: dict[str, str]) -> None:
        try:
            text = self.path.read_text("ascii", "replace")
        except OSError as error:
            raise Unusable(f"{self.path}: {(error.strerror or 'cannot be read').lower()}") from None
        lines = text.split("\n")
        whole = lines[:-1]  # what stands behind the last end of line was being written when the run was ended
        for number, line in enumerate(whole, 1):
            try:
                self._take(json.loads(line), stands_on)
            except (ValueError, ValidationError, KeyError, TypeError):
                raise Unusable(
                    f"{self.path}:{number}: expected an outcome of an earlier run, found something else"
                ) from None
        if not whole:
            self._append({"stands_on": stands_on})
        elif lines[-1]:
            self._cut(len(text) - len(lines[-1]))

    def _take(self, entry: dict[str, Any], stands_on: dict[str, str]) -> None:
        if "stands_on" in entry:
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
            self.outcomes[str(entry["step"])] = Outcome.model_validate_json(json.dumps(entry["outcome"]))

    def _cut(self, size: int) -> None:
        with self.path.open("r+b") as file:
            file.truncate(size)
