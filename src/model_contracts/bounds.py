"""Owns what of any parsed document is refused: deep nesting, and numbers that no computation takes."""

from __future__ import annotations

import sys
from math import isnan
from typing import Any

#: Levels of lists and objects, and magnitude of a number: what is read here is computed with as 64-bit floats.
DEPTH_BOUND, NUMBER_BOUND = 64, sys.float_info.max


class Beyond(Exception):
    """A document holds what is refused: what was expected, and what stood there."""

    def __init__(self, expected: str, observed: str) -> None:
        super().__init__(f"expected {expected}, found {observed}")
        self.expected, self.observed = expected, observed


def refuse_beyond(value: object) -> None:
    """Raise Beyond where a parsed value is nested too deep, or holds a number that a 64-bit float cannot."""
    level: list[Any] = [value]
    for _ in range(DEPTH_BOUND + 1):
        below: list[Any] = []
        for part in level:
            kind = type(part)
            if kind is str or part is None or kind is bool:
                continue
            if kind is int or kind is float:
                if not -NUMBER_BOUND <= part <= NUMBER_BOUND:
                    raise Beyond("a number that a 64-bit float holds", f"{_called(part)}{_at(value, part)}")
            elif isinstance(part, dict):
                below.extend(part.values())
            else:
                below.extend(part)
        if not (level := below):
            return
    raise Beyond(f"at most {DEPTH_BOUND} levels of lists and objects (a bound of this reader)", "one more")


def _called(number: int | float) -> str:
    if isinstance(number, float) and isnan(number):
        return "NaN"
    return "a greater one" if number > 0 else "a lesser one"


def _at(value: object, wanted: object) -> str:
    """` at key`: where a part of a value stands, down to the first level of lists; nothing where that is not known."""
    if isinstance(value, dict):
        for key, part in value.items():
            if part is wanted:
                return f" at {str(key)[:80]}"
            if isinstance(part, dict | list) and (below := _at(part, wanted)):
                return f" at {str(key)[:80]}{below.replace(' at ', '.', 1)}"
    elif isinstance(value, list):
        return next((f" at {index}" for index, part in enumerate(value) if part is wanted), "")
    return ""
