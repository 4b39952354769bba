"""Owns the error budgets of a conversion: which bounds a pair of element types is held to."""

from __future__ import annotations

from pydantic import Field, model_validator

from model_contracts.dtypes import DTYPES
from model_contracts.layout import ValueStep, steps_of
from model_contracts.outcome import Record
from model_contracts.sweep.interface import Pairing

#: Types whose every value the wider one holds exactly.
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
            if name not in DTYPES:
                raise ValueError(f"{name} is no element type; expected one of {', '.join(DTYPES)}")
        return self


def _rounds(step: ValueStep) -> bool:
    return step.name != "add" or (step.value or 0.0) < 0


def exact(pairing: Pairing) -> bool:
    """Whether the target's type holds every value of the source's: then nothing may differ.

    A value that a convention changes by a function (-exp of it) is as exact as two libraries compute that, and one that
    was added to and has that taken away again is rounded twice.
    """
    source, target = pairing.source.dtype, pairing.target.dtype
    if pairing.source.made is not None and any(map(_rounds, steps_of(pairing.source.made.layout))):
        return False
    return source == target or (source, target) in _WIDENS
