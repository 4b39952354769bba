"""Owns rotary scaling on its way between config.json, GGUF keys and the factors tensor of llama.cpp."""

from __future__ import annotations

from collections.abc import Mapping
from math import pi
from typing import Any

import numpy as np

from model_contracts.converters.interface import ConversionRefused

#: The widest head that is computed with.
_WIDEST = 65_536
#: What llama.cpp takes by key; llama3 goes by a tensor, and any other is not to be lost in silence.
_BY_KEY = ("linear", "yarn")


def scaling_of(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The scaling that a config.json declares, None where positions are not scaled."""
    for key in ("rope_scaling", "rope_parameters"):
        scaling = config.get(key)
        if isinstance(scaling, dict) and kind_of(scaling) not in (None, "default"):
            return scaling
    return None


def kind_of(scaling: Mapping[str, Any]) -> str | None:
    """`llama3`, `yarn`, `linear` …, under whichever key it stands."""
    kind = scaling.get("rope_type", scaling.get("type"))
    return str(kind) if kind is not None else None


def gguf_keys(architecture: str, scaling: Mapping[str, Any] | None) -> dict[str, Any]:
    """The GGUF keys of a scaling; raises ConversionRefused for a kind that llama.cpp has no key for."""
    if scaling is None or kind_of(scaling) == "llama3":
        return {}
    kind = kind_of(scaling)
    factor = scaling.get("factor")
    if kind not in _BY_KEY or not isinstance(factor, int | float) or not 0 < factor < 1e38:
        raise ConversionRefused(f"rope scaling {kind!r} has no place in GGUF that this converter knows")
    keys = {f"{architecture}.rope.scaling.type": kind, f"{architecture}.rope.scaling.factor": float(factor)}
    if isinstance(original := scaling.get("original_max_position_embeddings"), int) and 0 <= original < 2**32:
        keys[f"{architecture}.rope.scaling.original_context_length"] = original
    return keys


def factors(scaling: Mapping[str, Any] | None, theta: Any, head_dim: Any) -> bytes | None:
    """`rope_freqs.weight`: head_dim/2 float32 divisors of the inverse frequencies, for llama3 scaling only.

    Source: transformers `_compute_llama3_parameters`; llama.cpp PR 8676.
    """
    if scaling is None or kind_of(scaling) != "llama3":
        return None
    try:
        factor, low, high, old = (
            float(scaling[key])
            for key in ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings")
        )
        if not (isinstance(head_dim, int) and 0 < head_dim <= _WIDEST and float(theta) > 0 and factor and high != low):
            raise ValueError(f"head_dim {head_dim}, rope_theta {theta}, factor {factor}, from {low} to {high}")
        # In 32 bits, step by step, as the converter of llama.cpp computes it: the file's bits are its bits.
        share = np.arange(0, head_dim, 2).astype(np.float32) / np.float32(head_dim)
        frequency = np.float32(1) / (float(theta) ** share.astype(np.float64)).astype(np.float32)
        wavelength = np.float32(2 * pi) / frequency
        smooth = (np.float32(old) / wavelength - np.float32(low)) / np.float32(high - low)
        between = np.float32(1) / ((np.float32(1) - smooth) / np.float32(factor) + smooth)
        values = np.where(wavelength < old / high, 1, np.where(wavelength > old / low, factor, between))
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise ConversionRefused(f"the llama3 rope scaling of the source is incomplete: {error}") from None
    data: bytes = values.astype("<f4").tobytes()
    return data
