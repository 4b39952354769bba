"""Owns pieces: boxes of a tensor's values, each an arithmetic of where they stand and of where they are stored.

A piece says: for every choice of its digits d, the value at `at + sum(d * logical)` of the whole stands at
`first + sum(d * stored)` of one stored tensor. Reshapes change nothing of it. What a permutation, a part or a
concatenation does is new strides, once a piece is cut so that no digit crosses the border of an axis.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import gcd, prod
from typing import NamedTuple

from model_contracts.layout.expressions import LayoutError
from model_contracts.layout.steps import ValueStep

#: Pieces of one expression; what a real convention needs is one for each part.
MOST_PIECES = 16_384


class Digit(NamedTuple):
    """`size` places, `logical` apart in the whole and `stored` apart in the stored tensor."""

    size: int
    logical: int
    stored: int


@dataclass(frozen=True, slots=True)
class LayoutPiece:
    """A box of values of one stored tensor, and what is done to each of them."""

    name: str
    at: int
    first: int
    digits: tuple[Digit, ...]
    steps: tuple[ValueStep, ...] = ()

    @property
    def count(self) -> int:
        """How many values it holds."""
        return prod(digit.size for digit in self.digits)

    @property
    def last_at(self) -> int:
        """The last place of the whole that it fills."""
        return self.at + sum((digit.size - 1) * digit.logical for digit in self.digits)

    @property
    def last(self) -> int:
        """The last place of the stored tensor that it reads."""
        return self.first + sum((digit.size - 1) * digit.stored for digit in self.digits)

    def stretches(self, near: int = 0) -> tuple[tuple[Digit, ...], tuple[Digit, ...], int]:
        """How its stored values are read: a stretch for each choice of the outer digits, and in it the inner ones.

        Gives the outer digits, the inner ones and the values from the first to the last of a stretch. Values no
        further apart than `near` (those between are read too) are in one stretch.
        """
        digits = sorted(self.digits, key=lambda digit: digit.stored)
        reach, inner = 1, 0
        for size, _, stored in digits:
            if stored > reach + near:
                break
            reach, inner = reach + (size - 1) * stored, inner + 1
        return tuple(digits[inner:][::-1]), tuple(digits[:inner][::-1]), reach

    def box(self, columns: int) -> tuple[range, range]:
        """Rows and columns of a stored tensor with so many columns that hold all its values; steps where there is one.

        Where a row is crossed, the columns are all of them.
        """
        low = [digit for digit in self.digits if digit.stored < columns]
        high = [digit for digit in self.digits if digit.stored >= columns]
        start = self.first % columns
        stop = start + sum((digit.size - 1) * digit.stored for digit in low) + 1
        rows = range(self.first // columns, self.last // columns + 1)
        if stop > columns or any(digit.stored % columns for digit in high):
            return rows, range(columns)
        steps = [high[0].stored // columns if len(high) == 1 else 1, low[0].stored if len(low) == 1 else 1]
        return range(rows.start, rows.stop, steps[0]), range(start, stop, steps[1])

    def moved(self, at: int, digits: tuple[Digit, ...]) -> LayoutPiece:
        """The same stored values in other places of the whole; `dataclasses.replace` takes twice as long."""
        return LayoutPiece(self.name, at, self.first, digits, self.steps)

    def turned(self) -> LayoutPiece:
        """The same pairs of places, the stored one asked for by the logical one; steps are left out."""
        return LayoutPiece(self.name, self.first, self.at, tuple(Digit(n, s, m) for n, m, s in self.digits))

    def part(self, digit: Digit, start: int, *instead: Digit) -> LayoutPiece:
        """Those values for which a digit is `start` or more, the digit replaced by others."""
        kept = (*(other for other in self.digits if other is not digit), *(new for new in instead if new.size > 1))
        at, first = self.at + start * digit.logical, self.first + start * digit.stored
        return LayoutPiece(self.name, at, first, kept, self.steps)

    def single(self, digit: Digit) -> Iterator[LayoutPiece]:
        """A piece for each value of a digit."""
        if digit.size > MOST_PIECES:
            raise LayoutError(f"expected at most {MOST_PIECES} pieces, found {digit.size} of {self.name[:80]}")
        return (self.part(digit, start) for start in range(digit.size))


def ordered(piece: LayoutPiece) -> LayoutPiece:
    """Digits from the outermost of the whole to the innermost, and those that go on as one written as one."""
    found: list[Digit] = []
    for digit in sorted((digit for digit in piece.digits if digit.size > 1), key=lambda digit: -digit.logical):
        size, logical, stored = digit
        if found and found[-1].logical == size * logical and found[-1].stored == size * stored:
            found[-1] = Digit(found[-1].size * size, logical, stored)
        else:
            found.append(digit)
    digits = tuple(found)
    return piece if digits == piece.digits else piece.moved(piece.at, digits)


def limited(pieces: Iterable[LayoutPiece]) -> list[LayoutPiece]:
    """All of them; raises LayoutError for more than MOST_PIECES."""
    found: list[LayoutPiece] = []
    for piece in pieces:
        found.append(piece)
        if len(found) > MOST_PIECES:
            raise LayoutError(f"expected at most {MOST_PIECES} pieces, found more (axes that do not divide)")
    return found


def cut(pieces: Iterable[LayoutPiece], border: int) -> Iterator[LayoutPiece]:
    """The same values in pieces of which none crosses a multiple of `border` by its digits below the border.

    Every digit at or above the border is then a multiple of it.
    """
    todo = list(pieces)[::-1]
    while todo:
        piece = todo.pop()
        wild = next((d for d in piece.digits if d.logical >= border and d.logical % border), None)
        low = [digit for digit in piece.digits if digit.logical < border]
        if wild is None and piece.at % border + sum((d.size - 1) * d.logical for d in low) < border:
            yield piece
            continue
        wide = wild or max(low, key=lambda digit: digit.logical)
        inner = sum((d.size - 1) * d.logical for d in low if d is not wide) + piece.at % wide.logical
        if wild is None and border % wide.logical == 0 and inner < wide.logical:
            todo.extend(_divided(piece, wide, border))
        else:
            todo.extend(piece.single(wide))
        if len(todo) > MOST_PIECES:
            raise LayoutError(f"expected at most {MOST_PIECES} pieces, found more (axes that do not divide)")


def _divided(piece: LayoutPiece, digit: Digit, border: int) -> Iterator[LayoutPiece]:
    """What of a digit stands before the first border, what fills whole borders, and the rest."""
    size, logical, stored = digit
    whole = border // logical
    before = -(piece.at % border // logical) % whole
    before = min(before, size)
    many, rest = divmod(size - before, whole)
    if before:
        yield piece.part(digit, 0, Digit(before, logical, stored))
    if many:
        yield piece.part(digit, before, Digit(whole, logical, stored), Digit(many, border, stored * whole))
    if rest:
        yield piece.part(digit, size - rest, Digit(rest, logical, stored))


def restrided(piece: LayoutPiece, border: int, outer: int, shift: int = 0) -> LayoutPiece:
    """What stands at `k * border + rest` stands at `k * outer + shift + rest`; the piece was cut at the border."""
    digits = tuple(
        Digit(d.size, d.logical // border * outer, d.stored) if d.logical >= border else d for d in piece.digits
    )
    return piece.moved(piece.at // border * outer + shift + piece.at % border, digits)


def taken(pieces: Iterable[LayoutPiece], inner: int, size: int, part: range) -> Iterator[LayoutPiece]:
    """Those values whose place on one axis is in `part`: `inner` values stand behind each of its `size` places."""
    border, step = inner * size, part.step
    todo = list(cut(cut(pieces, inner), border))[::-1]
    while todo:
        piece = todo.pop()
        place = piece.at % border // inner
        on = [digit for digit in piece.digits if inner <= digit.logical < border]
        last = place + sum((digit.size - 1) * digit.logical for digit in on) // inner
        if last < part.start or place >= part.stop:
            continue
        if place < part.start or last >= part.stop:
            todo.extend(_within(piece, on, inner, (part.start - place, part.stop - place)))
            continue
        odd = [digit for digit in on if digit.logical // inner % step]
        if len(odd) > 1:
            todo.extend(piece.single(min(odd)))
        elif odd:
            todo.extend(_stepped(piece, odd[0], inner, part.start - place, step))
        elif (place - part.start) % step == 0:
            yield _on_part(piece, inner, border, part)


def _within(piece: LayoutPiece, on: list[Digit], inner: int, bounds: tuple[int, int]) -> Iterator[LayoutPiece]:
    """The piece in parts along its widest digit of an axis: those wholly within the bounds as one, others singly."""
    wide = max(on, key=lambda digit: digit.logical)
    stride = wide.logical // inner
    rest = sum((digit.size - 1) * digit.logical for digit in on if digit is not wide) // inner
    start, stop = bounds
    low, high = max(0, -(-(start - rest) // stride)), min(wide.size, (stop - 1) // stride + 1)
    whole, end = max(low, -(-start // stride)), min(high, (stop - 1 - rest) // stride + 1)
    if whole < end:
        yield piece.part(wide, whole, wide._replace(size=end - whole))
    for at in (*range(low, min(whole, high)), *range(max(whole, end), high)):
        yield piece.part(wide, at)


def _stepped(piece: LayoutPiece, digit: Digit, inner: int, start: int, step: int) -> Iterator[LayoutPiece]:
    """Those values of a digit that a step of an axis meets: `digit * stride = start` modulo the step."""
    stride = digit.logical // inner
    common = gcd(stride, step)
    if start % common == 0:
        every = step // common
        found = start // common * pow(stride // common, -1, every) % every if every > 1 else 0
        if found < digit.size:
            size = (digit.size - 1 - found) // every + 1
            yield piece.part(digit, found, Digit(size, digit.logical * every, digit.stored * every))


def _on_part(piece: LayoutPiece, inner: int, border: int, part: range) -> LayoutPiece:
    """The piece as a piece of the part: places on the axis are numbered from its start, by its step."""

    def moved(place: int) -> int:
        return place // border * inner * len(part) + place % border // inner // part.step * inner + place % inner

    digits = tuple(Digit(size, moved(logical), stored) for size, logical, stored in piece.digits)
    return piece.moved(moved(piece.at - part.start * inner), digits)
