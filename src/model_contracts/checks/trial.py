"""Owns what a property is given beside the examination, and what it may find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from model_contracts.outcome import Counterexample


@dataclass(slots=True)
class Trial:
    """What a property needs beside the examination, and the counterexample it may find."""

    seed: int
    max_examples: int | None
    #: Seconds after which a property generates no more; None: until its examples are spent.
    time_budget: float | None = None
    #: Past counterexamples of the invariant, as stored; they run before anything is generated.
    pinned: Sequence[JsonValue] = ()
    #: Whether the first module that departs is looked for where distributions are falsified.
    bisect: bool = False
    counterexample: Counterexample | None = None
