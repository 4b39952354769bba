"""Owns the last step of a shrink: the fewest and plainest code points with which a text still fails.

Hypothesis shrinks the choices that made a text, and a word of a vocabulary is one choice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

#: What the step may cost: candidates that are tried, and code points in them. One call is told of so many.
MOST, MOST_CODE_POINTS = 8192, 2_000_000
_AT_ONCE = 64
_PLAIN = ("a", "0", " ")


def shortest(text: str, fails: Callable[[Sequence[str]], Sequence[bool]]) -> str:
    """A text that fails, and from which no run of code points can be taken and none made plainer, within the bounds."""
    tried = code_points = 0
    candidates = _smaller(text)
    while tried < MOST and code_points < MOST_CODE_POINTS:
        some = [candidate for _, candidate in zip(range(_AT_ONCE), candidates, strict=False)]
        if not some:
            return text
        tried += len(some)
        code_points += sum(map(len, some))
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
