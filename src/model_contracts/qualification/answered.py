"""Owns what an artifact answered on its runtime, and how long that took: asked once, whichever gate looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """What one artifact makes of one probe."""

    #: Token ids of the prompt; None where the runtime does not say them, but their number.
    prompt: tuple[int, ...] | None
    prompt_tokens: int | None
    #: Natural-log probabilities [positions, vocabulary], where the runtime gives them.
    rows: np.ndarray[tuple[int, int], np.dtype[np.float32]] | None
    #: Greedy continuation, where it gives ids.
    tokens: tuple[int, ...] | None
    way: str = "prompt"


@dataclass(frozen=True, slots=True)
class Timings:
    """Repeated answers to one prompt: seconds of each, tokens of each, seconds of one token."""

    seconds: tuple[float, ...]
    tokens: tuple[int, ...]
    first: tuple[float, ...]

    @property
    def rates(self) -> tuple[float, ...]:
        """Tokens a second, of each run."""
        return tuple(count / seconds for count, seconds in zip(self.tokens, self.seconds, strict=True))
