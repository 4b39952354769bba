"""Kinds `tensors_measured`, `tensors_equal`, `tensors_digest`: the values of tensors that a person chose."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from blake3 import blake3
from pydantic import Field, model_validator

from model_contracts.artifact import Tensor
from model_contracts.checks.interface import Comparisons, Examination, Told, Where, static
from model_contracts.checks.static.custom.selected import (
    Digest,
    Glob,
    Interval,
    KeyPlaces,
    Selector,
    bound_lines,
    chosen,
    declared_at,
    matched,
    place_of,
    unmatched,
    unread_tensor,
    within,
)
from model_contracts.outcome import Comparison, Uncompared
from model_contracts.sweep.interface import Moments
from model_contracts.sweep.reads import ReadFailed, pieces_of, same_bytes
from model_contracts.sweep.rows import read_rows

_MEASURED = ("values", "mean", "std", "rms", "zeros")
#: Values of a tensor that are held to a key, at most.
_MOST = 65_536


class TensorsMeasuredParameters(Selector):
    """Tensors and bounds on the statistics of their values, which are all finite."""

    values: Interval | None = Field(None, description="Of every value.")
    mean: Interval | None = None
    std: Interval | None = Field(None, description="Population standard deviation.")
    rms: Interval | None = Field(None, description="Root mean square.")
    zeros: Interval | None = Field(None, description="The share of values that are 0 (0 to 1).")

    @model_validator(mode="after")
    def _some(self) -> TensorsMeasuredParameters:
        if all(getattr(self, name) is None for name in _MEASURED):
            raise ValueError(f"one of {', '.join(_MEASURED)}")
        return self


class TensorsEqualParameters(Selector):
    """Tensors and what they equal: another tensor, or the number or list under a key."""

    to: Glob | None = Field(
        None, description="The name of the other; each * of it is what that * stands for in the glob that matched."
    )
    key: KeyPlaces | None = None

    @model_validator(mode="after")
    def _one(self) -> TensorsEqualParameters:
        if (self.to is None) == (self.key is None):
            raise ValueError("to or key, and not both")
        if self.to is not None and any(glob.count("*") != self.to.count("*") for glob in self.tensors):
            raise ValueError("to with as many stars as each glob has")
        return self


class TensorsDigestParameters(Selector):
    """Tensors and the digest of the bytes of each."""

    digest: Digest


def tensors_measured(examination: Examination, parameters: TensorsMeasuredParameters, where: Where) -> Comparisons:
    """Compare the statistics of each tensor with their bounds."""
    found, gaps = chosen(examination, parameters)
    yield from gaps
    moments = examination.sweep.moments
    for name, tensor in found.items():
        seen = moments.get(name)
        if seen is None or not seen.count:
            yield unread_tensor(tensor)
            continue
        place = place_of(tensor)
        for measure, bounds, line in bound_lines(parameters, _MEASURED, where):
            if measure == "values":
                yield within("smallest_value", place, _least(seen), bounds, line, seen.count)
                yield within("largest_value", place, _most(seen), bounds, line, seen.count)
            else:
                yield within(measure, place, _statistic(seen, measure), bounds, line, seen.count)


def _least(seen: Moments) -> float:
    """The smallest value; NaN where one is, which is within no bounds."""
    return float("nan") if seen.nan else float("-inf") if seen.infinite else seen.minimum


def _most(seen: Moments) -> float:
    return float("nan") if seen.nan else float("inf") if seen.infinite else seen.maximum


def _statistic(seen: Moments, name: str) -> float:
    if name == "zeros":
        return seen.zeros / seen.count
    return float("nan") if seen.nan or seen.infinite else float(getattr(seen, name))


def tensors_equal(examination: Examination, parameters: TensorsEqualParameters, where: Where) -> Comparisons:
    """Compare each tensor with its other, byte for byte, or its values with those under the key."""
    found, gaps = chosen(examination, parameters)
    yield from gaps
    for name, tensor in found.items():
        if parameters.key is not None:
            yield _with_key(examination, tensor, parameters.key, where("key"))
        else:
            yield _with_other(examination, name, parameters, where("to"))


def _with_other(examination: Examination, name: str, parameters: TensorsEqualParameters, line: str) -> Told:
    tensors = examination.target.tensors
    tensor, spelled = tensors[name], examination.view.canonical
    wanted = _named(parameters, name, spelled.get(name))
    other = tensors.get(wanted) or next((tensors[own] for own, known in spelled.items() if known == wanted), None)
    if other is None:
        return unmatched(wanted)
    if other.dtype != tensor.dtype and other.shape == tensor.shape:
        return Uncompared(
            place=place_of(tensor), count=max(tensor.elements, 1), reason=f"{other.name} is {other.dtype}"
        )
    if not (tensor.readable and other.readable):
        return unread_tensor(tensor)
    equal = other.shape == tensor.shape and same_bytes(tensor, other)
    return Comparison(
        measure="same_tensor",
        place=place_of(tensor),
        expected=f"the bytes of {other.name}",
        observed="the same" if equal else "others",
        holds=equal,
        count=max(tensor.elements, 1),
        bound_from=line,
    )


def _named(parameters: TensorsEqualParameters, name: str, canonical: str | None) -> str:
    """The name of the other: the stars of `to` filled in with what those of the glob stand for."""
    for glob in parameters.tensors:
        for spelled in (name, canonical):
            if spelled is not None and (stars := matched(glob, spelled)) is not None:
                first, *rest = (parameters.to or "").split("*")
                return first + "".join(star + piece for star, piece in zip(stars, rest, strict=True))
    return parameters.to or ""


def _with_key(examination: Examination, tensor: Tensor, key: KeyPlaces, line: str) -> Told:
    declared, place = declared_at(examination.target, key)
    listed = declared if isinstance(declared, list | tuple) else [declared]
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in listed)
    if declared is None or not numbers or len(listed) > _MOST:
        return Uncompared(place=place_of(tensor), reason=f"{place} declares no number and no list of numbers")
    if tensor.elements > _MOST or not tensor.readable or tensor.packed is not None:
        return unread_tensor(tensor, f"it has more than {_MOST:,} values, or they cannot be read")
    held: Any = read_rows(tensor, 0, tensor.rows).reshape(-1)
    # Both as the type that the tensor stores: 0.1 in a key is no other value than 0.1 in F32.
    with np.errstate(all="ignore"):
        wanted = np.array([float(max(min(one, 1e308), -1e308)) for one in listed], np.float64).astype(np.float32)
    equal = held.size == wanted.size and bool(np.array_equal(held, wanted))
    at = next((i for i, (a, b) in enumerate(zip(held, wanted, strict=False)) if a != b), min(held.size, wanted.size))
    return Comparison(
        measure="same_as_key",
        place=place_of(tensor),
        expected=f"{wanted.size:,} values of {place}",
        observed="the same" if equal else f"{held.size:,} values, the first other one at {at}",
        holds=equal,
        count=max(tensor.elements, 1),
        bound_from=line,
    )


def tensors_digest(examination: Examination, parameters: TensorsDigestParameters, where: Where) -> Comparisons:
    """Compare the digest of the bytes of each tensor."""
    found, gaps = chosen(examination, parameters)
    yield from gaps
    for tensor in found.values():
        digest: Any = blake3() if parameters.digest.startswith("blake3:") else hashlib.sha256()
        try:
            for piece in pieces_of(tensor):
                digest.update(piece)
        except ReadFailed:
            yield unread_tensor(tensor, "its bytes are not there")
            continue
        seen = f"{parameters.digest.partition(':')[0]}:{digest.hexdigest()}"
        yield Comparison(
            measure="tensor_digest",
            place=place_of(tensor),
            expected=parameters.digest,
            observed=seen,
            holds=seen == parameters.digest,
            count=max(tensor.elements, 1),
            bound_from=where("digest"),
        )


TENSORS_MEASURED = static(TensorsMeasuredParameters, tensors_measured, reads_values=True)
TENSORS_EQUAL = static(TensorsEqualParameters, tensors_equal)
TENSORS_DIGEST = static(TensorsDigestParameters, tensors_digest)
