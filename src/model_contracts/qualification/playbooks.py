"""Owns opening a playbook: one that is known by id, a file, or a file of the founding system."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from model_contracts import door
from model_contracts.definitions import known_ids, load
from model_contracts.playbook import Playbook
from model_contracts.qualification.locking import Lock, state
from model_contracts.qualification.reading import any_playbook


@dataclass(frozen=True, slots=True)
class Opened:
    """A playbook, whether it is the one that was locked, and what of it is not evaluated."""

    playbook: Playbook
    lock: Lock
    not_evaluated: tuple[tuple[str, str], ...] = ()


def opened(name: str) -> Opened:
    """The playbook of that id or path. Raises DefinitionError."""
    for known in (name, f"qualification/{name}"):
        if known in known_ids("playbook"):
            return Opened(load(Playbook, known), "unlocked")
    if "/" not in name and not door.is_regular(name):
        return Opened(load(Playbook, name), "unlocked")
    playbook, not_evaluated = any_playbook(Path(name))
    return Opened(playbook, state(Path(name), playbook), not_evaluated)
