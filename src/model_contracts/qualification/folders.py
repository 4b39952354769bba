"""Owns the folders that a qualification writes in: its own, and never an earlier run's but to go on with it."""

from __future__ import annotations

import shutil
from pathlib import Path

from model_contracts.engine.evidence import Unusable
from model_contracts.engine.plan import UsageError
from model_contracts.qualification.journal import NAME

#: What a run leaves at the top of its folder.
_LEFT = ("workspace", NAME, "evidence.json", "run.json")


def workspace(output: Path, *, resume: bool) -> Path:
    """`DIR/workspace`, there to be written in. Raises UsageError where DIR holds a run that is not gone on with."""
    root = output / "workspace"
    if not resume and (held := next((name for name in _LEFT if (output / name).exists()), None)):
        raise UsageError(
            f"{output} holds an earlier run ({held}): --resume goes on with a qualification, or give another -o"
        )
    if resume and not (output / NAME).exists() and root.exists() and any(root.iterdir()):
        raise UsageError(f"{root} has files, and {output / NAME} that says what they stand on is gone: give another -o")
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unusable(f"{root}: {(error.strerror or 'cannot be written').lower()}") from None
    return root


def sweep(root: Path) -> None:
    """Take away what conversions left that were ended before they published anything."""
    for folder in root.glob("*/*/*/.contracts-*"):
        shutil.rmtree(folder, ignore_errors=True)
