"""Owns what a base becomes with an adapter merged: what takes the place of its tensors, and what is added."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from model_contracts.anatomy.adapters.fits import Misfit, Placed
from model_contracts.anatomy.adapters.placed import Places
from model_contracts.anatomy.parts.adapter_factors import held_by
from model_contracts.anatomy.parts.adapter_settings import AdapterSettings
from model_contracts.anatomy.view import View
from model_contracts.artifact import Artifact, Less, Made, Merged, Tensor
from model_contracts.layout import Concat, Expr, Stored, Take

#: Rows of tokens that are put in the place of others, at most.
_MOST_TOKENS = 4096


@dataclass
class Adaptation:
    """Tensors of the base by name: as they are to be, and what was added; and what of the adapter has no place."""

    instead: dict[str, Tensor] = field(default_factory=dict)
    added: dict[str, Tensor] = field(default_factory=dict)
    #: Factors by the tensors of the base that they are added to, a product as it stands there.
    placed: dict[str, Placed] = field(default_factory=dict)
    #: What fits, or does not, of everything that the adapter holds.
    fits: list[Placed | Misfit] = field(default_factory=list)


def adaptation(adapter: Artifact, base: View) -> Adaptation:
    """What a base becomes. What has no place, or is not computed here, is told in `fits` and left out."""
    settings, held, found = AdapterSettings.of(adapter), held_by(adapter), Adaptation()
    if (otherwise := settings.otherwise) is not None:
        found.fits = [Misfit(tensor, otherwise) for tensor in adapter.tensors.values()]
        return found
    places = Places(base, settings, adapter.form.prefixed_keys)
    for name, tensor in held.whole.items():
        _whole(found, places, name, tensor)
    for factor in held.factors:
        for placed in places.of(factor):
            found.fits.append(placed)
            if isinstance(placed, Placed):
                _merge(found, placed)
    for module, rows in held.tokens.items():
        _tokens(found, places, module, rows, settings)
    found.fits += [Misfit(tensor, "what it scales is not computed here") for tensor in held.others]
    return found


def _merge(found: Adaptation, placed: Placed) -> None:
    """Add a product to a tensor of the base, which may have been replaced or added to before."""
    name = placed.base.name
    own = placed.base if placed.anew else found.instead.get(name, placed.base)
    merged = Merged(own, placed.added, placed.magnitude, placed.turned)
    found.instead[name] = replace(placed.base, computed=merged)
    plain = own is placed.base and placed.magnitude is None
    found.added[name] = placed.added if plain else _less(found.instead[name], placed.base)
    found.placed[name] = placed


def _whole(found: Adaptation, places: Places, name: str, tensor: Tensor) -> None:
    """A tensor that was saved whole: it stands in the place of the base's."""
    base = places.called(name)
    if isinstance(base, str):
        found.fits.append(Misfit(tensor, base))
        return
    if base is None:
        if places.may_have(name):
            found.instead[name] = replace(tensor, name=name)
        reason = "the base has no such tensor, and its family knows none"
        found.fits.append(Misfit(tensor, reason, None if places.may_have(name) else False, name))
        return
    grown = len(base.shape) == 2 == len(tensor.shape) and base.shape[1] == tensor.shape[1]
    if tensor.shape != base.shape and not grown:
        found.fits.append(Misfit(tensor, f"{base.name} of the base is {list(base.shape)}", False, list(base.shape)))
        return
    found.fits.append(Placed(base, tensor, tensor))
    found.instead[base.name] = replace(tensor, name=base.name)
    if tensor.shape == base.shape:
        found.added[base.name] = _less(tensor, base)


def _tokens(found: Adaptation, places: Places, module: str, rows: Tensor, settings: AdapterSettings) -> None:
    """Rows that stand in the place of those of some tokens."""
    base = places.called(f"{module}.weight")
    if not isinstance(base, Tensor):
        found.fits.append(Misfit(rows, base or "the base has no such embedding", None if base else False, module))
        return
    indices = _indices(settings.said.get("trainable_token_indices"), module)
    fits = len(rows.shape) == 2 == len(base.shape) and rows.shape[1] == base.shape[1]
    if indices is None or len(indices) > _MOST_TOKENS or len(set(indices)) != len(indices):
        found.fits.append(Misfit(rows, "trainable_token_indices does not say whose rows they are"))
        return
    if not fits or rows.shape[0] != len(indices) or not all(0 <= index < base.shape[0] for index in indices):
        expected = [len(indices), base.shape[-1]]
        reason = f"trainable_token_indices has {len(indices)} tokens, and the base rows of {base.shape[-1]}"
        found.fits.append(Misfit(rows, reason, False, expected))
        return
    own = found.instead.get(base.name, base)
    layout = Concat(tuple(_cut(Stored("0", base.shape), Stored("1", rows.shape), indices)), 0)
    found.instead[base.name] = replace(base, made=Made(layout, {"0": own, "1": rows}), computed=None, packed=None)
    found.added[base.name] = _less(found.instead[base.name], base)
    found.fits.append(Placed(base, rows, rows))


def _cut(base: Expr, rows: Expr, indices: list[int]) -> Iterator[Expr]:
    at = 0
    for index, place in sorted((index, place) for place, index in enumerate(indices)):
        if index > at:
            yield Take(base, 0, at, index)
        yield Take(rows, 0, place, place + 1)
        at = index + 1
    if at < base.shape[0]:
        yield Take(base, 0, at, base.shape[0])


def _indices(said: object, module: str) -> list[int] | None:
    if isinstance(said, Mapping):
        said = next((one for name, one in said.items() if module == name or module.endswith(f".{name}")), None)
    if not isinstance(said, list) or not all(type(index) is int for index in said):
        return None
    return said


def _less(of: Tensor, less: Tensor) -> Tensor:
    """What was added to a tensor, where it is no product alone."""
    return replace(less, computed=Less(of, less), made=None, packed=None)
