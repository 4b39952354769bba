"""Owns the comparisons of zero points and orders of columns with what their layout can hold."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from model_contracts.anatomy.storage.packed import PackedWeight
from model_contracts.anatomy.storage.quantization import lookup
from model_contracts.anatomy.view import View
from model_contracts.artifact import Tensor
from model_contracts.checks.drafts import Draft
from model_contracts.checks.interface import Comparisons
from model_contracts.outcome import Comparison, Place
from model_contracts.sweep.figures import OrderFigures, PackedFigures
from model_contracts.sweep.reads import Files, ReadFailed
from model_contracts.sweep.schemes import order_refused

#: What is taken from the middle of the range where a zero point is stored, by format of GPTQ.
_LESS = {"gptq": 1, "gptq_v2": 0}


def zeros_of(weight: PackedWeight, figures: PackedFigures) -> Iterator[Draft]:
    """Zero points of a symmetric file are the middle of the range; an order shares the columns out evenly."""
    for part in weight.layout.parts[1:]:
        tensor = weight.part(part)
        if tensor is None:
            continue
        if part.role == "zero" and (expected := _symmetric(weight)) is not None and tensor.name in figures.parts:
            numbers = figures.parts[tensor.name]
            same = numbers.alike == numbers.count
            holds = same and numbers.first == expected
            yield Draft(holds, partial(_zero, weight, tensor, expected, numbers.first if same else None), numbers.count)
        if part.role == "order" and (order := figures.orders.get(tensor.name)) is not None:
            yield from _shared(weight, tensor, order)


def _symmetric(weight: PackedWeight) -> int | None:
    """The stored element of zero points of a file that declares itself symmetric; None where nothing says it."""
    bits, decoder = weight.settings.get("bits"), weight.layout.decoder
    said = lookup(weight.entry.settings, "sym") if weight.entry is not None else None
    if decoder == "scaled":
        return 0 if weight.settings.get("symmetric") is True else None
    if not isinstance(bits, int) or bits not in (2, 4, 8):
        return None
    less = _LESS.get(str(weight.settings.get("format"))) if decoder == "gptq" and said is True else None
    if decoder == "pack_quantized" and weight.settings.get("symmetric") is True:
        less = 0
    if less is None or weight.settings.get("method") in ("auto-round", "intel/auto-round"):
        return None
    return sum(((1 << (bits - 1)) - less) << shift for shift in range(0, 32, bits))


def _zero(weight: PackedWeight, tensor: Tensor, expected: int, observed: int | None) -> Comparison:
    holds = observed == expected
    other = 0
    bits = weight.settings.get("bits")
    if isinstance(bits, int):
        step = sum(1 << shift for shift in range(0, 32, bits))
        other = expected + (step if weight.settings.get("format") == "gptq" else -step)
    version = "2, which stores them as they are" if other > expected else "1, which stores them less one"
    gptq = weight.layout.decoder == "gptq"
    note = f"a file of version {version}, holds that" if observed == other and gptq else "it is declared symmetric"
    return Comparison(
        measure="zero_points_symmetric",
        place=Place(file=tensor.file.name, tensor=tensor.name),
        expected=f"every word 0x{expected:08X}",
        observed="words that differ" if observed is None else f"0x{observed:08X}",
        holds=holds,
        count=tensor.elements,
        note=None if holds else f"a part of {weight.name}: layout {weight.title}; {note}",
    )


def _shared(weight: PackedWeight, tensor: Tensor, order: OrderFigures) -> Iterator[Draft]:
    group, columns = weight.settings.get("group"), tensor.elements
    if order.unset or not isinstance(group, int) or not order.named:
        return
    size = group if 0 < group < columns else columns
    groups, least = -(-columns // size), columns % size or size
    holds = order.named == order.groups == groups and order.most == size and order.fewest >= least
    yield Draft(holds, partial(_even, weight, tensor, order, groups, size, holds), columns)
    kept = lookup(weight.entry.settings, "desc_act") if weight.entry is not None else None
    if kept is False:
        yield Draft(order.monotone, partial(_follows, weight, tensor, order.monotone), columns)


def _even(weight: PackedWeight, tensor: Tensor, order: OrderFigures, groups: int, size: int, holds: bool) -> Comparison:
    return Comparison(
        measure="order_even",
        place=Place(file=tensor.file.name, tensor=tensor.name),
        expected=f"{groups:,} groups of {size:,} columns",
        observed=f"{order.named:,} groups of {order.fewest:,} to {order.most:,}",
        holds=holds,
        count=tensor.elements,
        note=None if holds else f"a part of {weight.name}: columns in no group, or in another's, read its scales",
    )


def _follows(weight: PackedWeight, tensor: Tensor, holds: bool) -> Comparison:
    return Comparison(
        measure="order_declared",
        place=Place(file=tensor.file.name, tensor=tensor.name, key="desc_act"),
        expected="columns in their own order (desc_act: false)",
        observed="as expected" if holds else "columns in an order of activations",
        holds=holds,
        count=tensor.elements,
        note=None if holds else f"a part of {weight.name}: readers leave the order out where desc_act is false",
    )


def orders_of(view: View) -> Comparisons:
    """An order of columns names groups that are there."""
    files = Files()
    try:
        for tensor in view.artifact.tensors.values():
            packed = tensor.packed
            part = dict(packed.roles).get("order") if packed is not None and packed.unread is None else None
            if packed is None or part is None or not part.readable:
                continue
            try:
                refused = order_refused(packed, tensor.shape, files)
            except ReadFailed:  # the pass over the bytes tells of it
                continue
            yield Draft(refused is None, partial(_order, part, refused), part.elements)
    finally:
        files.close()


def _order(part: Tensor, refused: str | None) -> Comparison:
    return Comparison(
        measure="group_order",
        place=Place(file=part.file.name, tensor=part.name),
        expected="a group for each column, of those that have a scale",
        observed="as expected" if refused is None else refused,
        holds=refused is None,
        count=part.elements,
    )
