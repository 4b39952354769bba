"""Owns comparisons and gaps that are written down only where evidence keeps them: a file may have a hundred thousand.

Evidence keeps the first violations, the closest of what held and the first gaps; of all others it keeps the numbers. A
draft carries those numbers, and how its record is written.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from model_contracts.artifact import Tensor
from model_contracts.outcome import Comparison, Place, Uncompared


class Draft(NamedTuple):
    """One comparison that is not written down yet, or `times` alike that are written down together."""

    holds: bool
    write: Callable[[], Comparison]
    #: Values that stood behind each.
    values: int = 1
    #: The share of the tolerance that was used: the closest comparisons are kept.
    used: float = 0.0
    times: int = 1


class Gap(NamedTuple):
    """One place that was owed and not compared, not written down yet."""

    reason: str
    write: Callable[[], Uncompared]
    values: int = 1


def gap(tensor: Tensor, reason: str, count: int = 1) -> Gap:
    """A tensor of which `count` values stay uncompared."""
    return Gap(reason, partial(_uncompared, tensor, reason, count), count)


def _uncompared(tensor: Tensor, reason: str, count: int) -> Uncompared:
    return Uncompared(place=Place(file=tensor.file.name, tensor=tensor.name), count=count, reason=reason)


def share(distance: float, tolerance: float) -> float:
    """How much of a tolerance a distance uses."""
    return distance / tolerance if tolerance else 0.0


def written(told: Comparison | Uncompared | Draft | Gap) -> Comparison | Uncompared:
    """The record itself."""
    return told.write() if isinstance(told, Draft | Gap) else told
