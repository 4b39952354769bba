"""Owns what a property is: a kind of check whose inputs are generated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from model_contracts.checks.interface import Comparisons, Examination, Where
from model_contracts.engine.trial import Trial
from model_contracts.outcome import Comparison, Counterexample, Record


@dataclass(frozen=True, slots=True)
class Property:
    """A kind of check whose inputs are generated."""

    parameters: type[Record]
    run: Callable[[Examination, Any, Where, Trial], Comparisons]
    #: A stored counterexample again, without Hypothesis (None: what it takes to run again is not stored).
    again: Callable[[Examination, Any, Counterexample], Comparison] | None = None
