"""Owns one form for one set of pieces: what goes on where another piece ended is one piece with it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from model_contracts.layout.pieces import Digit, Piece, limited, ordered


class _Row(NamedTuple):
    """A piece seen along one of its digits, or as one value of a digit that it has not."""

    at: int
    first: int
    size: int
    logical: int
    stored: int
    piece: int


def merged(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """The fewest pieces found that give the same values, in the order of their first places."""
    groups: dict[object, list[Piece]] = {}
    for piece in limited(pieces):
        groups.setdefault((piece.name, piece.steps), []).append(ordered(piece))
    found: list[Piece] = []
    for group in groups.values():
        known = group
        while len(known) > 1:
            fewer = _once(known)
            if len(fewer) == len(known):
                break
            known = fewer
        found.extend(known)
    return tuple(sorted(found, key=lambda piece: (piece.at, piece.name, piece.first)))


def _once(group: list[Piece]) -> list[Piece]:
    """Each piece merged at most along one digit, the digit along which most pieces stand side by side."""
    rows: dict[tuple[Digit, ...], list[_Row]] = {}
    for number, piece in enumerate(group):
        rows.setdefault(piece.digits, []).append(_Row(piece.at, piece.first, 1, 0, 0, number))
        for digit in piece.digits:
            rest = tuple(other for other in piece.digits if other is not digit)
            rows.setdefault(rest, []).append(_Row(piece.at, piece.first, *digit, number))
    chains: list[tuple[list[_Row], tuple[Digit, ...]]] = []
    for rest, side in rows.items():
        if len(side) > 1:
            chains.extend((chain, rest) for chain in _chains(sorted(side), rest))
    chains.sort(key=lambda found: (-len({row.piece for row in found[0]}), found[0][0].at, found[0][0].first, found[1]))
    used: set[int] = set()
    made: list[Piece] = []
    for chain, rest in chains:
        numbers = [row.piece for row in chain]
        if used.isdisjoint(numbers):
            used.update(numbers)
            made.append(_one(group[numbers[0]], chain, rest))
    return made + [piece for number, piece in enumerate(group) if number not in used]


def _chains(side: list[_Row], rest: tuple[Digit, ...]) -> Iterable[list[_Row]]:
    """Rows that go on where the one before ended, at one stride; a stride backwards is none."""
    held = [side[0]]
    size, stride = side[0].size, (side[0].logical, side[0].stored)
    for row in side[1:]:
        joins = _stride(held[0], size, stride, row)
        if joins is not None and _nested((*rest, Digit(size + row.size, *joins))):
            held.append(row)
            size, stride = size + row.size, joins
            continue
        if len(held) > 1:
            yield held
        held, size, stride = [row], row.size, (row.logical, row.stored)
    if len(held) > 1:
        yield held


def _stride(held: _Row, size: int, stride: tuple[int, int], row: _Row) -> tuple[int, int] | None:
    """The stride at which a row goes on from `size` values from the one held; None where it does not."""
    logical, stored = stride
    if not logical:
        logical, stored = (row.logical, row.stored) if row.logical else (row.at - held.at, row.first - held.first)
    goes_on = row.at == held.at + size * logical and row.first == held.first + size * stored
    alike = row.size == 1 or (row.logical, row.stored) == (logical, stored)
    return (logical, stored) if goes_on and alike and logical > 0 and stored > 0 else None


def _nested(digits: tuple[Digit, ...]) -> bool:
    """Whether every digit steps over all that the smaller ones reach, in the whole and in the stored tensor."""
    for side in (1, 2):
        reach = 0
        for digit in sorted(digits, key=lambda digit: digit[side]):
            if digit[side] <= reach:
                return False
            reach += (digit.size - 1) * digit[side]
    return True


def _one(piece: Piece, chain: list[_Row], rest: tuple[Digit, ...]) -> Piece:
    first = chain[0]
    size = sum(row.size for row in chain)
    logical, stored = next(
        ((row.logical, row.stored) for row in chain if row.size > 1),
        (chain[1].at - first.at, chain[1].first - first.first),
    )
    return ordered(Piece(piece.name, first.at, first.first, (*rest, Digit(size, logical, stored)), piece.steps))
