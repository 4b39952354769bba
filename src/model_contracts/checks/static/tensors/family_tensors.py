"""Kind `family_tensors`: every tensor the family requires is there, once, and none that it does not know."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from model_contracts.anatomy import prediction
from model_contracts.anatomy.families.conventions import Conventions
from model_contracts.anatomy.families.multimodal import other_part
from model_contracts.anatomy.families.names import template
from model_contracts.anatomy.families.stored_names import NotKnown, named
from model_contracts.anatomy.parts.part_tensors import tensors_of
from model_contracts.anatomy.towers import TowerView
from model_contracts.anatomy.view import View
from model_contracts.checks.drafts import Draft, gap
from model_contracts.checks.gaps import wrapped
from model_contracts.checks.interface import Comparisons, Examination, NoParameters, Where, missing_input, static
from model_contracts.family import Family, FamilyTensor
from model_contracts.outcome import Comparison, Place

#: Layers without a tensor that are told one by one; of more than these the first few are, and the rest together.
_MISSING, _TOLD = 100, 4


def family_tensors(examination: Examination, parameters: NoParameters, where: Where) -> Comparisons:
    """Compare the tensor names with the family's table, layer by layer; a part of a model with what it is made of."""
    view, towers = examination.view, examination.towers
    if isinstance(view, TowerView) and view.family is not None:
        yield from _of_family(view, view.family)
        return
    if not view.part.whole:
        yield from tensors_of(view.artifact, view.part)
        return
    if view.wrapped:
        yield wrapped(view)
    if view.family is None and view.architecture is None:
        raise missing_input(str(view.unknown))
    yield from _of_whole(view, frozenset(towers.artifact.tensors) if towers is not None else frozenset())
    if towers is not None:
        yield from _of_towers(towers)


def _of_towers(towers: TowerView) -> Comparisons:
    if towers.family is not None:
        yield from _of_family(towers, towers.family)
        return
    for name, tensor in towers.artifact.tensors.items():
        yield gap(tensor, f"of the {other_part(name) or 'towers'}: which tensors that has is not known")


def _of_whole(view: View, elsewhere: frozenset[str]) -> Comparisons:
    """All but what is of the towers."""
    if view.family is not None:
        yield from _of_family(view, view.family, elsewhere)
        return
    if not view.artifact.tensors:
        yield Comparison(
            measure="tensor_present",
            place=Place(file=view.artifact.path.name),
            expected="a tensor at least",
            observed="none",
            holds=False,
        )
    reason = f"{view.unknown}: which tensors it has is not known"
    for tensor in view.artifact.tensors.values():
        if tensor.name not in elsewhere:
            yield gap(tensor, reason)


def _of_family(view: View, family: Family, elsewhere: frozenset[str] = frozenset()) -> Comparisons:
    layers = view.numbers.get("num_hidden_layers")
    if not isinstance(layers, int) or isinstance(layers, bool) or not 0 < layers <= 10_000:
        layers = view.layer_count
    known = view.conventions
    assert known is not None
    seen: dict[str, Counter[int | None]] = defaultdict(Counter)
    experts: dict[tuple[str, int | None], set[int]] = defaultdict(set)
    strangers = []
    for own, entry in view.entries.items():
        if entry is None:
            strangers += [own] if own not in family.converter_only and own not in elsewhere else []
        elif entry.expert is None:
            seen[entry.key][entry.layer] += 1
        else:
            seen[entry.key][entry.layer] = 1
            experts[entry.key, entry.layer].add(entry.expert)
    for refused in view.refused:
        bare, layer = template(refused)
        seen[bare][layer] += 1
    for name, key, weight, among in known.owed(layers):
        if weight.presence != "required" and not (isinstance(weight, FamilyTensor) and _asked_for(weight, view)):
            continue
        numbers: Sequence[int | None] = among if "{n}" in key else (None,)
        flag = weight.required_by if isinstance(weight, FamilyTensor) and weight.presence != "required" else None
        yield from _role(family, name, key, flag, seen[key], numbers)
        if "{e}" in name:
            yield from _experts(known, family, name, key, experts, numbers)
    yield from _unknown(view, family, strangers)


def _unknown(view: View, family: Family, strangers: list[str]) -> Comparisons:
    """Tensors that the family does not know: those of layers that predict ahead by what such layers hold."""
    ahead = {tensor.name for tensor in prediction.unknown(view).values()}
    yield from prediction.complete(view) if ahead else ()
    for own in strangers:
        if own in ahead:
            continue
        if isinstance(view, TowerView):
            yield gap(view.artifact.tensors[own], f"{family.id} has no such tensor: what it is of is not known")
        else:
            yield Draft(False, partial(_stranger, own, family))


def _role(
    family: Family, name: str, key: str, flag: str | None, seen: Counter[int | None], layers: Sequence[int | None]
) -> Iterator[Draft]:
    """One tensor of the table, in every layer; layers without it are told together past the first of them."""
    where = partial(family.where, "tensors", key)
    missing = sum(layer not in seen for layer in layers)
    told = missing if missing <= _MISSING else _TOLD
    for layer in layers:
        count = seen.get(layer, 0)
        told -= not count
        if count or told >= 0:
            yield Draft(count == 1, partial(_present, name, layer, count, where, flag, 0))
    if missing > _MISSING:
        more = missing - _TOLD
        last = next(layer for layer in reversed(layers) if layer not in seen)
        yield Draft(False, partial(_present, name, last, 0, where, flag, more - 1), times=more)


def _experts(
    known: Conventions,
    family: Family,
    name: str,
    key: str,
    seen: Mapping[tuple[str, int | None], set[int]],
    layers: Sequence[int | None],
) -> Iterator[Draft]:
    """Of a weight that is a tensor for each index of its first axis: each index once, in the layers that have any."""
    where = partial(family.where, "tensors", key)
    for layer in layers:
        there = seen.get((key, layer), set())
        if not there:
            continue
        try:
            owed = known.shape(key, layer)[0]
        except NotKnown:
            owed = max(there) + 1
        lacking = [index for index in range(min(owed, 1 + max(there) + _MISSING)) if index not in there]
        beyond = sorted(index for index in there if index >= owed)
        yield Draft(True, partial(_present, name, layer, 1, where, None, len(there) - 1), len(there))
        for index in lacking[:_TOLD]:
            more = owed - len(there) - _TOLD if index == lacking[:_TOLD][-1] and len(lacking) > _TOLD else 0
            one = name.replace("{e}", str(index))
            yield Draft(False, partial(_present, one, layer, 0, where, None, max(more, 0)), times=max(more, 0) + 1)
        for index in beyond[:_TOLD]:
            yield Draft(False, partial(_stranger, named(name, layer, index), family))


def _present(
    name: str, layer: int | None, count: int, where: Callable[[], str], flag: str | None, more: int
) -> Comparison:
    notes = [f"{flag} is declared true"] if flag is not None else []
    notes += [f"and {more:,} layers before it"] if more else []
    return Comparison(
        measure="tensor_present",
        place=Place(tensor=name if layer is None else name.replace("{n}", str(layer))),
        expected="once",
        observed={0: "missing", 1: "once"}.get(count, f"{count} times"),
        holds=count == 1,
        count=more + 1,
        bound_from=where(),
        note="; ".join(notes) or None,
    )


def _stranger(name: str, family: Family) -> Comparison:
    return Comparison(
        measure="tensor_known",
        place=Place(tensor=name),
        expected=f"a tensor of {family.id}",
        observed=name,
        holds=False,
        bound_from=family.where("tensors"),
    )


def _asked_for(tensor: FamilyTensor, view: View) -> bool:
    return tensor.required_by is not None and view.convention == "huggingface" and view.flag(tensor.required_by)


FAMILY_TENSORS = static(NoParameters, family_tensors)
