"""Kind `adapter_fits`: an adapter is whole, and every part of it has its place in the base, in its shape."""

from __future__ import annotations

from collections.abc import Iterator

from model_contracts.anatomy.adapters.fits import Misfit, Placed
from model_contracts.anatomy.parts.adapter_claims import MAYBE
from model_contracts.anatomy.parts.adapter_factors import held_by
from model_contracts.anatomy.parts.adapter_settings import AdapterSettings
from model_contracts.anatomy.parts.part_tensors import shapes_of, sizes_of, tensors_of
from model_contracts.anatomy.parts.recognised import part
from model_contracts.anatomy.view import View
from model_contracts.artifact import Artifact
from model_contracts.checks.interface import Comparisons, Examination, NoParameters, Where, not_owed, static
from model_contracts.ledger import Topic
from model_contracts.outcome import Comparison, Place, Uncompared, jsonable

_TOPICS: tuple[Topic, ...] = ("format", "sizes", "names", "shards", "dtypes")


def adapter_fits(examination: Examination, parameters: NoParameters, where: Where) -> Comparisons:
    """Compare modules and shapes with the base's; an adapter beside the target is held to what it owes alone, too."""
    adapter = examination.adapter
    if adapter is not None:
        yield from _alone(adapter)
    elif examination.view.part.name != "adapter":
        raise not_owed(f"this is {examination.view.part}, and no adapter was given (--adapter DIR)")
    elif not examination.base_view.part.whole:
        raise not_owed("its source is no base that it could be for")
    for one in examination.adapted.fits:
        yield _placed(one) if isinstance(one, Placed) else _misfit(one)
    yield from _asked_for(adapter or examination.target, examination.base_view)


def _alone(adapter: Artifact) -> Iterator[Comparison | Uncompared]:
    held = part(adapter)
    for source in (adapter.ledger, *(container.ledger for container in adapter.containers)):
        for topic in _TOPICS:
            yield from source.comparisons(topic)
    # What may be lost or have no module the base says.
    yield from (one for one in tensors_of(adapter, held) if not isinstance(one, Uncompared) or MAYBE not in one.reason)
    yield from shapes_of(adapter, held)
    yield from sizes_of(adapter, held)


def _asked_for(adapter: Artifact, base: View) -> Iterator[Comparison]:
    """Every matrix of the base that target_modules lists has a factor."""
    settings, held = AdapterSettings.of(adapter), held_by(adapter)
    listed = isinstance(settings.said.get("target_modules"), list) and settings.otherwise is None
    there = {factor.name for factor in held.factors} | {name.removesuffix(".weight") for name in held.whole}
    for name, tensor in base.artifact.tensors.items() if listed else ():
        module = base.bare[name].removesuffix(".weight")
        if len(tensor.shape) == 2 and module != name and not _saved(module, settings) and settings.names(module):
            yield Comparison(
                measure="factor_present",
                place=Place(tensor=name),
                expected="a factor of it: target_modules names its module",
                observed="there" if module in there else None,
                holds=module in there,
            )


def _saved(module: str, settings: AdapterSettings) -> bool:
    """Whether a module is saved whole, which has no factor then."""
    saved = settings.said.get("modules_to_save")
    return any(f".{one}." in f".{module}." for one in saved) if isinstance(saved, list) else False


def _placed(one: Placed) -> Comparison:
    return Comparison(
        measure="adapter_place",
        place=Place(file=one.first.file.name, tensor=one.first.name),
        expected=one.base.name,
        observed=one.base.name,
        holds=True,
    )


def _misfit(one: Misfit) -> Comparison | Uncompared:
    place = Place(file=one.first.file.name, tensor=one.first.name)
    if one.holds is None:
        return Uncompared(place=place, reason=one.reason)
    return Comparison(
        measure="adapter_place",
        place=place,
        expected=jsonable(one.expected) or "a tensor of the base",
        observed=list(one.first.shape),
        holds=False,
        note=one.reason,
    )


ADAPTER_FITS = static(NoParameters, adapter_fits)
