"""Owns the first difference: the module after which two runs are first further apart than their types explain."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import zip_longest
from math import inf, isfinite
from typing import Any, cast

import numpy as np
from pydantic import Field

from model_contracts.anatomy.claims import Claim
from model_contracts.checks.interface import Where
from model_contracts.outcome import Comparison, Place, Record
from model_contracts.runtimes.interface import HiddenStates, Session

#: Labels whose rounding does not add up to anything that is seen.
_LOSSLESS = ("lossless", "F32", "F16")
#: Stands for the output of a module that one side does not have.
_ABSENT: tuple[str, np.ndarray[Any, np.dtype[np.float32]]] = ("nothing", np.empty((0, 0), np.float32))


class Departure(Record):
    """How far apart the outputs of a module may be: RMSE of the difference divided by the RMS of the source's."""

    lossless: float = Field(gt=0, description="Every module of a conversion that loses nothing.")
    floors: dict[str, float] = Field(description="By the beginning of a recipe's label: never called a departure.")
    times: float = Field(gt=1, description="Beyond the floor: this many times the largest error of earlier modules.")
    most: float = Field(gt=0, description="Always a departure; for a label without a floor, the only bound.")

    def bound(self, label: str, largest: float) -> float:
        """The bound of a module, given the largest error of those before it."""
        if label in _LOSSLESS:
            return self.lossless
        floor = next((value for prefix, value in self.floors.items() if label.startswith(prefix)), self.most)
        return min(self.most, max(floor, self.times * largest))

    def pointer(self, label: str, largest: float) -> tuple[str, ...]:
        """Where the bound stands, below `departure`."""
        if label in _LOSSLESS:
            return ("lossless",)
        prefix = next((prefix for prefix in self.floors if label.startswith(prefix)), None)
        bound = self.bound(label, largest)
        if prefix is None or bound == self.most:
            return ("most",)
        return ("floors", prefix) if bound == self.floors[prefix] else ("times",)


@dataclass(frozen=True, slots=True)
class ModuleDifference:
    """The module that departs first, or the one with the largest error where none does."""

    module: str
    error: float
    bound: float
    departs: bool
    #: The module evaluated before it and its error (None: it is the first), and the largest error before it.
    before: tuple[str, float] | None
    largest: float
    #: Modules compared, this one included.
    compared: int
    note: str | None = None

    def __str__(self) -> str:
        if not self.departs:
            return (
                f"no module departs: {self.module} comes closest, relative RMSE {self.error:.3g} of {self.bound:.3g}; "
                "the output head is not shown"
            )
        before = f"{self.before[1]:.3g} after {self.before[0]}" if self.before is not None else "no module comes before"
        return f"{self.module} departs first: relative RMSE {self.error:.3g}, {before}" + (
            f"; {self.note}" if self.note else ""
        )


def first_difference(
    source: Session, target: Session, tokens: Sequence[int], departure: Departure, label: str
) -> ModuleDifference:
    """Both runs module by module, one pair held at a time, up to the first that departs. Raises RuntimeFailure."""
    before: tuple[str, float] | None = None
    closest: ModuleDifference | None = None
    largest, compared = 0.0, 0
    with closing(_states(source, tokens)) as theirs, closing(_states(target, tokens)) as ours:
        for (name, expected), (other, observed) in zip_longest(theirs, ours, fillvalue=_ABSENT):
            compared += 1
            same = name == other and expected.shape == observed.shape
            error = relative_rmse(observed, expected) if same else inf
            note = None if same else f"{_told(name, expected)} of the source, {_told(other, observed)} of the target"
            bound = departure.bound(label, largest)
            found = ModuleDifference(name, error, bound, error > bound, before, largest, compared, note)
            if found.departs:
                return found
            if closest is None or error / bound >= closest.error / closest.bound:
                closest = found
            before, largest = (name, error), max(largest, error)
    return closest or ModuleDifference("nothing", 0.0, departure.most, False, None, 0.0, 1, "no module was shown")


def compare_modules(found: ModuleDifference, departure: Departure, label: str, where: Where) -> Comparison:
    """What was found, as a comparison of the outcome it explains."""
    return Comparison(
        measure="first_departing_module",
        place=Place(tensor=found.module) if found.departs else Place(),
        expected=0.0,
        observed=found.error,
        holds=not found.departs,
        tolerance=found.bound,
        smallest_passing_tolerance=found.error,
        count=found.compared,
        bound_from=where("departure", *departure.pointer(label, found.largest)),
        note=str(found),
    )


def label_of(claim: Claim | None) -> str:
    """The label whose bounds apply."""
    return claim.label if claim is not None and claim.recipe is not None else "lossless"


def relative_rmse(target: np.ndarray[Any, Any], source: np.ndarray[Any, Any]) -> float:
    """RMSE of [positions, width] against the RMS of the source's; infinite where something is not finite."""
    theirs = source.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        error = float(np.sqrt(np.mean((target - theirs) ** 2)))
        scale = float(np.sqrt(np.mean(theirs**2)))
    if not isfinite(error) or not isfinite(scale):
        return inf
    return error / scale if scale else (inf if error else 0.0)


def _states(session: Session, tokens: Sequence[int]) -> Generator[tuple[str, np.ndarray[Any, np.dtype[np.float32]]]]:
    yield from cast("HiddenStates", session).hidden_states(tokens)


def _told(name: str, output: np.ndarray[Any, Any]) -> str:
    return f"{name} {list(output.shape)}" if output.size else name
