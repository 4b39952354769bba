"""Kind `rope_frequencies` (I-3): a llama3 or longrope scaling reaches the GGUF as the factors that it declares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

import numpy as np
from pydantic import Field

from model_contracts.anatomy.declared.built_rope import Factors, llama3_factors, longrope_attention
from model_contracts.anatomy.families.multimodal import text_config
from model_contracts.anatomy.view import View
from model_contracts.artifact import Tensor
from model_contracts.checks.interface import Comparisons, Examination, Where, missing_input, not_owed, static
from model_contracts.outcome import Comparison, Place, Record, Uncompared
from model_contracts.sweep.rows import read_rows

#: No head has more pairs of rotated values.
_MOST_PAIRS = 65_536


class RopeFrequenciesParameters(Record):
    """How near the stored factors are to the formula's."""

    relative: float = Field(1e-5, ge=0)


def rope_frequencies(examination: Examination, parameters: RopeFrequenciesParameters, where: Where) -> Comparisons:
    """Compare tensors of factors with the closed formula of llama3, or with the lists that longrope declares."""
    source, target = examination.source_view, examination.view
    scaling = scaling_of(text_config(source.artifact.config))
    if scaling is None or not examination.target.form.rope_tensors:
        raise not_owed("the source declares no scaling that tensors carry, or the target keeps its config.json")
    bound = where("relative")
    if kind_of(scaling) == "llama3":
        theta, head_dim = source.numbers.get("rope_theta"), source.numbers.get("head_dim")
        yield from _held("rope_freqs.weight", _factors(scaling, theta, head_dim), target, parameters.relative, bound)
        return
    for name, key in (("rope_factors_long.weight", "long_factor"), ("rope_factors_short.weight", "short_factor")):
        yield from _held(name, _listed(scaling, key), target, parameters.relative, bound)
    yield from _longrope_keys(scaling, source, target, parameters.relative, bound)


def _held(name: str, expected: Factors, target: View, relative: float, bound_from: str) -> Iterator[Comparison]:
    tensor = target.by_canonical.get(name) or target.artifact.tensors.get(name)
    if tensor is None:
        yield Comparison(
            measure="rope_factors",
            place=Place(file=target.artifact.path.name, tensor=name),
            expected=f"{len(expected)} factors",
            observed=None,
            holds=False,
            note="rope scaling was dropped: fine on short texts, gibberish past the original context",
        )
        return
    same = tensor.elements == len(expected)
    observed = _read(tensor) if same else np.zeros(1)
    distance = float(np.max(np.abs(observed / expected - 1.0))) if same else float("inf")
    yield Comparison(
        measure="rope_factors",
        place=Place(tensor=tensor.name),
        expected=f"{len(expected)} factors, {expected.min():g} … {expected.max():g}",
        observed=f"{tensor.elements:,} factors" + (f", {observed.min():g} … {observed.max():g}" if same else ""),
        holds=distance <= relative,
        tolerance=relative,
        smallest_passing_tolerance=distance if same else None,
        count=max(len(expected), 1),
        bound_from=bound_from,
    )


def _read(tensor: Tensor) -> Factors:
    with np.errstate(all="ignore"):
        values: Factors = read_rows(tensor, 0, tensor.rows).reshape(-1).astype(np.float64)
    return values


def _longrope_keys(
    scaling: Mapping[str, Any], source: View, target: View, relative: float, bound_from: str
) -> Comparisons:
    """The original context, and the factor of attention (transformers `_compute_longrope_parameters`)."""
    metadata, arch = target.artifact.metadata, target.artifact.metadata.get("general.architecture")
    old = _number(scaling, "original_max_position_embeddings")
    new = source.numbers.get("max_position_embeddings")
    owed: list[tuple[str, float]] = [("rope.scaling.original_context_length", old)]
    given = scaling.get("attention_factor")
    if isinstance(given, int | float) and not isinstance(given, bool):
        owed.append(("rope.scaling.attn_factor", float(given)))
    elif isinstance(new, int | float) and old > 1:
        owed.append(("rope.scaling.attn_factor", longrope_attention(float(new), old)))
    for name, value in owed:
        key = f"{arch}.{name}"
        observed = metadata.get(key)
        if observed is None and target.family is None and arch != "phi3":
            yield Uncompared(place=Place(key=key), reason=f"whether {arch} has it built in only a family could say")
            continue
        number = isinstance(observed, int | float) and not isinstance(observed, bool) and isfinite(observed)
        distance = abs(float(observed) / value - 1.0) if number and value else None  # type: ignore[arg-type]
        yield Comparison(
            measure=name.rpartition(".")[2],
            place=Place(file=target.artifact.path.name, key=key),
            expected=value,
            observed=observed if number else None,
            holds=distance is not None and distance <= relative,
            tolerance=relative,
            smallest_passing_tolerance=distance,
            bound_from=bound_from,
            note=None if distance is not None and distance <= relative else "longrope of the source's config",
        )


def kind_of(scaling: Mapping[str, Any]) -> str:
    """The scaling's name; phi-3 called longrope `su` at first."""
    kinds = [scaling.get(key) for key in ("rope_type", "type")]
    return "llama3" if "llama3" in kinds else "longrope" if {"longrope", "su"} & {str(kind) for kind in kinds} else ""


def scaling_of(config: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The block of a config.json that declares a scaling which tensors carry (phi-3 has a part of it at the top)."""
    old = "original_max_position_embeddings"
    for key in ("rope_scaling", "rope_parameters"):
        scaling = (config or {}).get(key)
        if isinstance(scaling, dict) and kind_of(scaling):
            return {old: (config or {}).get(old), **scaling}
    return None


def _number(scaling: Mapping[str, Any], key: str) -> float:
    value = scaling.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12:
        raise missing_input(f"the source's rope scaling is incomplete: {key} is {str(value)[:40]}")
    return float(value)


def _listed(scaling: Mapping[str, Any], key: str) -> Factors:
    values = scaling.get(key)
    whole = isinstance(values, list) and 0 < len(values) <= _MOST_PAIRS
    if not whole or not all(_counts(value) for value in values):  # type: ignore[union-attr]
        raise missing_input(f"the source's rope scaling is incomplete: {key} is no list of numbers above 0")
    return np.array(values, np.float64)


def _counts(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e12


def _factors(scaling: Mapping[str, Any], theta: Any, head_dim: Any) -> Factors:
    """head_dim/2 divisors of the inverse frequencies; raises Skip where the scaling does not say them."""
    factor, low, high, old = (
        _number(scaling, key)
        for key in ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")
    )
    if not _counts(theta) or not _counts(head_dim) or head_dim > 2 * _MOST_PAIRS or low == high:
        raise missing_input(f"the source's rope scaling is incomplete: theta {theta}, head_dim {head_dim}")
    with np.errstate(all="ignore"):
        found = llama3_factors(float(theta), int(head_dim), factor, low, high, old)
    if not (np.isfinite(found) & (found > 0)).all():
        raise missing_input(f"the source's rope scaling makes no factors above 0: factor {factor:g}")
    return found


ROPE_FREQUENCIES = static(RopeFrequenciesParameters, rope_frequencies)
