"""Owns rotary scaling on its way between config.json, GGUF keys and the factors tensor of llama.cpp."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from model_contracts.anatomy.declared.built_rope import llama3_factors, longrope_attention
from model_contracts.converters.interface import ConversionRefused

#: The widest head that is computed with.
_WIDEST = 65_536
#: What llama.cpp takes by key; llama3 goes by a tensor, and any other is not to be lost in silence.
_BY_KEY = ("linear", "yarn")
#: What goes by tensors of factors, and the keys that stand beside these, or where nothing is scaled.
_BY_TENSOR = ("longrope", "su")
_WITHOUT_KIND = ("rope.scaling.original_context_length", "rope.scaling.attn_factor")


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


def is_scaling(key: str) -> bool:
    """Whether a GGUF key without its architecture tells how positions are scaled."""
    return key.startswith("rope.scaling.")


def states(kind: str | None, key: str) -> bool:
    """Whether GGUF states a key of a kind of scaling. Raises ConversionRefused for a kind that llama.cpp has none of.

    What llama3 does stands in a tensor, and longrope in two: with a type or a factor beside these llama.cpp would
    scale twice.
    """
    if kind in _BY_KEY:
        return True
    if kind not in (None, "default", "llama3", *_BY_TENSOR):
        raise ConversionRefused(f"rope scaling {kind!r} has no place in GGUF that this converter knows")
    return kind != "llama3" and key in _WITHOUT_KIND


def factors(scaling: Mapping[str, Any] | None, theta: Any, head_dim: Any) -> bytes | None:
    """`rope_freqs.weight`: head_dim/2 float32 divisors of the inverse frequencies, for llama3 scaling only.

    Raises ConversionRefused where one of its parameters is not there or not such as can be computed with.
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
        values = llama3_factors(float(theta), head_dim, factor, low, high, old)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise ConversionRefused(f"the llama3 rope scaling of the source is incomplete: {error}") from None
    data: bytes = values.astype("<f4").tobytes()
    return data


def longrope(config: Mapping[str, Any], architecture: str) -> tuple[dict[str, bytes], float] | None:
    """The tensors of factors that longrope keeps, by name, and by how much attention grows with the context.

    None for any other scaling. Raises ConversionRefused for an
    architecture whose reader has no such tensors.
    """
    scaling = scaling_of(config)
    if scaling is None or kind_of(scaling) not in _BY_TENSOR:
        return None
    if not _reads_factors(architecture):
        raise ConversionRefused(f"rope scaling {kind_of(scaling)!r} has no place in GGUF that {architecture} knows")
    try:
        old = scaling.get("original_max_position_embeddings", config.get("original_max_position_embeddings"))
        context = float(config["max_position_embeddings"])
        grows = scaling.get("attention_factor") or longrope_attention(context, float(str(old)))
        factors = {name: np.asarray(scaling[f"{name}_factor"], "<f4") for name in ("long", "short")}
        if any(values.ndim != 1 or not 0 < values.size <= _WIDEST for values in factors.values()):
            raise ValueError("its factors are no lists")
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise ConversionRefused(f"the longrope scaling of the source is incomplete: {error}") from None
    return {f"rope_factors_{name}.weight": values.tobytes() for name, values in factors.items()}, float(grows)


def _reads_factors(architecture: str) -> bool:
    """Whether llama.cpp's architecture has tensors for the factors of longrope (gguf-py constants)."""
    from gguf.constants import MODEL_ARCH_NAMES, MODEL_TENSOR, MODEL_TENSORS

    arch = next((arch for arch, name in MODEL_ARCH_NAMES.items() if name == architecture), None)
    return arch is not None and MODEL_TENSOR.ROPE_FACTORS_LONG in MODEL_TENSORS[arch]
