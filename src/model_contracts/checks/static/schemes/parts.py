"""Kind `scheme_parts`: packed weights are complete, of the types and shapes their configuration gives."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from model_contracts.anatomy.hypotheses.explained import family_shape, fits
from model_contracts.anatomy.storage.packed import PackedWeight
from model_contracts.anatomy.storage.quantization import lookup
from model_contracts.anatomy.view import View
from model_contracts.artifact import Tensor
from model_contracts.checks.drafts import Draft, gap
from model_contracts.checks.interface import (
    Comparisons,
    Examination,
    NoParameters,
    Where,
    not_owed,
    owed_to_schemes,
    static,
)
from model_contracts.outcome import Comparison, Place, Uncompared
from model_contracts.scheme import WeightPart

_Shapes = list[tuple[int, ...]] | None
#: Expected shapes by the settings, the part, the weight's shape, and what its values are stored as.
_Known = dict[tuple[object, ...], _Shapes]


def scheme_parts(examination: Examination, parameters: NoParameters, where: Where) -> Comparisons:
    """Compare the parts that the settings give each weight with those that are stored; no value is decoded."""
    view = examination.view
    found = owed_to_schemes(view)
    if not found.weights:
        raise not_owed("no tensor is part of a packed weight")
    known: _Known = {}
    for weight in found.weights:
        if weight.certain:
            yield from _complete(view, weight)
            yield from _shapes(view, weight, known)
        else:
            reason = "which layout its parts are of is not known without a configuration"
            yield Uncompared(place=Place(file=_file(weight), tensor=weight.name), reason=reason)
        yield from _state(weight)


def _complete(view: View, weight: PackedWeight) -> Iterator[Comparison | Draft]:
    """Every part that is owed is there, with a type that it may have; and the weight is there once."""
    for part in weight.layout.parts:
        tensor = weight.part(part)
        if tensor is not None or weight.owed(part):
            holds = tensor is not None and (not part.types or tensor.dtype in part.types)
            yield Draft(holds, partial(_part, weight, part, tensor, holds))
    plain = view.stored.tensors.get(weight.name)
    if plain is not None and all(plain is not part for part in weight.parts.values()):
        yield Comparison(
            measure="weight_once",
            place=Place(file=plain.file.name, tensor=plain.name),
            expected=f"the packed parts alone ({weight.title})",
            observed=f"{plain.dtype} {list(plain.shape)} beside them",
            holds=False,
        )


def _part(weight: PackedWeight, part: WeightPart, tensor: Tensor | None, holds: bool) -> Comparison:
    return Comparison(
        measure="part_type" if tensor is not None else "part_present",
        place=Place(file=tensor.file.name if tensor is not None else _file(weight), tensor=_name(weight, part)),
        expected=" or ".join(part.types) or "a tensor",
        observed=tensor.dtype if tensor is not None else "missing",
        holds=holds,
        note=None if holds else f"a part of {weight.name}: layout {weight.title}",
    )


def _shapes(view: View, weight: PackedWeight, known: _Known) -> Comparisons:
    """The parts have the shapes that the weight's own shape and the settings make; the family's shape comes first."""
    shape = family_shape(view, weight) or weight.shape
    told = False
    for part in weight.layout.parts:
        tensor = weight.part(part)
        holds_state = weight.layout.shape is not None and weight.layout.shape.part in part.names
        if tensor is None or (not part.shapes and (part.optional or holds_state)):
            continue
        expected = _expected(weight, part, shape, known) if shape is not None else None
        if expected is None:
            yield gap(tensor, _why_not(weight, part, shape))
            continue
        holds = tensor.shape in expected
        note = None
        if not holds and not told:
            told, note = True, fits(view, weight)
        yield Draft(holds, partial(_shape, weight, tensor, shape, expected, holds, note))


def _expected(weight: PackedWeight, part: WeightPart, shape: tuple[int, ...], known: _Known) -> _Shapes:
    """What the shapes come to, worked out once for all weights of one shape that are read alike."""
    values = weight.part(weight.layout.parts[0])
    key = (id(weight.settings), id(part), shape, (values.dtype, values.shape) if values is not None else None)
    if key not in known:
        known[key] = weight.shapes(part, shape)
    return known[key]


def _shape(
    weight: PackedWeight,
    tensor: Tensor,
    shape: tuple[int, ...] | None,
    expected: list[tuple[int, ...]],
    holds: bool,
    note: str | None,
) -> Comparison:
    return Comparison(
        measure="part_shape",
        place=Place(file=tensor.file.name, tensor=tensor.name),
        expected=[list(one) for one in expected] if len(expected) > 1 else list(expected[0]),
        observed=list(tensor.shape),
        holds=holds,
        note=None if holds else note or f"a part of {weight.name} {list(shape or ())}: layout {weight.title}",
    )


def _why_not(weight: PackedWeight, part: WeightPart, shape: tuple[int, ...] | None) -> str:
    if not part.shapes:
        return f"the shapes of the parts of layout {weight.title} are not known"
    if shape is None:
        return f"the shape of a weight of layout {weight.title} is not known without its parts"
    return f"no setting that the shapes of layout {weight.title} depend on is declared"


def _state(weight: PackedWeight) -> Iterator[Comparison]:
    """What a weight's own state says is what its name and the configuration say."""
    named = next((end.rpartition("__")[2] for end in weight.parts if "quant_state" in end), None)
    if named is not None and "type" in weight.state:
        yield Comparison(
            measure="state_named",
            place=Place(file=_file(weight), tensor=weight.name),
            expected=named,
            observed=str(weight.state["type"])[:80],
            holds=weight.state["type"] == named,
        )
    if weight.entry is None:
        return
    for name, value in weight.state.items():
        key = next(iter(weight.layout.settings[name].keys), None)
        said = lookup(weight.entry.settings, key) if key is not None else None
        if said is None:
            continue
        yield Comparison(
            measure="state_agrees",
            place=Place(file=_file(weight), tensor=weight.name, key=key),
            expected=said if not isinstance(said, str) else said[:80],
            observed=value if not isinstance(value, str) else value[:80],
            holds=said == value,
            note=None if said == value else f"{weight.entry.place} and the quant_state of the weight differ",
        )


def _name(weight: PackedWeight, part: WeightPart) -> str:
    """The name of a part as stored, or as it would be (the alternative that the settings speak of)."""
    there = next((end for end in part.names if end in weight.parts), None)
    kind = str(weight.settings.get("type"))
    return weight.module + (there if there is not None else next((n for n in part.names if kind in n), part.names[0]))


def _file(weight: PackedWeight) -> str:
    return next(iter(weight.parts.values())).file.name


SCHEME_PARTS = static(NoParameters, scheme_parts)
