"""Owns whether a distribution or a program is here, and its version, without importing it."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def distribution(name: str) -> str | None:
    """The version of an installed Python distribution; None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
