"""Owns the two ways in which SentencePiece's merges are told: as a list in order, and as scores of what they make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

Merge = tuple[str, str]
Tie = Literal["ids", "lengths"]
#: A vocabulary allows a few merges a token; this bounds the time that a hostile one takes.
MOST_MERGES, _LONGEST = 4_000_000, 256


class NoOrder(Exception):
    """Scores or a list of merges that the other cannot stand for; the message says where."""


def allowed(ids: Mapping[str, int]) -> Iterator[Merge]:
    """Every two tokens that make a third, in the order of the third one's id. Raises NoOrder past a bound."""
    count = 0
    for token in ids:
        for cut in range(1, min(len(token), _LONGEST)):
            if token[:cut] in ids and token[cut:] in ids:
                count += 1
                yield token[:cut], token[cut:]
        if count > MOST_MERGES:
            raise NoOrder(f"a vocabulary of more than {MOST_MERGES:,} possible merges")


def merges_of(ids: Mapping[str, int], scores: Sequence[float], then: Tie = "ids") -> list[Merge]:
    """The merges that scores allow, in the order in which they join: the highest score first.

    Merges of one score stand by the ids of their halves, as transformers 4 wrote them, or by their lengths, as 5 does.
    """
    by_length = then == "lengths"
    ranked = sorted(
        (-scores[ids[a + b]], len(a) if by_length else ids[a], len(b) if by_length else ids[b], ids[a], (a, b))
        for a, b in allowed(ids)
    )
    return [pair for *_, pair in ranked]


def scores_of(ids: Mapping[str, int], merges: Sequence[Merge]) -> dict[str, float]:
    """A score for each token that a list of merges makes, so that scores join as the list does.

    Raises NoOrder where merges of one token stand apart in the list, or where the vocabulary allows more than it
    lists: scores say only what is made, and would join both alike.
    """
    scores: dict[str, float] = {}
    last = None
    for left, right in merges:
        made = left + right
        if made != last and made in scores:
            raise NoOrder(f"the merges that make {made!r} stand apart, and scores keep them together")
        scores[made] = scores.get(made, -float(len(scores)))
        last = made
    listed = set(merges)
    for left, right in allowed(ids):
        if (left, right) not in listed:
            raise NoOrder(f"{left!r} and {right!r} would join by score, and no merge lists them")
    return scores
