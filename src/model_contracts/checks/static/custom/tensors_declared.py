"""Kinds `tensors_typed`, `tensors_shaped`, `tensors_counted`: what headers say of tensors that a person chose."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field, model_validator

from model_contracts.artifact import Tensor
from model_contracts.checks.interface import Comparisons, Examination, Where, missing_input, static
from model_contracts.checks.static.custom.selected import (
    Interval,
    KeyPlaces,
    Selector,
    bound_lines,
    chosen,
    declared_at,
    place_of,
    within,
)
from model_contracts.dtypes import DTYPES
from model_contracts.outcome import Comparison, Place, Record, Uncompared, jsonable

_COUNTED = ("number", "parameters", "share")


class TensorsTypedParameters(Selector):
    """Tensors and the element types that they may have."""

    types: tuple[str, ...] = Field(min_length=1, description="BF16, F32, Q4_K, ...")

    @model_validator(mode="after")
    def _known(self) -> TensorsTypedParameters:
        if unknown := [name for name in self.types if name not in DTYPES]:
            raise ValueError(f"an element type that is known, and {', '.join(unknown)[:60]} is none")
        return self


class KeyAxis(Record):
    """An axis that is as long as a key says."""

    key: KeyPlaces


class TensorsShapedParameters(Selector):
    """Tensors and the shape that they have, row-major."""

    shape: tuple[int | KeyAxis | None, ...] = Field(
        max_length=8, description="The length of each axis, outermost first: a number, a key, or null for any."
    )


class TensorsCountedParameters(Selector):
    """Tensors and how many of them, and of their values, there are."""

    number: Interval | None = Field(None, description="How many tensors match; at_most 0: there is none.")
    parameters: Interval | None = Field(None, description="How many values they hold together.")
    share: Interval | None = Field(None, description="Their values, of all values of the artifact.")

    @model_validator(mode="after")
    def _some(self) -> TensorsCountedParameters:
        if self.number is None and self.parameters is None and self.share is None:
            raise ValueError(f"one of {', '.join(_COUNTED)}")
        return self


def tensors_typed(examination: Examination, parameters: TensorsTypedParameters, where: Where) -> Comparisons:
    """Compare the type of each tensor with those that it may have."""
    found, gaps = chosen(examination, parameters)
    yield from gaps
    for tensor in found.values():
        yield Comparison(
            measure="element_type",
            place=place_of(tensor),
            expected=list(parameters.types) if len(parameters.types) > 1 else parameters.types[0],
            observed=tensor.dtype,
            holds=tensor.dtype in parameters.types,
            bound_from=where("types"),
        )


def tensors_shaped(examination: Examination, parameters: TensorsShapedParameters, where: Where) -> Comparisons:
    """Compare the number of axes, and each axis that is given."""
    found, gaps = chosen(examination, parameters)
    yield from gaps
    wanted = [_length(examination, axis) for axis in parameters.shape]
    for tensor in found.values():
        yield from _shape(tensor, wanted, where)


def _length(examination: Examination, axis: int | KeyAxis | None) -> int | str | None:
    """How long an axis is; text: why that is not known."""
    if not isinstance(axis, KeyAxis):
        return axis
    value, place = declared_at(examination.target, axis.key)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return f"{place} declares no whole number for this axis"


def _shape(tensor: Tensor, wanted: list[int | str | None], where: Where) -> Iterator[Comparison | Uncompared]:
    place, line = place_of(tensor), where("shape")
    yield Comparison(
        measure="axes",
        place=place,
        expected=len(wanted),
        observed=len(tensor.shape),
        holds=len(wanted) == len(tensor.shape),
        bound_from=line,
        note=f"its shape is {list(tensor.shape)}" if len(wanted) != len(tensor.shape) else None,
    )
    pairs = enumerate(zip(wanted, tensor.shape, strict=False)) if len(wanted) == len(tensor.shape) else ()
    for at, (length, there) in pairs:
        if isinstance(length, str):
            yield Uncompared(place=place, reason=length)
        elif length is not None:
            yield Comparison(
                measure=f"axis_{at}",
                place=place,
                expected=length,
                observed=there,
                holds=length == there,
                bound_from=line,
            )


def tensors_counted(examination: Examination, parameters: TensorsCountedParameters, where: Where) -> Comparisons:
    """Compare how many tensors match, and their part of all values; none is a number too."""
    target = examination.target
    if not target.containers:
        raise missing_input("there is no file of weights to count in")
    found, _ = chosen(examination, parameters)
    held = [tensor for tensor in target.tensors.values() if not tensor.placeholder]
    values = sum(tensor.elements for tensor in found.values())
    total = sum(tensor.elements for tensor in held)
    seen = {"number": float(len(found)), "parameters": float(values), "share": values / total if total else 0.0}
    place = Place(tensor=", ".join(parameters.tensors)[:200])
    for name, bounds, line in bound_lines(parameters, _COUNTED, where):
        told = within(f"tensors_{name}", place, seen[name], bounds, line)
        shown = jsonable(list(found)[:4])
        yield told if told.holds else told.model_copy(update={"note": f"{len(found):,} match: {shown}"})


TENSORS_TYPED = static(TensorsTypedParameters, tensors_typed)
TENSORS_SHAPED = static(TensorsShapedParameters, tensors_shaped)
TENSORS_COUNTED = static(TensorsCountedParameters, tensors_counted)
