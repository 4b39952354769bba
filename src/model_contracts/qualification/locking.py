"""Owns the lock of a playbook: its digest in a file beside it, so that evidence says when the playbook was changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from model_contracts import door, placing
from model_contracts.engine.bounded_json import JsonRefused, Unusable, parse
from model_contracts.playbook import Playbook
from model_contracts.qualification.reading import any_playbook

Lock = Literal["locked", "changed", "unlocked"]
NAME = "playbooks.lock"
_MOST = 1 << 20


def lock(name: str) -> str:
    """Record a playbook's digest beside it, those of other playbooks kept; what was done, in a line."""
    path = Path(name)
    digest, place = _digest(any_playbook(path)[0]), path.parent / NAME
    entries = _entries(place)
    before = entries.get(path.name)
    text = json.dumps(dict(sorted((entries | {path.name: digest}).items())), indent=2) + "\n"
    try:
        placing.write(place, text.encode(), replace=True)  # what it held is in what is written
    except OSError as error:
        raise Unusable(f"{place}: {(error.strerror or 'cannot be written').lower()}") from None
    said = "locked" if before is None else "locked as before" if before == digest else f"locked anew, it was {before}"
    return f"{place}: {path.name} {digest}, {said}"


def state(path: Path, playbook: Playbook) -> Lock:
    """Whether a playbook is the one that was locked."""
    known = _entries(path.parent / NAME).get(path.name)
    return "unlocked" if known is None else "locked" if known == _digest(playbook) else "changed"


def _entries(place: Path) -> dict[str, str]:
    try:
        value = parse(door.read(place, _MOST))
    except FileNotFoundError:
        return {}
    except (OSError, JsonRefused) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise Unusable(f"{place}: expected the digests of playbooks, found what cannot be read: {why}") from None
    if not isinstance(value, dict) or not all(isinstance(digest, str) for digest in value.values()):
        raise Unusable(f"{place}: expected an object of playbook names and digests, found another form")
    return value


def _digest(playbook: Playbook) -> str:
    assert playbook._origin is not None
    return playbook._origin.digest
