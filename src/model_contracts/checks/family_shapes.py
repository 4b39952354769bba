"""Kind `family_shapes`: every axis of every tensor is the product of hyper-parameters that the family says it is."""

from __future__ import annotations

from collections.abc import Iterator

from model_contracts.anatomy.hyperparameters import Number
from model_contracts.anatomy.names import template
from model_contracts.checks.interface import Examination, NoParameters, Where, family_of
from model_contracts.family import Dimension
from model_contracts.outcome import Comparison, Place


def family_shapes(examination: Examination, parameters: NoParameters, where: Where) -> Iterator[Comparison]:
    """Compare shapes axis by axis. What nobody declares takes its value from the first axis that has it."""
    view = examination.view
    family = family_of(view)
    numbers: dict[str, Number] = dict(view.numbers)
    for canonical, tensor in view.by_canonical.items():
        role = view.role(canonical)
        if role is None:
            continue
        bound_from = family.where("tensors", template(canonical)[0])
        expected = [_axis(axis, numbers) for axis in role.shape]
        if len(expected) == len(tensor.shape):
            for axis, size in zip(role.shape, tensor.shape, strict=True):
                if len(axis) == 1 and isinstance(axis[0], str):
                    numbers.setdefault(axis[0], size)
        holds = len(expected) == len(tensor.shape) and all(
            size is None or size == there for size, there in zip(expected, tensor.shape, strict=True)
        )
        yield Comparison(
            measure="shape",
            place=Place(file=tensor.file.name, tensor=tensor.name),
            expected=[
                size if size is not None else _words(axis) for size, axis in zip(expected, role.shape, strict=True)
            ],
            observed=list(tensor.shape),
            holds=holds,
            count=max(1, sum(size is not None for size in expected)),
            bound_from=bound_from,
            note=None if holds else "axes: " + ", ".join(_words(axis) for axis in role.shape),
        )


def _axis(axis: Dimension, numbers: dict[str, Number]) -> int | None:
    size = 1
    for factor in axis:
        value = numbers.get(factor) if isinstance(factor, str) else factor
        if not isinstance(value, int) or isinstance(value, bool):
            return None
        size *= value
    return size


def _words(axis: Dimension) -> str:
    return " x ".join(str(factor) for factor in axis)
