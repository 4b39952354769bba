"""Owns rotary positions in the words of config.json, from the keys and the tensors of factors of a GGUF or .apr."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from math import log, pi, sqrt
from typing import Any

import numpy as np

from model_contracts.anatomy.declared.declared_keys import DeclaredSide
from model_contracts.anatomy.families.carried import carried_config
from model_contracts.anatomy.view import View
from model_contracts.sweep.rows import read_rows

Factors = np.ndarray[tuple[int], np.dtype[np.float64]]
#: The widest head that is computed with.
_WIDEST = 65_536
#: Published llama3 scalings, which their factors alone do not tell: the low and the high factor of frequencies, and
#: original contexts (config.json of Llama 3.1 to 4, EXAONE 4), the smallest of which is that of small models.
_BENDS, _ORIGINALS = ((1.0, 4.0),), tuple(2**power for power in range(18, 6, -1))


#: Tensors of longrope, and what config.json calls their factors.
LISTED = {"rope_factors_long.weight": "long_factor", "rope_factors_short.weight": "short_factor"}


class NotDeclared(ValueError):
    """What a file does not say and a config.json has to, in one line that names the key."""


def rotary(view: View, side: DeclaredSide, *, of_factors: bool) -> dict[str, Any]:
    """`partial_rotary_factor` and `rope_scaling`, where they are needed. Raises NotDeclared.

    Without `of_factors` the scaling that `rope_freqs.weight` carries is left out: who takes the factors does without.
    """
    found: dict[str, Any] = {}
    head_dim, width = view.numbers.get("head_dim"), _said(side, "rope_dimension_count")
    own = view.family.hyperparameters.get("partial_rotary_factor") if view.family is not None else None
    if isinstance(head_dim, int) and head_dim > 0 and isinstance(width, int) and (own or width != head_dim):
        found[own.config[0] if own else "partial_rotary_factor"] = width / head_dim
    scaling = _scaling(view, side, (width if isinstance(width, int) else head_dim) if of_factors else None)
    if scaling and scaling["rope_type"] == "longrope":  # Phi-3's class reads it beside the scaling
        found["original_max_position_embeddings"] = scaling["original_max_position_embeddings"]
    return found | ({"rope_scaling": scaling} if scaling else {})


def _scaling(view: View, side: DeclaredSide, width: Any) -> dict[str, Any] | None:
    long, short_ = (rope_factors(view, f"rope_factors_{name}.weight") for name in ("long", "short"))
    if long is not None and short_ is not None:
        return _longrope(view, side, long, short_)
    kind, factor = _said(side, "rope_scaling_type"), _said(side, "rope_scaling_factor")
    if kind in (None, "none", "default") or (kind == "linear" and factor == 1):
        freqs = rope_factors(view, "rope_freqs.weight") if width is not None else None
        return None if freqs is None else from_factors(freqs, view.numbers.get("rope_theta"), width)
    if kind == "linear" and isinstance(factor, int | float):
        return {"rope_type": kind, "factor": float(factor)}
    if kind != "yarn" or not isinstance(factor, int | float) or not side.form.prefixed_keys:
        raise NotDeclared(f"its rope scaling is {kind!r} by {factor}: its parameters are not all in the file")
    return _yarn(side, float(factor))


def _yarn(side: DeclaredSide, factor: float) -> dict[str, Any]:
    names = {"rope_original_context": "original_max_position_embeddings", "yarn_beta_fast": "beta_fast"}
    names["yarn_beta_slow"] = "beta_slow"
    found: dict[str, Any] = {"rope_type": "yarn", "factor": factor}
    found |= {key: short(value) for name, key in names.items() if (value := _said(side, name)) is not None}
    multiplier, attention = _said(side, "yarn_log_multiplier"), _said(side, "rope_attention_factor")
    if isinstance(multiplier, int | float) and multiplier:  # DeepSeek: llama.cpp has one number for both
        found["mscale"] = found["mscale_all_dim"] = short(round(10 * float(multiplier), 6))
    if isinstance(attention, int | float) and attention != 1:
        found["attention_factor"] = short(attention * (1 + 0.1 * log(max(factor, 1.0))))
    return found


def _longrope(view: View, side: DeclaredSide, long: Factors, short_: Factors) -> dict[str, Any]:
    original, attention = _said(side, "rope_original_context"), _said(side, "rope_attention_factor")
    context = view.numbers.get("max_position_embeddings")
    if not isinstance(original, int) or original <= 0 or not isinstance(context, int):
        raise NotDeclared("its rope scaling is longrope, and the file does not say its original context")
    found: dict[str, Any] = {"rope_type": "longrope", "factor": context / original}
    found |= {"long_factor": _listed(long), "short_factor": _listed(short_)}
    found["original_max_position_embeddings"] = original
    return found | ({"attention_factor": short(attention)} if isinstance(attention, int | float) else {})


def _listed(values: Factors) -> list[float]:
    return [short(float(value)) for value in values]


def rope_factors(view: View, name: str) -> Factors | None:
    """A tensor of factors; None where the file has none."""
    tensor = view.by_canonical.get(name) or view.artifact.tensors.get(name)
    if tensor is None or not 0 < tensor.elements <= _WIDEST:
        return None
    values: Factors = read_rows(tensor, 0, tensor.rows).reshape(-1).astype(np.float64)
    return values


def listed_factors(name: str, source: View, target: View) -> str | None:
    """The key under which config.json of a target lists the factors that a tensor of the source holds, if one does."""
    config = target.artifact.config or carried_config(target.artifact) or {}
    held = rope_factors(source, name)
    for key in ("rope_scaling", "rope_parameters"):
        scaling = config.get(key)
        listed = scaling.get(LISTED[name]) if isinstance(scaling, Mapping) else None
        if held is None or not isinstance(listed, list) or len(listed) != len(held):
            continue
        numbers = all(isinstance(value, int | float) for value in listed)
        if numbers and np.allclose(held, np.asarray(listed, np.float64), rtol=1e-5, atol=0):
            return f"{key}.{LISTED[name]}"
    return None


def from_factors(values: Factors, theta: Any, width: Any) -> dict[str, Any]:
    """The llama3 scaling that makes these factors; raises NotDeclared where no published kind of it does."""
    usable = isinstance(theta, int | float) and theta > 0 and isinstance(width, int) and 0 < width <= _WIDEST
    largest = round(float(values.max()), 4)
    if usable and np.isfinite(values).all() and largest > 0:
        for (low, high), original in product(_BENDS, _ORIGINALS):
            made = llama3_factors(theta, width, largest, low, high, original)
            if made.shape == values.shape and np.allclose(made, values, rtol=1e-5, atol=0):
                bends = {"low_freq_factor": low, "high_freq_factor": high}
                return {
                    "rope_type": "llama3", "factor": largest, **bends, "original_max_position_embeddings": original
                }  # fmt: skip
    raise NotDeclared(
        "rope_freqs.weight holds factors of no published scaling, and config.json was not carried with it"
    )


def llama3_factors(theta: float, width: int, factor: float, low: float, high: float, original: float) -> Factors:
    """What llama3 scaling divides the inverse frequencies by, [width / 2], rounded to 32 bits.

    It is computed in 32 bits, step by step, as llama.cpp's converter does, so that a file's bits are its bits.
    Source: transformers `_compute_llama3_parameters`; llama.cpp PR 8676. A caller sees to it that low is not high.
    """
    share = np.arange(0, width, 2).astype(np.float32) / np.float32(width)
    wavelength = np.float32(2 * pi) / (np.float32(1) / (float(theta) ** share.astype(np.float64)).astype(np.float32))
    smooth = (np.float32(original) / wavelength - np.float32(low)) / np.float32(high - low)
    between = np.float32(1) / ((np.float32(1) - smooth) / np.float32(factor) + smooth)
    values: Factors = np.where(wavelength < original / high, 1, np.where(wavelength > original / low, factor, between))
    return values


def longrope_attention(context: float, original: float) -> float:
    """By how much attention grows from the original context, in tokens, to the one that longrope reaches.

    Source: transformers `_compute_longrope_parameters`. ArithmeticError, ValueError where there is no such number.
    """
    return sqrt(1 + log(context / original) / log(original)) if context > original else 1.0


def _said(side: DeclaredSide, name: str) -> Any:
    found: Mapping[str, Any] = side.said
    return found[name].value if name in found and found[name].enabled else None


def short(value: Any) -> Any:
    """A float32 as its shortest decimal: GGUF's 9.999999974752427e-07 is 1e-06."""
    if isinstance(value, float) and float(np.float32(value)) == value:
        return float(str(np.float32(value)))
    return value
