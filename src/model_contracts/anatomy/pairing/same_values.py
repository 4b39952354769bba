"""Owns whether two declared values are the same, and how a value is shown."""

from __future__ import annotations

from typing import Any

from model_contracts.outcome import jsonable


def same(a: Any, b: Any, relative: float) -> tuple[bool, float | None]:
    """Whether two values are equal, one against an array of equal entries too; and the distance of two numbers."""
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(same(x, y, relative)[0] for x, y in zip(a, b, strict=True)), None
    if isinstance(a, tuple) or isinstance(b, tuple):
        many, one = (a, b) if isinstance(a, tuple) else (b, a)
        return bool(many) and all(same(part, one, relative)[0] for part in many), None
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in (a, b)):
        if a == b:
            return True, 0.0
        distance = abs(_finite(a) - _finite(b)) / max(abs(_finite(b)), 1e-300)
        return distance <= relative, distance
    a, b = (value.lower() if isinstance(value, str) else value for value in (a, b))
    return a == b and isinstance(a, bool) == isinstance(b, bool), None


def _finite(value: float) -> float:
    """A number as a float in reach of arithmetic: JSON has whole numbers of any length."""
    try:
        return max(min(float(value), 1e300), -1e300)
    except OverflowError:
        return 1e300 if value > 0 else -1e300


def shown(value: Any) -> Any:
    """A value as evidence holds it."""
    return jsonable(list(value) if isinstance(value, tuple) else value)
