"""Kind `family_shapes`: every axis of every tensor is the product of hyper-parameters that the family says it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from model_contracts.anatomy.hyperparameters import Number, size_of
from model_contracts.anatomy.names import template
from model_contracts.anatomy.part_tensors import shapes_of
from model_contracts.anatomy.view import View
from model_contracts.artifact import Tensor
from model_contracts.checks.drafts import Draft, gap
from model_contracts.checks.interface import Comparisons, Examination, NoParameters, Where, missing_input, static
from model_contracts.family import Dimension, Family, FamilyTensor
from model_contracts.outcome import Comparison, Place


def family_shapes(examination: Examination, parameters: NoParameters, where: Where) -> Comparisons:
    """Compare shapes axis by axis. What nobody declares takes its value from the first axis that has it."""
    view = examination.view
    if not view.part.whole:
        yield from shapes_of(view.artifact, view.part)
        return
    if view.family is not None:
        yield from _of_family(view, view.family)
        return
    if view.architecture is None:
        raise missing_input(str(view.unknown))
    reason = f"{view.unknown}: the shapes of its tensors are not known"
    for tensor in view.artifact.tensors.values():
        yield gap(tensor, reason)


def _of_family(view: View, family: Family) -> Comparisons:
    numbers: dict[str, Number] = dict(view.numbers)
    for name, canonical in view.canonical.items():
        tensor = view.artifact.tensors[name]
        role = view.role(canonical) if canonical is not None else None
        if tensor.packed is not None and not tensor.packed.shape_known:
            yield gap(tensor, f"its parts do not say its shape: layout {tensor.packed.layout}")
        elif canonical is not None and role is not None:
            yield _shape(tensor, role, numbers, partial(family.where, "tensors", template(canonical)[0]))
        elif canonical is None or canonical not in family.converter_only:
            yield gap(tensor, f"{family.id} has no such tensor, and so no shape for it")


def _shape(tensor: Tensor, role: FamilyTensor, numbers: dict[str, Number], where: Callable[[], str]) -> Draft:
    expected = [size_of(axis, numbers) for axis in role.shape]
    if len(expected) == len(tensor.shape):
        for axis, size in zip(role.shape, tensor.shape, strict=True):
            if len(axis) == 1 and isinstance(axis[0], str):
                numbers.setdefault(axis[0], size)
    holds = len(expected) == len(tensor.shape) and all(
        size is None or size == there for size, there in zip(expected, tensor.shape, strict=True)
    )
    count = max(1, sum(size is not None for size in expected))
    return Draft(holds, partial(_compared, tensor, role, expected, holds, count, where), count)


def _compared(
    tensor: Tensor,
    role: FamilyTensor,
    expected: Sequence[int | None],
    holds: bool,
    count: int,
    where: Callable[[], str],
) -> Comparison:
    return Comparison(
        measure="shape",
        place=Place(file=tensor.file.name, tensor=tensor.name),
        expected=[size if size is not None else _words(axis) for size, axis in zip(expected, role.shape, strict=True)],
        observed=list(tensor.shape),
        holds=holds,
        count=count,
        bound_from=where(),
        note=None if holds else "axes: " + ", ".join(_words(axis) for axis in role.shape),
    )


def _words(axis: Dimension) -> str:
    return " x ".join(str(factor) for factor in axis)


FAMILY_SHAPES = static(NoParameters, family_shapes)
