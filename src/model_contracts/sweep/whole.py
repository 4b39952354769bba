"""Owns steps on a whole tensor: the number that one takes of all its values, in one pass, before any is changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from model_contracts.artifact import Tensor
from model_contracts.layout import Compiled, LayoutPiece, ValueStep
from model_contracts.sweep.kernels.totals import CHUNK_VALUES
from model_contracts.sweep.reads import ReadFailed
from model_contracts.sweep.sides import Readable, Side, values_of

#: The smallest scale: llama.cpp's converter (BitnetModel.weight_quant) takes no smaller one.
_SMALLEST = 1e-5
_TERNARISE = ValueStep("ternarise")
#: Means that are kept, by file and place: a diagnosis looks at some rows of one tensor many times.
_MEANS: dict[tuple[object, ...], np.float32] = {}
_MOST_MEANS = 64


def settled(layout: Compiled, parts: Mapping[str, Readable], tensor: Tensor) -> Compiled:
    """The layout of a made tensor, `ternarise` as steps on single values. Raises ReadFailed where there is no scale.

    A scale is that of a stored tensor: the step has to come first, and the layout to hold every value of the tensor.
    """
    if not any(_TERNARISE in piece.steps for piece in layout.pieces):
        return layout
    known: dict[str, tuple[ValueStep, ...]] = {}

    def one(piece: LayoutPiece) -> LayoutPiece:
        if _TERNARISE not in piece.steps:
            return piece
        first, *others = piece.steps
        stands = sum(other.count for other in layout.pieces if other.name == piece.name)
        if first != _TERNARISE or _TERNARISE in others or stands != parts[piece.name].layout.tensor.elements:
            raise _refused(tensor, "is changed as a whole (ternarise), and is not the whole of a stored tensor")
        if piece.name not in known:
            known[piece.name] = _ternarised(_mean(parts[piece.name], tensor), tensor)
        return replace(piece, steps=(*known[piece.name], *others))

    return Compiled(layout.shape, tuple(map(one, layout.pieces)))


def _ternarised(mean: np.float32, made: Tensor) -> tuple[ValueStep, ...]:
    """Both steps in F32 as the converter computes them: it multiplies by the inverse of the mean, and divides by it."""
    inverse = np.float32(1) / mean
    scale = np.float32(1) / inverse
    grain = made.made.grain if made.made is not None else None
    if grain == "BF16":
        bits = int(scale.view(np.uint32))
        scale = np.uint32((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).view(np.float32)
    elif grain == "F16":
        with np.errstate(over="ignore"):
            scale = np.float32(np.float16(scale))
    if not np.isfinite(scale):
        raise _refused(made, f"is changed by the mean of its magnitudes (ternarise), which {grain} does not hold")
    return ValueStep("scale", float(inverse)), ValueStep("ternary", float(scale))


def _mean(side: Readable, made: Tensor) -> np.float32:
    """The mean of the magnitudes of a stored tensor."""
    tensor = side.layout.tensor
    key = (side.file.stamp, tensor.offset, tensor.elements, tensor.dtype) if isinstance(side, Side) else None
    mean = _MEANS.get(key) if key is not None else None
    if mean is None:
        mean = _taken(side, made)
        if len(_MEANS) >= _MOST_MEANS:
            _MEANS.clear()
        if key is not None:
            _MEANS[key] = mean
    return mean


def _taken(side: Readable, made: Tensor) -> np.float32:
    count, total = side.layout.tensor.elements, 0.0
    for start in range(0, count, CHUNK_VALUES):
        values = values_of(side, start, min(start + CHUNK_VALUES, count))
        with np.errstate(all="ignore"):
            total += float(np.abs(values).sum(dtype=np.float64))
    mean = max(total / count, _SMALLEST)
    if not mean < np.finfo(np.float32).max:
        raise _refused(made, "is changed by the mean of its magnitudes (ternarise), which is not finite")
    return np.float32(mean)


def ternary(values: Any, scale: Any) -> Any:
    """-scale, 0 or scale for what is nearest to -1, 0 and 1; a half goes to 0, which keeps its sign."""
    return np.clip(np.rint(values), -1, 1) * scale


def _refused(tensor: Tensor, reason: str) -> ReadFailed:
    return ReadFailed(tensor.file, tensor.offset, 0, 0, reason)
