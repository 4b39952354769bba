"""Owns where the products of experts belong: transformers 5 fuses and stacks them, and files keep a tensor for each.

In memory a layer has `experts.gate_up_proj` [experts, 2 x inner, hidden] and `experts.down_proj` [experts, hidden,
inner], which PEFT adapts as parameters. A has the experts one behind another, B has them side by side at each rank.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from model_contracts.anatomy.adapters.fits import Placed
from model_contracts.anatomy.families.names import template
from model_contracts.anatomy.families.stored_names import StoredEntry
from model_contracts.anatomy.parts.adapter_factors import Factor
from model_contracts.anatomy.parts.adapter_settings import AdapterSettings
from model_contracts.anatomy.view import View
from model_contracts.artifact import LowRank, Made, Tensor
from model_contracts.layout import Expr, Stored, Take

_GATE, _UP, _DOWN = (f"blk.{{n}}.ffn_{part}_exps.weight" for part in ("gate", "up", "down"))


def expert_places(base: View, settings: AdapterSettings, factor: Factor) -> list[Placed]:
    """A product for each expert of a layer that its base keeps in tensors of their own; none where it is no such."""
    if not settings.said.get("target_parameters") or not factor.name.endswith(".experts"):
        return []
    layer = template(f"{factor.name}.")[1]
    known = ((entry, base.artifact.tensors[name]) for name, entry in base.entries.items() if entry is not None)
    held = {entry: tensor for entry, tensor in known if _of(entry, layer)}
    count = 1 + max((entry.expert for entry in held if entry.expert is not None), default=-1)
    a, b = factor.halves["A"], factor.halves["B"]
    if len(a.shape) != 2 or len(b.shape) != 2 or not count or a.shape[0] % count or a.shape[0] != b.shape[1]:
        return []
    rank = a.shape[0] // count
    scale = settings.scale(factor.name, rank)
    return [] if isinstance(scale, str) else list(_placed(held, factor, layer, (count, rank, scale)))


def _placed(
    held: dict[StoredEntry, Tensor], factor: Factor, layer: int | None, sizes: tuple[int, int, float]
) -> Iterator[Placed]:
    a, b = factor.halves["A"], factor.halves["B"]
    count, rank, scale = sizes
    for keys in ((_GATE, _UP), (_DOWN,)):
        found = [[held.get(StoredEntry(key, layer, at)) for at in range(count)] for key in keys]
        height = b.shape[0] // len(keys)
        shapes = {one.shape if one is not None else None for row in found for one in row}
        if shapes != {(height, a.shape[1])} or b.shape[0] % len(keys):
            continue
        for number, row in enumerate(found):
            for at, base in enumerate(row):
                assert base is not None
                whole: Expr = Take(Stored("b", b.shape), 0, number * height, (number + 1) * height)
                left = _part(b, Take(whole, 1, at, b.shape[1], count), "b")
                right = _part(a, Take(Stored("a", a.shape), 0, at * rank, (at + 1) * rank), "a")
                low = LowRank(left, right, scale)
                added = replace(base, computed=low, packed=None, made=None, row_bytes=None)
                yield Placed(base, factor.first, added, factor)
        return


def _of(entry: StoredEntry, layer: int | None) -> bool:
    return entry.layer == layer and entry.expert is not None and entry.key in (_GATE, _UP, _DOWN)


def _part(half: Tensor, layout: Expr, name: str) -> Tensor:
    """A part of a half, as a tensor."""
    return replace(half, shape=layout.shape, made=Made(layout, {name: half}))
