"""Owns patterns and values in compiled code: float32 from its bits, and the two half-width floats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile without the interpreter lock, and keep what was compiled."""
    return cast(Function, njit(nogil=True, cache=True)(function))


def reordered(function: Function) -> Function:
    """The same for sums: the order of additions is free. NaN and infinity keep their meaning."""
    return cast(Function, njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz"})(function))


@compiled
def float_of(bits: Any) -> Any:
    """The float32 of a pattern."""
    return np.uint32(bits).view(np.float32)


@compiled
def pattern(value: Any) -> Any:
    """The pattern of a float32."""
    return np.float32(value).view(np.int32)


@compiled
def half_value(bits: Any) -> Any:
    """The float32 of an IEEE half: exponent and mantissa moved into place, then scaled by 2**112."""
    magnitude = np.uint32((np.uint32(bits) & np.uint32(0x7FFF)) << np.uint32(13))
    sign = np.uint32((np.uint32(bits) & np.uint32(0x8000)) << np.uint32(16))
    scaled = np.uint32(pattern(float_of(magnitude) * np.float32(2.0**112)))
    special = np.uint32(magnitude | np.uint32(0x7F800000))
    return float_of((special if magnitude >= np.uint32(0x0F800000) else scaled) | sign)


@compiled
def scale_of(block: Any, place: Any) -> Any:
    """The float32 of a half stored little-endian at a byte of a block."""
    return half_value(np.uint32(block[place]) | np.uint32(np.uint32(block[place + 1]) << np.uint32(8)))
