"""Kind `family_shapes`: every axis of every tensor is the product of hyper-parameters that the family says it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from model_contracts.anatomy import prediction
from model_contracts.anatomy.families.hyperparameters import Number, size_of
from model_contracts.anatomy.families.layers import in_layer
from model_contracts.anatomy.families.multimodal import other_part
from model_contracts.anatomy.families.names import template
from model_contracts.anatomy.families.stored_names import NotKnown, StoredEntry
from model_contracts.anatomy.pairing.made import is_turned
from model_contracts.anatomy.parts.part_tensors import shapes_of
from model_contracts.anatomy.towers import TowerView
from model_contracts.anatomy.view import View
from model_contracts.artifact import Tensor
from model_contracts.checks.drafts import Draft, Gap, gap
from model_contracts.checks.interface import Comparisons, Examination, NoParameters, Where, missing_input, static
from model_contracts.family import Dimension, Family, FamilyTensor
from model_contracts.layout import LayoutError
from model_contracts.outcome import Comparison, Place


def family_shapes(examination: Examination, parameters: NoParameters, where: Where) -> Comparisons:
    """Compare shapes axis by axis. What nobody declares takes its value from the first axis that has it."""
    view, towers = examination.view, examination.towers
    if isinstance(view, TowerView) and view.family is not None:
        yield from _of_family(view, view.family)
        return
    if not view.part.whole:
        yield from shapes_of(view.artifact, view.part)
        return
    if view.family is None and view.architecture is None:
        raise missing_input(str(view.unknown))
    elsewhere = frozenset(towers.artifact.tensors) if towers is not None else frozenset[str]()
    if view.family is not None:
        yield from _of_family(view, view.family, elsewhere)
    else:
        reason = f"{view.unknown}: the shapes of its tensors are not known"
        yield from (gap(one, reason) for name, one in view.artifact.tensors.items() if name not in elsewhere)
    if towers is not None:
        yield from _of_towers(towers)


def _of_towers(towers: TowerView) -> Comparisons:
    if towers.family is not None:
        yield from _of_family(towers, towers.family)
        return
    for name, tensor in towers.artifact.tensors.items():
        yield gap(tensor, f"of the {other_part(name) or 'towers'}: its shapes are not known")


def _of_family(view: View, family: Family, elsewhere: frozenset[str] = frozenset()) -> Comparisons:
    every: dict[str, Number] = dict(view.numbers)
    ahead = {tensor.name for tensor in prediction.unknown(view).values()}
    yield from prediction.shapes(view) if ahead else ()
    for name, canonical in view.canonical.items():
        tensor = view.artifact.tensors[name]
        if name in elsewhere or name in ahead:
            continue
        numbers = every if not view.layered else _in_layer(view, canonical, every)
        role = view.role(canonical) if canonical is not None else None
        if tensor.packed is not None and not tensor.packed.shape_known:
            yield gap(tensor, f"its parts do not say its shape: layout {tensor.packed.layout}")
        elif (entry := view.entries[name]) is not None and not (role is not None and role.plain):
            yield _made(view, tensor, entry, numbers)
        elif canonical is not None and role is not None:
            key = canonical if canonical in family.tensors else template(canonical)[0]
            where = partial(family.where, "tensors", key)
            yield _shape(tensor, role, numbers, where, view.rows_interleaved)
        elif canonical is None or canonical not in family.converter_only:
            yield gap(tensor, f"{family.id} has no such tensor, and so no shape for it")


def _in_layer(view: View, canonical: str | None, every: dict[str, Number]) -> dict[str, Number]:
    """Hyper-parameters as the layer of a tensor has them."""
    layer = template(canonical or "")[1]
    return {**every, **in_layer(view.layered, layer)} if layer is not None else every


def _made(view: View, tensor: Tensor, entry: StoredEntry, numbers: dict[str, Number]) -> Draft | Gap:
    """A tensor that holds several weights, a part of one, or one in another shape."""
    known = view.conventions
    assert known is not None
    try:
        expected = known.stored_shape(entry)
    except (NotKnown, LayoutError, ValueError) as error:
        return gap(tensor, f"its shape is not known: {error}")
    if is_turned(tensor):
        expected = (*expected[:-2], *expected[:-3:-1])
    elif tensor.packed is not None:  # blocks run along the input, whichever way the plain tensor is turned
        expected = expected if expected == tensor.shape else (*expected[:-2], *expected[:-3:-1])
    holds = expected == tensor.shape or (view.rows_interleaved and _outer(expected) == _outer(tensor.shape))
    where = partial(known.family.where, "fused" if entry.fused else "tensors", entry.key)
    return Draft(holds, partial(_stored, tensor, expected, holds, where), max(len(expected), 1))


def _outer(shape: Sequence[int]) -> tuple[int, ...]:
    """A shape without axes of 1 before all others: ggml does not count them, and its quantiser drops them."""
    first = next((at for at, size in enumerate(shape) if size != 1), len(shape))
    return tuple(shape[first:])


def _stored(tensor: Tensor, expected: tuple[int, ...], holds: bool, where: Callable[[], str]) -> Comparison:
    return Comparison(
        measure="shape",
        place=Place(file=tensor.file.name, tensor=tensor.name),
        expected=list(expected),
        observed=list(tensor.shape),
        holds=holds,
        count=max(len(expected), 1),
        bound_from=where(),
    )


def _shape(
    tensor: Tensor, role: FamilyTensor, numbers: dict[str, Number], where: Callable[[], str], dropped: bool
) -> Draft:
    axes = role.shape
    if dropped and len(axes) == len(tensor.shape) + 1 and size_of(axes[0], numbers) == 1:
        axes = axes[1:]  # ggml's quantiser drops an outer axis of 1
    expected = [size_of(axis, numbers) for axis in axes]
    if len(expected) == len(tensor.shape):
        for axis, size in zip(axes, tensor.shape, strict=True):
            if len(axis) == 1 and isinstance(axis[0], str):
                numbers.setdefault(axis[0], size)
    holds = len(expected) == len(tensor.shape) and all(
        size is None or size == there for size, there in zip(expected, tensor.shape, strict=True)
    )
    count = max(1, sum(size is not None for size in expected))
    return Draft(holds, partial(_compared, tensor, axes, expected, holds, count, where), count)


def _compared(
    tensor: Tensor,
    axes: Sequence[Dimension],
    expected: Sequence[int | None],
    holds: bool,
    count: int,
    where: Callable[[], str],
) -> Comparison:
    return Comparison(
        measure="shape",
        place=Place(file=tensor.file.name, tensor=tensor.name),
        expected=[size if size is not None else _words(axis) for size, axis in zip(expected, axes, strict=True)],
        observed=list(tensor.shape),
        holds=holds,
        count=count,
        bound_from=where(),
        note=None if holds else "axes: " + ", ".join(_words(axis) for axis in axes),
    )


def _words(axis: Dimension) -> str:
    return " x ".join(str(factor) for factor in axis)


FAMILY_SHAPES = static(NoParameters, family_shapes)
