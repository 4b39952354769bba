"""Owns one form for one set of pieces: what goes on where another piece ended is one piece with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from model_contracts.layout.pieces import Digit, LayoutPiece, limited, ordered

Digits = tuple[Digit, ...]


class _Row(NamedTuple):
    """A piece seen along one of its digits, or as one value of a digit that it has not."""

    at: int
    first: int
    size: int
    logical: int
    stored: int
    piece: int


def merged(pieces: Iterable[LayoutPiece]) -> tuple[LayoutPiece, ...]:
    """The fewest pieces found that give the same values, in the order of their first places."""
    groups: dict[object, list[LayoutPiece]] = {}
    for piece in limited(pieces):
        groups.setdefault((piece.name, piece.steps), []).append(ordered(piece))
    found: list[LayoutPiece] = []
    for group in groups.values():
        known = group
        while len(known) > 1:
            fewer = _once(known)
            if len(fewer) == len(known):
                break
            known = fewer
        found.extend(known)
    return tuple(sorted(found, key=lambda piece: (piece.at, piece.name, piece.first)))


def _once(group: list[LayoutPiece]) -> list[LayoutPiece]:
    """Each piece merged at most along one digit, the digit along which most pieces stand side by side."""
    rows: dict[Digits, list[_Row]] = {}
    for number, piece in enumerate(group):
        rows.setdefault(piece.digits, []).append(_Row(piece.at, piece.first, 1, 0, 0, number))
        for digit in piece.digits:
            rest = tuple(other for other in piece.digits if other is not digit)
            rows.setdefault(rest, []).append(_Row(piece.at, piece.first, *digit, number))
    chains: list[tuple[list[_Row], Digits]] = []
    for rest, side in rows.items():
        if len(side) > 1:
            chains.extend((chain, rest) for chain in _chains(sorted(side), rest))
    chains.sort(key=lambda found: (-len({row.piece for row in found[0]}), found[0][0].at, found[0][0].first, found[1]))
    used: set[int] = set()
    made: list[LayoutPiece] = []
    for chain, rest in chains:
        numbers = [row.piece for row in chain]
        if used.isdisjoint(numbers):
            used.update(numbers)
            made.append(_one(group[numbers[0]], chain, rest))
    return made + [piece for number, piece in enumerate(group) if number not in used]


def _chains(side: list[_Row], rest: Digits) -> Iterator[list[_Row]]:
    """Rows that go on where the one before ended, at one stride: first those that have a stride, then what is left."""
    starts: dict[tuple[int, int], list[_Row]] = {}
    for row in side:
        starts.setdefault(row[:2], []).append(row)
    used: set[_Row] = set()
    for row in side:
        if row.logical and row not in used:
            chain = [*_before(row, starts, rest), row]
            chain += _after(chain, starts, rest)
            used.update(chain)
            if len(chain) > 1:
                yield chain
    yield from _even([row for row in side if not row.logical and row not in used], rest)


def _before(row: _Row, starts: dict[tuple[int, int], list[_Row]], rest: Digits) -> list[_Row]:
    """Single values that stand before a row at its stride."""
    found: list[_Row] = []
    at, first = row.at - row.logical, row.first - row.stored
    while lone := next((other for other in starts.get((at, first), ()) if not other.logical), None):
        if not _nested((*rest, Digit(row.size + len(found) + 1, row.logical, row.stored))):
            break
        found.append(lone)
        at, first = at - row.logical, first - row.stored
    return found[::-1]


def _after(chain: list[_Row], starts: dict[tuple[int, int], list[_Row]], rest: Digits) -> list[_Row]:
    """What stands behind a chain at the stride of its last row: rows of that stride, or single values."""
    found: list[_Row] = []
    stride, size = chain[-1][3:5], sum(row.size for row in chain)
    while True:
        key = (chain[0].at + size * stride[0], chain[0].first + size * stride[1])
        behind = [row for row in starts.get(key, ()) if not row.logical or row[3:5] == stride]
        row = max(behind, default=None)
        if row is None or not _nested((*rest, Digit(size + row.size, *stride))):
            return found
        found.append(row)
        size += row.size


def _even(lone: list[_Row], rest: Digits) -> Iterator[list[_Row]]:
    """Single values at even distances, in the order of the whole; a distance backwards is none."""
    held: list[_Row] = []
    for row in lone:
        if held:
            gap = (row.at - held[-1].at, row.first - held[-1].first)
            alike = len(held) == 1 or gap == (held[1].at - held[0].at, held[1].first - held[0].first)
            if alike and min(gap) > 0 and _nested((*rest, Digit(len(held) + 1, *gap))):
                held.append(row)
                continue
            if len(held) > 1:
                yield held
        held = [row]
    if len(held) > 1:
        yield held


def _nested(digits: Digits) -> bool:
    """Whether every digit steps over all that the smaller ones reach, in the whole and in the stored tensor."""
    for side in (1, 2):
        reach = 0
        for digit in sorted(digits, key=lambda digit: digit[side]):
            if digit[side] <= reach:
                return False
            reach += (digit.size - 1) * digit[side]
    return True


def _one(piece: LayoutPiece, chain: list[_Row], rest: Digits) -> LayoutPiece:
    first = chain[0]
    size = sum(row.size for row in chain)
    logical, stored = next(
        ((row.logical, row.stored) for row in chain if row.size > 1),
        (chain[1].at - first.at, chain[1].first - first.first),
    )
    return ordered(LayoutPiece(piece.name, first.at, first.first, (*rest, Digit(size, logical, stored)), piece.steps))
