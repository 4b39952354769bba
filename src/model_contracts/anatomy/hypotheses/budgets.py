"""Owns the error budgets of a conversion: which bounds a pair of element types is held to."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic import Field, model_validator

from model_contracts.artifact import Tensor
from model_contracts.dtypes import DTYPES
from model_contracts.layout import ValueStep, steps_of
from model_contracts.outcome import Record
from model_contracts.sweep.interface import Pairing

#: Types whose every value the wider one holds exactly.
_GRAIN = re.compile(r"[A-Z0-9]+(/(row|tensor|\d{1,6}))?")
_WIDENS = {("BF16", "F32"), ("F16", "F32"), ("BF16", "F64"), ("F16", "F64"), ("F32", "F64")}


class Budget(Record):
    """Bounds on one element type; each is a share, so that they hold for tensors of any scale."""

    relative_rmse: float = Field(ge=0, description="RMSE of the error divided by the RMS of the source.")
    row_cosine: float = Field(ge=0, le=1, description="1 minus the smallest cosine of a row pair.")
    gain: float = Field(ge=0, description="Distance of the regression slope from 1.")
    offset: float = Field(ge=0, description="Regression intercept divided by the RMS of the source.")
    max_error: float = Field(ge=0, description="Largest error divided by the largest magnitude of the source.")
    mean: float = Field(ge=0, description="Shift of the mean divided by the source's RMS.")
    std: float = Field(
        ge=0,
        description="Shift of the deviation divided by the source's, or by a tenth of its RMS.",
    )
    extreme: float = Field(ge=0, description="Shift of minimum and maximum divided by the largest magnitude.")


class Budgets(Record):
    """Budgets by the target's element type; a pair that loses nothing is held to equality."""

    budgets: dict[str, Budget]

    @model_validator(mode="after")
    def _types_exist(self) -> Budgets:
        for name in self.budgets:
            if name not in DTYPES and not _GRAIN.fullmatch(name):
                raise ValueError(f"{name} is neither an element type ({', '.join(DTYPES)}) nor a grain (INT4/128)")
        return self

    def of(self, pairing: Pairing, packed: bool = False) -> tuple[str, Budget] | None:
        """The budget of a pair and what it is called.

        Of packed weights it is that of the next larger group that has one. Where both sides are quantised, each in its
        own way (made of one model, and not of each other), both errors are allowed. Where a target is a model that its
        writer `packed`, what it left as it was may differ from a quantised source by what that source has lost.
        """
        target, source = pairing.target, pairing.source
        if packed and target.kind == "float" and source.packed is None and source.kind == "quantised":
            return self._of(source)
        found = self._of(target)
        own = source.packed is not None or (target.packed is not None and source.kind == "quantised")
        other = self._of(source) if own else None
        if found is None or other is None or target.kind != "quantised":
            return found
        ours, theirs = found[1].model_dump(), other[1].model_dump()
        both = {measure: ours[measure] + theirs[measure] for measure in ours}
        return found[0], Budget(**{**both, "row_cosine": min(both["row_cosine"], 1.0)})

    def _of(self, tensor: Tensor) -> tuple[str, Budget] | None:
        packed = tensor.packed
        if packed is None or packed.grain is None:
            name = tensor.dtype if packed is None else ""
            return (name, self.budgets[name]) if name in self.budgets else None
        kind, share = packed.grain
        sizes = (_size(key, kind) for key in self.budgets)
        wider = sorted(size for size in sizes if size is not None and size >= share)
        names = [f"{kind}/{size}" for size in (wider if share > 0 else ())]
        names += [f"{kind}/row"] if share >= 0 else [f"{kind}/tensor"]
        return next(((name, self.budgets[name]) for name in (*names, kind) if name in self.budgets), None)


def _size(key: str, kind: str) -> int | None:
    """The group of a grain of that kind, as `INT4/128` says it."""
    name, _, size = key.partition("/")
    return int(size) if name == kind and size.isdigit() else None


def _rounds(step: ValueStep) -> bool:
    return step.name != "add" or (step.value or 0.0) < 0


def exact(pairing: Pairing) -> bool:
    """Whether the target's type holds every value of the source's: then nothing may differ.

    A value that a convention changes by a function (-exp of it) is as exact as two libraries compute that, and one that
    was added to and has that taken away again is rounded twice.
    """
    parts = list(_leaves(pairing.source))
    if any(part.computed is not None for part in parts):
        return False
    ours, theirs = pairing.target.packed, pairing.source.packed
    if ours is not None or theirs is not None:
        return ours is not None and theirs is not None and ours.layout == theirs.layout
    target = pairing.target.dtype
    if pairing.source.made is not None and any(map(_rounds, steps_of(pairing.source.made.layout))):
        return False
    return all(part.dtype == target or (part.dtype, target) in _WIDENS for part in parts)


def _leaves(tensor: Tensor) -> Iterator[Tensor]:
    """The stored, packed or computed tensors that one is made of."""
    if tensor.computed is not None or tensor.made is None:
        yield tensor
    else:
        for part in tensor.made.parts.values():
            yield from _leaves(part)
