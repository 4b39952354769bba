"""Owns what the pass over the bytes is asked and what it answers: pairings in; moments, pair measures, digests out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, nan, sqrt
from pathlib import Path
from typing import Literal

from model_contracts.artifact import Tensor
from model_contracts.sweep.figures import PackedFigures

#: Shared by the moments of all tensors that are no experts, of which there may be a hundred thousand.
_NO_EXPERTS: Mapping[int, tuple[int, int]] = {}


@dataclass(slots=True)
class Moments:
    """Statistics of one tensor. Sums are over finite values; minimum and maximum too.

    A *dead* row holds only zeros; a *constant* row holds one value in every column (and is not dead).
    `rows` is 0 where rows were not looked at (vectors count as one row).
    """

    count: int = 0
    nan: int = 0
    infinite: int = 0
    zeros: int = 0
    total: float = 0.0
    squares: float = 0.0
    minimum: float = inf
    maximum: float = -inf
    rows: int = 0
    dead_rows: int = 0
    constant_rows: int = 0
    #: The first few dead or constant rows, and rows that hold a NaN or an infinity.
    first_dead: tuple[int, ...] = ()
    first_constant: tuple[int, ...] = ()
    nonfinite_rows: int = 0
    first_nonfinite: tuple[int, ...] = ()
    #: Dead and non-finite rows by leading index, for tensors of three axes (experts): index -> (dead, non-finite).
    experts: Mapping[int, tuple[int, int]] = field(default_factory=lambda: _NO_EXPERTS)

    @property
    def finite(self) -> int:
        """Values that are neither NaN nor infinite."""
        return self.count - self.nan - self.infinite

    @property
    def mean(self) -> float:
        """Mean of the finite values (NaN if there are none)."""
        return self.total / self.finite if self.finite else nan

    @property
    def std(self) -> float:
        """Population standard deviation of the finite values."""
        if not self.finite:
            return nan
        return sqrt(max(self.squares / self.finite - self.mean**2, 0.0))

    @property
    def rms(self) -> float:
        """Root mean square of the finite values."""
        return sqrt(self.squares / self.finite) if self.finite else nan


@dataclass(slots=True)
class PairMeasures:
    """Elementwise measures of a target against its source under the declared transform; sums over finite pairs."""

    count: int = 0
    #: Pairs of which either value is NaN or infinite, and those of them that are not both NaN or the same infinity.
    nonfinite: int = 0
    nonfinite_differing: int = 0
    differing: int = 0
    squared_error: float = 0.0
    source_squares: float = 0.0
    target_squares: float = 0.0
    cross: float = 0.0
    source_total: float = 0.0
    target_total: float = 0.0
    max_error: float = 0.0
    max_error_row: int = -1
    #: Smallest cosine of a row pair, over rows where either side is not all zero (a zero row against a non-zero
    #: row counts as 0); 1.0 where there is none.
    min_row_cosine: float = 1.0
    min_row: int = -1
    rows: int = 0
    #: The rows with the smallest cosine, worst first (at most 8): (row, cosine).
    worst_rows: tuple[tuple[int, float], ...] = ()

    @property
    def relative_rmse(self) -> float:
        """RMSE divided by the RMS of the source (0 where both are zero, inf where only the source is)."""
        if self.squared_error == 0.0:
            return 0.0
        return sqrt(self.squared_error / self.source_squares) if self.source_squares else inf

    @property
    def sqnr(self) -> float:
        """Signal to quantisation noise ratio in dB."""
        from math import log10

        return inf if not self.squared_error else 10 * log10(max(self.source_squares, 1e-300) / self.squared_error)

    @property
    def cosine(self) -> float:
        """Cosine over the whole tensor (1 where both are zero)."""
        norms = sqrt(self.source_squares) * sqrt(self.target_squares)
        if norms == 0.0:
            return 1.0 if self.source_squares == self.target_squares else 0.0
        return self.cross / norms

    @property
    def gain(self) -> float:
        """Slope of the regression of target on source, with an offset."""
        variance = self.source_squares - self.source_total**2 / self.count if self.count else 0.0
        if variance <= 1e-12 * max(self.source_squares, 1e-300):
            return self.cross / self.source_squares if self.source_squares else nan
        return (self.cross - self.source_total * self.target_total / self.count) / variance

    @property
    def offset(self) -> float:
        """Intercept of that regression, in the unit of the values."""
        return (self.target_total - self.gain * self.source_total) / self.count if self.count else nan


@dataclass(frozen=True, slots=True, eq=False)
class Added:
    """What an adapter adds to the source of a pair, in the target's places, and whose each row of it is.

    `of` are the tensors of the base that it is added to. Where there are several, `runs` gives, in order, how many rows
    are of which of them (-1: of one to which nothing is added).
    """

    tensor: Tensor
    of: tuple[str, ...]
    runs: tuple[tuple[int, int], ...] = ()


@dataclass(slots=True)
class Projection:
    """Sums over finite places of an error e = target - expected and of what was added a, both as the target's type.

    `expected` is the base with it, rounded to the type where that is a float; a is that less the rounded base.
    """

    count: int = 0
    aa: float = 0.0
    ea: float = 0.0
    ee: float = 0.0
    xa: float = 0.0
    ex: float = 0.0
    xx: float = 0.0

    def plus(self, other: Projection) -> Projection:
        """The sums of both."""
        ours, theirs = ((one.aa, one.ea, one.ee, one.xa, one.ex, one.xx) for one in (self, other))
        return Projection(self.count + other.count, *(a + b for a, b in zip(ours, theirs, strict=True)))


@dataclass(frozen=True, slots=True)
class Pairing:
    """A target tensor and what it is compared with, value by value: a tensor of its source, or one made of several."""

    target: Tensor
    source: Tensor
    #: Whether something declares that the two hold the same values in that order: equal names, or a family.
    declared: bool = True
    #: What an adapter adds to the source, which has it already.
    added: Added | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """A read that did not give what the header promised: a file that shrank or changed, or a failing disk."""

    file: Path
    tensor: str | None
    offset: int
    expected: int
    observed: int
    reason: str


@dataclass(slots=True)
class Sweep:
    """What one pass saw. Keys are tensor names of the target; `source_moments` is by source tensor name."""

    moments: dict[str, Moments] = field(default_factory=dict)
    source_moments: dict[str, Moments] = field(default_factory=dict)
    pairs: dict[str, PairMeasures] = field(default_factory=dict)
    #: Of pairs to which an adapter adds something: the target's error projected on it, for each tensor of the base.
    projections: dict[str, tuple[Projection, ...]] = field(default_factory=dict)
    #: Pairings that were not compared value by value, by target name, and why.
    uncompared: dict[str, str] = field(default_factory=dict)
    #: `blake3:<hex>` of every byte of a file, header and padding included.
    digests: dict[Path, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    #: Types that no kernel decodes: their tensors have no moments, and a report says so.
    undecoded: dict[str, int] = field(default_factory=dict)
    #: Packed weights whose parts make no values, by name, and why.
    undecodable: dict[str, str] = field(default_factory=dict)
    #: Scales, zero points and units of packed weights, by name of the weight.
    packed: dict[str, PackedFigures] = field(default_factory=dict)
    values: int = 0
    seconds: float = 0.0
    engine: Literal["numba", "numpy"] = "numpy"
    #: Why numba was not used where it would have paid.
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class SweepRequest:
    """What a pass is asked: every tensor of the target files, with its pairing where it has one."""

    tensors: Sequence[Tensor]
    pairings: Mapping[str, Pairing] = field(default_factory=dict)
    #: Files to digest whole (target files ride in the pass; the source's are read once for it).
    digest: Sequence[Path] = ()
