"""Owns what else may have been done with an adapter: other scales, another product, a packed base."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from math import sqrt
from typing import Any

import numpy as np

from model_contracts.anatomy.adapters.coefficients import SIGMAS, Coefficient
from model_contracts.anatomy.adapters.fits import Placed
from model_contracts.anatomy.adapters.placed import added_to, product, shape_of
from model_contracts.anatomy.families.names import template
from model_contracts.anatomy.hypotheses.fits import Sample, sample
from model_contracts.anatomy.parts.adapter_settings import AdapterSettings
from model_contracts.artifact import Made, Tensor
from model_contracts.sweep.interface import Pairing
from model_contracts.sweep.projected import rounded

#: Other modules of one shape that are tried, nearest layers first.
_OTHERS = 48
#: The levels of NF4 (bitsandbytes), and how many values share a scale.
_NF4 = np.array(
    [-1.0, -0.6961928, -0.52507305, -0.3949175, -0.28444138, -0.18477343, -0.09105004, 0.0,
     0.0795803, 0.1609302, 0.2461123, 0.33791524, 0.44070983, 0.562617, 0.72295684, 1.0], np.float32,
)  # fmt: skip
_BLOCK = 64
Values = Any


def scales(placed: Placed | None, settings: AdapterSettings) -> Iterator[tuple[float, str]]:
    """Coefficients that mistakes of a scale make, in words; the plain ones first."""
    yield 1.0, "merged"
    yield 0.0, "not merged"
    yield 2.0, "merged twice"
    yield -1.0, "taken away"
    factor = placed.factor if placed is not None else None
    if placed is None or factor is None or placed.magnitude is not None:
        return
    a = factor.halves["A"]
    rank = factor.rank or a.shape[0]
    scale = settings.scale(factor.name, rank)
    if isinstance(scale, str) or not rank:
        return
    declared, other = ("alpha / sqrt(r)", "alpha / r") if settings.rooted else ("alpha / r", "alpha / sqrt(r)")
    yield (1 / sqrt(rank) if settings.rooted else sqrt(rank)), f"scaled by {other} in place of {declared}"
    yield 1 / scale, "alpha ignored: scaled by 1"
    yield (sqrt(rank) if settings.rooted else float(rank)), "alpha not divided by the rank"
    yield scale, "scaled twice"
    plain = settings.said.get("lora_alpha")
    general = settings.said.get("r")
    if isinstance(plain, int | float) and isinstance(general, int) and general > 0 and not isinstance(plain, bool):
        one = plain / (sqrt(general) if settings.rooted else general)
        yield one / scale, "scaled as the configuration says in general, its patterns ignored"


def named(found: Coefficient, known: Iterator[tuple[float, str]], tolerance: float) -> str | None:
    """The mistake that makes this coefficient, within its error; several where one number is all of them."""
    words = dict.fromkeys(said for number, said in known if found.near(number, tolerance))
    return " or ".join(words) or None


def by_rounding(found: Coefficient, known: Iterator[tuple[float, str]]) -> str | None:
    """The scale under which the target's own type rounds the base to what is there (a small change is lost in part)."""
    pairing = found.pairings[0]
    if pairing.target.dtype not in ("F16", "BF16") or pairing.added is None or pairing.added.runs:
        return None
    _, ours, base, change = _looked_at(pairing)
    best: tuple[float, str] | None = None
    for number, words in known:
        error = _power(ours - rounded(base + np.float32(number) * change, pairing.target.dtype))
        if best is None or error < best[0]:
            best = (error, words)
    plain = _power(ours - rounded(base, pairing.target.dtype))
    return best[1] if best is not None and best[0] <= 0.1 * max(plain, _power(change)) else None


def another(found: Coefficient, own: Placed | None, placed: Mapping[str, Placed]) -> str | None:
    """What else was added: the product turned, without magnitudes, in another order of rows, or another's."""
    pairing = found.pairings[0]
    if own is None or own.factor is None or pairing.added is None or len(found.pairings) > 1:
        return None
    seen, ours, base, _ = _looked_at(pairing)
    difference = ours - rounded(base, pairing.target.dtype)
    best: tuple[float, str] | None = None
    for words, tensor in _others(pairing, own, placed):
        change = seen.of(tensor)
        power = _power(change)
        if not power or not np.isfinite(change).all():
            continue
        value = float(np.sum(difference * change, dtype=np.float64)) / power
        left = _power(difference - np.float32(value) * change)
        deviation = sqrt(left / max(change.size - 2, 1) / power)
        if deviation < 0.1 and abs(value - 1) <= 0.1 + SIGMAS * deviation and (best is None or left < best[0]):
            best = (
                left,
                f"{words}{',' if ':' in words else ':'} a coefficient of {value:.3g} ± {SIGMAS * deviation:.2g}",
            )
    return best[1] if best is not None else None


def _others(pairing: Pairing, own: Placed, placed: Mapping[str, Placed]) -> Iterator[tuple[str, Tensor]]:
    factor, base = own.factor, own.base
    assert factor is not None and pairing.added is not None
    if own.magnitude is not None:
        yield "the product alone was added, without magnitudes (DoRA)", _in_place(pairing, base, own.added)
    low = own.added.computed
    if low is not None and getattr(low, "right", None) is not None and len(base.shape) == 2:
        turned = product(factor, low.scale, not low.left_turned)  # type: ignore[union-attr]
        if base.shape[0] == base.shape[1] and shape_of(turned) == base.shape:
            yield "the product was added turned (fan_in_fan_out)", _in_place(pairing, base, added_to(base, turned))
    if pairing.source.made is not None and pairing.added.tensor.shape == own.added.shape and not pairing.added.runs:
        yield "the product was added in the base's order of rows, not in the target's", own.added
    layer = template(base.name)[1] or 0
    near = sorted(
        (other for other in placed.values() if other.base.name != base.name and other.base.shape == base.shape),
        key=lambda other: (abs((template(other.base.name)[1] or 0) - layer), other.base.name),
    )
    for other in near[:_OTHERS]:
        if other.factor is not None and other.added.made is None:
            yield (
                f"what belongs to another module was added: {other.factor.name}",
                _in_place(pairing, base, other.added),
            )


def _in_place(pairing: Pairing, base: Tensor, added: Tensor) -> Tensor:
    """What would be added to a tensor of the base, in the places of the target."""
    made = pairing.added.tensor.made if pairing.added is not None else None
    if made is None or base.name == pairing.source.name:
        return added
    assert pairing.added is not None
    parts = {name: added if part.name == base.name else part for name, part in made.parts.items()}
    return replace(pairing.added.tensor, made=Made(made.layout, parts))


def packed_base(found: Coefficient) -> str | None:
    """Whether the rest is what a base packed to few bits before it was merged into would leave (QLoRA)."""
    pairing = found.pairings[0]
    if pairing.added is None or len(pairing.target.shape) != 2:
        return None
    seen, ours, base, change = _looked_at(pairing)
    if base.size % _BLOCK or seen.start * pairing.target.columns % _BLOCK:
        return None
    rest = ours - base - change
    for words, kept in _KEPT.items():
        lost = kept(base) - base
        power = _power(lost) * _power(rest)
        if power and float(np.sum(lost * rest, dtype=np.float64)) / sqrt(power) > 0.8:
            return f"the rest is that of a base kept as {words} when it was merged into"
    return None


def _looked_at(pairing: Pairing) -> tuple[Sample, Values, Values, Values]:
    """A sample of the target, of the base under it, and of what was added."""
    assert pairing.added is not None
    seen = sample(pairing.target, 0)
    with np.errstate(all="ignore"):
        ours, whole, change = seen.of(pairing.target), seen.of(pairing.source), seen.of(pairing.added.tensor)
        return seen, ours, whole - change, change


def _power(values: Values) -> float:
    return float(np.sum(np.square(values, dtype=np.float64)))


def _nf4(values: Values) -> Values:
    blocks = values.reshape(-1, _BLOCK)
    most = np.abs(blocks).max(axis=1, keepdims=True)
    levels = blocks / np.where(most > 0, most, 1)
    middle = (_NF4[1:] + _NF4[:-1]) / 2
    return (_NF4[np.searchsorted(middle, levels)] * most).reshape(values.shape)


def _by_rows(bits: int, group: int | None) -> Callable[[Values], Values]:
    def kept(values: Values) -> Values:
        blocks = values.reshape(-1, group or values.shape[1])
        step = np.abs(blocks).max(axis=1, keepdims=True) / (2 ** (bits - 1) - 1)
        step = np.where(step > 0, step, 1)
        return (np.rint(blocks / step) * step).reshape(values.shape)

    return kept


_KEPT: dict[str, Callable[[Values], Values]] = {
    "NF4 in blocks of 64": _nf4,
    "8 bits a row": _by_rows(8, None),
    "4 bits in groups of 64": _by_rows(4, 64),
}
