"""Owns what a reporter is: a pure function from evidence and its run to text."""

from __future__ import annotations

from typing import Protocol

from model_contracts.outcome import Evidence, Run


class Reporter(Protocol):
    """Renders evidence and reads nothing else."""

    def __call__(self, outcomes: Evidence, run: Run, *, width: int, color: bool) -> str:
        """The text, `width` columns wide where it wraps, with ANSI colours where `color`."""
        ...
