"""Owns an audit: the records of one file held to every sign, and what is counted over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from model_contracts.audit.conditions import Names, holds
from model_contracts.audit.records import Line, SeenRecord, names, read, seen
from model_contracts.definitions.loading import load
from model_contracts.definitions.shipped import shipped_ids
from model_contracts.engine.forms import Form
from model_contracts.sign import Sign


@dataclass(frozen=True, slots=True)
class Accusation:
    """One record that a sign speaks about; `pointer` is its JSON pointer (RFC 6901) in the file."""

    pointer: str
    gate: str
    outcome: str
    sign: Sign


@dataclass(frozen=True, slots=True)
class Audit:
    """What the verdicts of one file are worth."""

    form: Form
    lines: tuple[Line, ...]
    accusations: tuple[Accusation, ...]

    def count(self, line: Line) -> int:
        """Records of one colour."""
        return self.lines.count(line)

    def accused(self, line: Line) -> int:
        """Records of one colour that a sign speaks about, each counted once."""
        return len({accusation.pointer for accusation in self.accusations if accusation.sign.verdict == line})


@cache
def signs() -> tuple[Sign, ...]:
    """Every shipped sign, by id."""
    return tuple(load(Sign, name) for name in shipped_ids("audit"))


def audit(path: Path, held_to: Iterable[Sign] | None = None) -> Audit:
    """Hold every record of a file or directory to the signs (all shipped ones).

    Raises engine.evidence.Unusable where the file cannot be read or holds no records.
    """
    records = read(path)
    chosen = [sign for sign in (signs() if held_to is None else held_to) if records.form in sign.evidence]
    known = names(records)
    every = list(seen(records))
    found = [accusation for record in every for accusation in _accusations(record, chosen, known)]
    return Audit(records.form, tuple(record.line for record in every), tuple(found))


def _accusations(record: SeenRecord, chosen: Iterable[Sign], known: Names) -> Iterator[Accusation]:
    for sign in chosen:
        if sign.verdict == record.line and _speaks(sign, record.gate) and _shown(sign, record.fields, known):
            yield Accusation(record.pointer, record.gate, record.outcome, sign)


def _speaks(sign: Sign, gate: str) -> bool:
    return any(fnmatchcase(gate, pattern) for pattern in sign.gates)


def _shown(sign: Sign, fields: dict[str, Any], known: Names) -> bool:
    if not any(all(holds(condition, fields, known) for condition in every) for every in sign.any):
        return False
    return not any(holds(condition, fields, known) for condition in sign.unless)
