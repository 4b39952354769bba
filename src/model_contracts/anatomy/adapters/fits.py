"""Owns what fits of an adapter, and what does not: a factor with its place in the base, or why it has none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from model_contracts.anatomy.parts.adapter_factors import Factor
from model_contracts.artifact import Tensor


@dataclass(frozen=True, slots=True)
class Placed:
    """A tensor of the base, and what a factor adds to it; of what was saved whole, that."""

    base: Tensor
    #: A tensor of the factor, which says where it stands.
    first: Tensor
    added: Tensor
    factor: Factor | None = None
    magnitude: Tensor | None = None
    #: Whether magnitudes are those of columns.
    turned: bool = False
    #: Whether `added` holds what was added to the same tensor before.
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Misfit:
    """What of an adapter has no place, and why: `holds` is False where it cannot have one, None where nothing says."""

    first: Tensor
    reason: str
    holds: bool | None = None
    expected: Any = None
