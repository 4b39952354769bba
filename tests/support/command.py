"""Runs `contracts`, in a process that has imported it where it can, and reads exit code, text and evidence."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from support.warm import Warm

CONTRACTS = Path(sys.executable).with_name("contracts")
_SECONDS = 300.0


@dataclass(frozen=True)
class Result:
    """One finished command."""

    code: int
    stdout: str
    stderr: str
    evidence: list[dict[str, Any]] = field(default_factory=list)
    run: dict[str, Any] = field(default_factory=dict)

    def gates(self, outcome: str, force: str | None = None) -> set[str]:
        """Ids of the gates with an outcome."""
        return {e["gate_id"] for e in self.evidence if e["outcome"] == outcome and force in (None, e["force"])}

    def gate(self, gate_id: str) -> dict[str, Any]:
        """The outcome of one gate."""
        return next(e for e in self.evidence if e["gate_id"] == gate_id)

    def violated(self, gate_id: str) -> list[dict[str, Any]]:
        """The comparisons of a gate that did not hold."""
        return [c for c in self.gate(gate_id)["comparisons"] if not c["holds"]]


def contracts(*arguments: str | Path, cwd: Path | None = None) -> Result:
    """Run the command in a process of its own."""
    words = [str(argument) for argument in arguments]
    if (ready := _warm()) is not None and ready.serves:
        return Result(*ready.run(words, cwd, _SECONDS))
    done = subprocess.run(
        [str(CONTRACTS), *words], capture_output=True, text=True, cwd=cwd, timeout=_SECONDS, check=False
    )
    return Result(done.returncode, done.stdout, done.stderr)


@cache
def _warm() -> Warm | None:
    return Warm() if hasattr(os, "fork") and hasattr(socket, "send_fds") else None


def check(folder: Path, *arguments: str | Path) -> Result:
    """`contracts check … -o folder`, with the evidence it wrote."""
    done = contracts("check", *arguments, "-o", folder)
    assert done.code in (0, 1, 3), f"exit {done.code}\n{done.stdout}\n{done.stderr}"
    evidence = json.loads((folder / "evidence.json").read_text("utf-8"))
    run = json.loads((folder / "run.json").read_text("utf-8"))
    assert run["decision"]["exit_code"] == done.code
    return Result(done.code, done.stdout, done.stderr, evidence, run)
