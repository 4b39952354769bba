"""Owns how names of many tensors are written as one: `{0-23}` stands for each whole number of a range."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby, product
from math import prod

_RANGE = re.compile(r"\{(\d{1,7})-(\d{1,7})\}")
_NUMBER = re.compile(r"(?<![^./])\d{1,7}(?![^./])")
#: Names that one pattern stands for, at most.
MOST_NAMES = 200_000

Ranges = tuple[tuple[int, int], ...]


def is_pattern(name: str) -> bool:
    """Whether a name would be read as a pattern of others."""
    return _RANGE.search(name) is not None


def ranges_of(pattern: str) -> Ranges:
    """The ranges of a pattern, first and last number of each. ValueError for one that counts down, or for too many."""
    found = tuple((int(first), int(last)) for first, last in _RANGE.findall(pattern))
    if any(first > last for first, last in found):
        raise ValueError("ranges that count up")
    if count(found) > MOST_NAMES:
        raise ValueError(f"at most {MOST_NAMES:,} names in one pattern")
    return found


def count(ranges: Ranges) -> int:
    """How many names there are."""
    return prod(last - first + 1 for first, last in ranges)


def names_of(pattern: str) -> Iterator[str]:
    """Every name, the last range running fastest."""
    parts = _RANGE.split(pattern)[::3]
    for numbers in product(*(range(first, last + 1) for first, last in ranges_of(pattern))):
        yield parts[0] + "".join(f"{number}{part}" for number, part in zip(numbers, parts[1:], strict=True))


def patterns_of(names: Iterable[str]) -> Iterator[str]:
    """The fewest patterns that are exactly these names; a number counts where it stands between dots."""
    numbered: dict[str, list[tuple[int, ...]]] = {}
    for name in names:
        numbers = tuple(int(found) for found in _NUMBER.findall(name))
        plain = all(str(int(found)) == found for found in _NUMBER.findall(name))
        template, at = (_NUMBER.sub("{}", name), numbers) if plain and "{" not in name else (name, ())
        numbered.setdefault(template, []).append(at)
    for template, places in numbered.items():
        for ranges in _boxes(sorted(places)):
            spelled = iter([f"{{{first}-{last}}}" if first < last else str(first) for first, last in ranges])
            yield re.sub(r"\{\}", lambda _, spelled=spelled: next(spelled), template)  # type: ignore[misc]


def _boxes(places: list[tuple[int, ...]]) -> list[Ranges]:
    """Sorted places as boxes: runs of first numbers below which all else is the same."""
    if not places[0]:
        return [()]
    runs: list[tuple[int, int, list[Ranges]]] = []
    for number, group in groupby(places, lambda place: place[0]):
        below = _boxes([place[1:] for place in group])
        first, last, same = runs[-1] if runs else (number, -2, [])
        if number == last + 1 and below == same:
            runs[-1] = (first, number, below)
        else:
            runs.append((number, number, below))
    return [((first, last), *rest) for first, last, below in runs for rest in below]
