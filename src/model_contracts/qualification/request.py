"""Owns what `contracts qualify` is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from model_contracts.playbook import OnFailure, Playbook
from model_contracts.qualification.locking import Lock


@dataclass(frozen=True, slots=True)
class QualifyRequest:
    """What `contracts qualify` is asked."""

    playbook: Playbook
    #: How the playbook was named, for commands that run a gate again.
    named: str
    model_path: Path
    output: Path
    system: str | None = None
    gpu: bool = True
    workers: int = 1
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    failure: OnFailure | None = None
    resume: bool = False
    #: Take nothing away: every artifact that was made stays in the workspace.
    keep: bool = False
    lock: Lock = "unlocked"
    #: What of a playbook of the founding system is not evaluated, and why.
    not_evaluated: tuple[tuple[str, str], ...] = ()
    command: tuple[str, ...] = ()
    #: Told of each step before it is evaluated: its number, how many there are, its key.
    tell: Callable[[int, int, str], None] | None = None
