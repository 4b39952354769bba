"""Owns which oracles an answer is held to: those that the playbook chose for its prompt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model_contracts.outcome import Comparison
from model_contracts.playbook import OracleChoice


def judged(
    oracles: Sequence[OracleChoice], prompt: str, text: str | None, tokens: Sequence[int] | None
) -> Iterator[Comparison]:
    """Compare one answer with what each oracle of its prompt expects."""
    yield from ()
