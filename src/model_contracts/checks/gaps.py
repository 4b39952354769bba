"""Owns what stays uncompared of tensors and pairs, in one wording, and the one comparison of names with a wrapper."""

from __future__ import annotations

from collections.abc import Iterator

from model_contracts.anatomy.parts.prefixes import WRAPPERS
from model_contracts.anatomy.view import View
from model_contracts.artifact import Tensor
from model_contracts.checks.drafts import Gap, gap
from model_contracts.checks.interface import Examination
from model_contracts.outcome import Comparison, Place
from model_contracts.sweep.interface import Pairing, Sweep


def unread(examination: Examination) -> Iterator[Gap]:
    """Weights of the target without moments: nothing decodes them or their layout, or their bytes are not there."""
    moments = examination.sweep.moments
    for name, tensor in examination.view.artifact.tensors.items():
        if tensor.packed is not None and tensor.packed.unread is not None:
            yield packed(tensor)
            continue
        if name in moments or tensor.placeholder or not tensor.elements:
            continue
        known = tensor.dtype not in examination.sweep.undecoded
        reason = "its bytes are not there" if known else f"nothing decodes type {tensor.dtype}"
        reason = examination.sweep.undecodable.get(name, reason)
        yield gap(tensor, reason, tensor.elements)


def packed(tensor: Tensor) -> Gap:
    """The values of a packed weight, which nothing decodes."""
    assert tensor.packed is not None
    return gap(tensor, tensor.packed.unread or "its values were not read", max(tensor.elements, 1))


def uncompared(pairing: Pairing, sweep: Sweep) -> Gap:
    """The values of a pair that stay uncompared: why the pass left it out, or that no budget is given."""
    reason = sweep.uncompared.get(pairing.target.name)
    if reason is None:
        packed, source = pairing.target.packed, pairing.source
        kept = packed.layout if packed is not None else pairing.target.dtype
        reason = f"no budget is given for {kept} made from {source.packed.layout if source.packed else source.dtype}"
    return gap(pairing.target, reason, max(pairing.target.elements, 1))


def undeclared(examination: Examination, pairing: Pairing, fits: str | None = None) -> Gap:
    """A pair that differs where nothing declares its layout: what would be needed, and the reading that does fit."""
    reason = examination.match.unknown or "nothing declares the layout of it"
    if fits is not None:
        reason += f"; {fits} would explain the difference"
    return gap(pairing.target, reason, max(pairing.target.elements, 1))


def wrapped(view: View) -> Comparison:
    """The one comparison that stands for every name with a wrapper or a prefix before it."""
    names = view.wrapped
    first, mark = next(iter(names.items()))
    cut, by = view.prefix
    by = by or WRAPPERS.get(mark, "")
    known = sum(view.canonical[name] is not None for name in names)
    start = f"every name begins with the prefix {cut!r}" if cut else f"{len(names):,} names hold the prefix {mark!r}"
    whose = view.family.id if view.family is not None else "the architecture"
    found = f": without it {known:,} of {len(names):,} are names of {whose}" if known else ""
    return Comparison(
        measure="tensor_prefix",
        place=Place(file=view.artifact.tensors[first].file.name, tensor=first),
        expected=view.bare[first],
        observed=first,
        holds=False,
        count=len(names),
        note=start + found + f" ({by} left it; readers find none of these tensors)",
    )
