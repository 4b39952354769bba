"""Kind `rope_frequencies` (I-3): a llama3 rope scaling reaches the GGUF as the factors its formula gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import pi
from typing import Any

import numpy as np
from pydantic import Field

from model_contracts.checks.interface import Examination, Where, missing_input, not_owed
from model_contracts.kernels.rows import read_rows
from model_contracts.outcome import Comparison, Place, Record

Factors = np.ndarray[tuple[int], np.dtype[np.float64]]


class Parameters(Record):
    """How near the stored factors are to the formula's."""

    relative: float = Field(1e-5, ge=0)


def rope_frequencies(examination: Examination, parameters: Parameters, where: Where) -> Iterator[Comparison]:
    """Compare `rope_freqs.weight` with the closed formula of llama3 scaling (llama.cpp issue 8650, PR 8676)."""
    source, target = examination.source_view, examination.view
    scaling = _scaling(source.artifact.config)
    if scaling is None or examination.target.format != "gguf":
        raise not_owed("the source declares no llama3 rope scaling, or the target keeps its config.json")
    theta, head_dim = source.numbers.get("rope_theta"), source.numbers.get("head_dim")
    expected = _factors(scaling, theta, head_dim)
    tensor = target.by_canonical.get("rope_freqs.weight")
    if tensor is None:
        yield Comparison(
            measure="rope_factors",
            place=Place(file=examination.target.path.name, tensor="rope_freqs.weight"),
            expected=f"{len(expected)} factors",
            observed=None,
            holds=False,
            note="rope scaling was dropped: fine on short texts, gibberish past the original context",
        )
        return
    same = tensor.elements == len(expected)
    observed = read_rows(tensor, 0, 1)[0] if same else np.zeros(1)
    distance = float(np.max(np.abs(observed / expected - 1.0))) if same else float("inf")
    yield Comparison(
        measure="rope_factors",
        place=Place(tensor=tensor.name),
        expected=f"{len(expected)} factors, 1 … {expected.max():g}",
        observed=f"{tensor.elements:,} factors" + (f", {observed.min():g} … {observed.max():g}" if same else ""),
        holds=distance <= parameters.relative,
        tolerance=parameters.relative,
        smallest_passing_tolerance=distance if same else None,
        count=len(expected),
        bound_from=where("relative"),
    )


def _scaling(config: Mapping[str, object] | None) -> Mapping[str, float] | None:
    for key in ("rope_scaling", "rope_parameters"):
        scaling = (config or {}).get(key)
        if isinstance(scaling, dict) and "llama3" in (scaling.get("rope_type"), scaling.get("type")):
            return scaling
    return None


def _factors(scaling: Mapping[str, float], theta: Any, head_dim: Any) -> Factors:
    """head_dim/2 divisors of the inverse frequencies (transformers `_compute_llama3_parameters`)."""
    try:
        factor, low, high = (float(scaling[key]) for key in ("factor", "low_freq_factor", "high_freq_factor"))
        old = float(scaling["original_max_position_embeddings"])
        if not (isinstance(head_dim, int) and 0 < head_dim <= 65_536 and float(theta) > 0 and factor and high != low):
            raise ValueError(f"head_dim {head_dim}, rope_theta {theta}, factor {factor}, from {low} to {high}")
        pairs = np.arange(0, head_dim, 2) / head_dim
        wavelength = 2 * pi * float(theta) ** pairs
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise missing_input(f"the source's rope scaling is incomplete: {error}") from None
    smooth = np.clip((old / wavelength - low) / (high - low), 0, 1)
    factors: Factors = 1.0 / ((1 - smooth) / factor + smooth)
    return factors
