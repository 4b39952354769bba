"""Owns what a variant is: how it is made from a base model, and what the check has to see of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_contracts.engine.plan import CheckRequest
from support.shared_models import DATA

QWEN2, LLAMA = DATA / "tiny-qwen2", DATA / "tiny-llama"
QWEN2_Q4_K_M, LLAMA_Q8_0 = DATA / "tiny-qwen2-Q4_K_M.gguf", DATA / "tiny-llama-Q8_0.gguf"


@dataclass(frozen=True)
class CheckArguments:
    """What `contracts check` is given."""

    path: Path
    against: Path | None = None
    dtype: str | None = None

    @property
    def request(self) -> CheckRequest:
        """The same, as the engine takes it."""
        return CheckRequest((self.path,), against=self.against, dtype=self.dtype)


Make = Callable[[Path], CheckArguments]


class _Unsaid:
    """A part of a comparison that a variant says nothing of (None is a value like any other)."""


UNSAID = _Unsaid()


@dataclass(frozen=True)
class Seen:
    """The first violated comparison of a gate: its measure, where it looked, and what it expected and observed.

    `at` names the parts of the place that must be there with these values; `words` must all stand in the note.
    `expected` and `observed` are compared exactly, a float within 1 % of itself.
    """

    gate: str
    measure: str
    at: dict[str, Any]
    expected: Any = UNSAID
    observed: Any = UNSAID
    words: tuple[str, ...] = ()


def seen(
    gate: str,
    measure: str,
    *,
    expected: Any = UNSAID,
    observed: Any = UNSAID,
    words: tuple[str, ...] | str = (),
    **at: Any,
) -> Seen:
    """One gate's first violated comparison."""
    return Seen(gate, measure, at, expected, observed, (words,) if isinstance(words, str) else words)


@dataclass(frozen=True)
class Variant:
    """A broken variant: its name, how it is made, and every gate that is Falsified, no other."""

    name: str
    make: Make
    seen: tuple[Seen, ...]
    #: 1 falsified; 0 where only a `should` sees it.
    exit_code: int = 1

    @property
    def gates(self) -> set[str]:
        """The gates that see it."""
        return {one.gate for one in self.seen}


def broken(name: str, make: Make, *seen: Seen, exit_code: int = 1) -> Variant:
    """One line of a table of variants."""
    return Variant(name, make, seen, exit_code)
