"""A machine so busy that every look at the clock comes seconds after the one before."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from types import ModuleType, SimpleNamespace

import pytest

from model_contracts.checks import search
from model_contracts.checks.running import distributions, shortest, tokenizer_texts

#: What may look at a clock while it looks for a counterexample.
WHO_LOOKS = (search, shortest, distributions, tokenizer_texts)


def slow_down(
    monkeypatch: pytest.MonkeyPatch, seconds: float = 20.0, modules: Sequence[ModuleType] = WHO_LOOKS
) -> None:
    """Let `seconds` pass between two looks at the clock, for whatever finds, keeps or shrinks an input."""
    now = count(1_000_000, seconds)
    clock = SimpleNamespace(monotonic=lambda: next(now))
    for module in modules:
        monkeypatch.setattr(module, "time", clock, raising=False)
