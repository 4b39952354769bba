"""Owns the last step of a shrink: the fewest and plainest code points with which a text still fails.

Hypothesis shrinks the choices that made a text, and a word of a vocabulary is one choice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from model_contracts.engine.search import SHRINK_SECONDS

#: Candidates that are tried, at most, and of how many one call is told.
_MOST, _AT_ONCE = 20_000, 64
_PLAIN = ("a", "0", " ")


def shortest(text: str, fails: Callable[[Sequence[str]], Sequence[bool]], seconds: float = SHRINK_SECONDS) -> str:
    """A text that fails, and from which no run of code points can be taken and none made plainer, within the bounds."""
    ends, tried = time.monotonic() + seconds, 0
    candidates = _smaller(text)
    while time.monotonic() < ends and tried < _MOST:
        some = [candidate for _, candidate in zip(range(_AT_ONCE), candidates, strict=False)]
        if not some:
            return text
        tried += len(some)
        better = next((candidate for candidate, failed in zip(some, fails(some), strict=True) if failed), None)
        if better is not None:
            text, candidates = better, _smaller(better)
    return text


def _smaller(text: str) -> Iterator[str]:
    """Texts with a run of code points taken, the longest run first; then with one of them made plainer."""
    run = len(text)
    while run:
        yield from (text[:at] + text[at + run :] for at in range(0, len(text) - run + 1, max(1, run // 2)))
        run //= 2
    for at, letter in enumerate(text):
        ranks = _PLAIN[: _PLAIN.index(letter)] if letter in _PLAIN else _PLAIN
        yield from (text[:at] + plain + text[at + 1 :] for plain in ranks)
