"""Owns reading a playbook's file: ours, or one of another system, and by name what of it is not evaluated."""

from __future__ import annotations

from pathlib import Path

from model_contracts.compat.apr_qa.playbook import NotEvaluated, is_founding, load_founding_playbook
from model_contracts.definitions.loading import load
from model_contracts.playbook import Playbook


def any_playbook(path: Path) -> tuple[Playbook, NotEvaluated]:
    """The playbook of a file, ours or theirs. Raises DefinitionError."""
    return load_founding_playbook(path) if is_founding(path) else (load(Playbook, path), ())
