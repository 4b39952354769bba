"""Owns figures of the parts of a packed weight: each is read once, in order, beside the values that it is for."""

from __future__ import annotations

from typing import Any

import numpy as np

from model_contracts.artifact import Packed, Tensor
from model_contracts.sweep.figures import OrderFigures, PackedFigures, PartFigures
from model_contracts.sweep.reads import Files, ReadFailed
from model_contracts.sweep.schemes.interface import floats, kind_of

#: Elements looked at together, and the longest order that is counted.
_PIECE, _LONGEST = 1 << 20, 1 << 24
#: Parts with these roles have figures, beside floats whose name says that they scale; an order has its own.
_ORDER = "order"
_NUMBERS = ("scale", "zero", "offset", "global", "nested", "inputs", _ORDER)
#: The smallest normal number in a type with the exponents of F32.
_NORMAL = float(np.finfo(np.float32).tiny)
_FLAWS = ("nan", "infinite", "negative", "tiny", "zeros")


def parts_of(packed: Packed, files: Files) -> PackedFigures:
    """The figures of each part that scales, shifts or orders; one that cannot be read is left out."""
    roles = {id(tensor): role for role, tensor in packed.roles}
    settings = dict(packed.settings)
    found = PackedFigures()
    for tensor in packed.parts[1:]:
        role = roles.get(id(tensor))
        if not tensor.readable or not tensor.elements or not (role in _NUMBERS or _is_scale(tensor)):
            continue
        try:
            if role == _ORDER:
                if tensor.elements <= _LONGEST and tensor.dtype in ("I32", "I64"):
                    found.orders = {tensor.name: _order(tensor, packed, files)}
            else:
                bytes_as = str(settings.get("scale_type") or "F8_E8M0") if role == "scale" else None
                nested = role == "scale" and settings.get("nested") is True
                found.parts[tensor.name] = figures_of(tensor, files, None if nested else bytes_as)
        except ReadFailed:
            continue
    return found


def _is_scale(tensor: Tensor) -> bool:
    return "scale" in tensor.name.rpartition(".")[2] and tensor.type.kind == "float"


def figures_of(tensor: Tensor, files: Files, bytes_as: str | None = None) -> PartFigures:
    """The figures of one stored tensor; plain bytes are whole numbers, or those of the 8-bit float `bytes_as`.

    Raises ReadFailed.
    """
    kind, file = np.dtype(kind_of(tensor.dtype)), files.get(tensor.file)
    dtype = bytes_as if tensor.dtype == "U8" and bytes_as is not None else tensor.dtype
    figures = PartFigures()
    count = min(tensor.elements, tensor.nbytes // kind.itemsize)
    places: dict[str, int] = {}
    for start in range(0, count, _PIECE):
        raw: Any = np.empty(min(_PIECE, count - start), kind)
        file.read(raw, tensor.offset + start * kind.itemsize)
        _add(figures, places, raw, dtype, start)
    if places:
        figures.places = places
    return figures


def _add(figures: PartFigures, places: dict[str, int], raw: Any, dtype: str, start: int) -> None:
    if not start:
        figures.first = int(raw[0].view(f"u{raw.itemsize}"))
    figures.alike += int((raw.view(f"u{raw.itemsize}") == figures.first).sum())
    with np.errstate(all="ignore"):
        numbers: Any = raw.astype(np.float64) if dtype == "F64" else floats(raw, dtype)
        magnitude = np.abs(numbers)
        finite = np.isfinite(numbers)
        float_like = dtype[0] in "BF"
        flaws = {
            "nan": np.isnan(numbers),
            "infinite": np.isinf(numbers),
            "negative": numbers < 0,
            "tiny": (magnitude > 0) & (magnitude < _NORMAL) & (dtype in ("F32", "BF16", "F64")),
            "zeros": numbers == 0,
        }
    for name in _FLAWS:
        where = flaws[name]
        if (many := int(np.count_nonzero(where))) and (float_like or name in ("negative", "zeros")):
            setattr(figures, name, getattr(figures, name) + many)
            places.setdefault(name, start + int(np.argmax(where)))
    figures.count += len(raw)
    known = magnitude[finite & (magnitude > 0)]
    if finite.any():
        figures.minimum = min(figures.minimum, float(numbers[finite].min()))
        figures.maximum = max(figures.maximum, float(numbers[finite].max()))
    figures.powers += int(np.count_nonzero(np.frexp(known)[0] == 0.5))


def _order(tensor: Tensor, packed: Packed, files: Files) -> OrderFigures:
    """How an order of columns shares them out among the groups that the scale has."""
    order: Any = np.empty(tensor.elements, kind_of(tensor.dtype))
    files.get(tensor.file).read(order, tensor.offset)
    if (order == -1).all():
        return OrderFigures(unset=True)
    if order.min() < 0 or int(order.max()) >= len(order):
        return OrderFigures()
    counts = np.bincount(order)
    here = counts[counts > 0]
    return OrderFigures(
        groups=len(counts), fewest=int(here.min()), most=int(here.max()), named=len(here),
        monotone=bool((np.diff(order) >= 0).all()),
    )  # fmt: skip
