"""Owns rival explanations that lie in how a weight is packed: its parts read with a mistake that writers make."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from model_contracts.anatomy.hypotheses.fits import Fit, Matrix, Sample, fit
from model_contracts.artifact import Tensor

_ZEROS = (("zero+1", "zero points that are one too low"), ("zero-1", "zero points that are one too high"))
_SCALES = (
    ("scale-inverted", "scales that are inverted"),
    ("scale-next", "scales of the next group"),
    ("scale-row", "scales of the next row"),
)
_NIBBLES = (("nibbles", "nibbles in the other order (the high half of each byte first)"),)
#: What is tried of each decoder: the mistake, in the decoder's word and in ours.
_MISREADINGS: dict[str, tuple[tuple[str, str], ...]] = {
    "scaled": _SCALES,
    "float4": (*_NIBBLES, *_SCALES, ("global-inverted", "a global scale that is inverted")),
    "pack_quantized": (*_NIBBLES, *_ZEROS, *_SCALES),
    "gptq": (*_NIBBLES, *_ZEROS, _SCALES[0], ("order", "groups in the order of the columns (g_idx not used)")),
    "awq": (
        *_NIBBLES,
        *_ZEROS,
        _SCALES[0],
        ("order", "columns of each word in their own order (not AWQ's)"),
        ("zero-order", "zero points of each word in their own order (not AWQ's)"),
    ),
    "hqq": (*_NIBBLES, *_ZEROS, _SCALES[0]),
    "bitsandbytes": (*_NIBBLES, _SCALES[0]),
    "mlx": (*_NIBBLES, *_ZEROS, *_SCALES),
}
#: Blocks that are named, the share of all that may be off, and how far a scale is off that is told.
_NAMED, _MOST, _OFF = 3, 0.1, 0.2


def packed_fits(target: Tensor, seen: Sample, declared: Matrix) -> Iterator[tuple[str, Fit]]:
    """How well a packed target fits `declared` where its parts are read with each mistake, in words."""
    packed = target.packed
    if packed is None or packed.decoder is None:
        return
    for mistake, words in _MISREADINGS.get(packed.decoder, ()):
        read = replace(packed, settings=(*packed.settings, ("misread", mistake)))
        yield words, fit(seen.of(replace(target, packed=read)), declared)
    yield from _stale(target, seen, declared)


def _stale(target: Tensor, seen: Sample, declared: Matrix) -> Iterator[tuple[str, Fit]]:
    """Some scales off, each by a factor of its own: the target with those blocks as the source has them scaled."""
    assert target.packed is not None
    height, width = target.shape[-2], target.columns
    tall, wide = _block(target, height, width)
    if seen.vector or declared.shape[1] % wide or seen.start % tall or declared.shape[0] % tall:
        return
    observed = seen.of(target)
    shape = (declared.shape[0] // tall, tall, width // wide, wide)
    ours, theirs = observed.reshape(shape).astype(np.float64), declared.reshape(shape).astype(np.float64)
    with np.errstate(all="ignore"):
        gains = np.nan_to_num((ours * theirs).sum((1, 3)) / (theirs * theirs).sum((1, 3)), nan=1.0, posinf=1.0)
    off = np.argwhere(np.abs(gains - 1) > _OFF)
    if not 0 < len(off) <= max(_MOST * gains.size, 1) < gains.size:
        return
    gains[np.abs(gains - 1) <= _OFF] = 1.0
    scaled = (theirs * gains[:, None, :, None]).reshape(declared.shape).astype(np.float32)
    places = ", ".join(
        f"rows {seen.start + row * tall} to {seen.start + (row + 1) * tall - 1}, columns {column * wide} to "
        f"{(column + 1) * wide - 1}: {gains[row, column]:.3g} times" for row, column in off[:_NAMED]
    )  # fmt: skip
    more = " …" if len(off) > _NAMED else ""
    yield f"scales off in {len(off)} of {gains.size} blocks ({places}{more})", fit(observed, scaled)


def _block(target: Tensor, height: int, width: int) -> tuple[int, int]:
    """Rows and columns that share a scale."""
    assert target.packed is not None and target.packed.grain is not None
    settings, share = dict(target.packed.settings), target.packed.grain[1]
    if share >= 0:
        return 1, share or width
    sizes = (settings.get("rows", settings.get("block_rows")), settings.get("columns", settings.get("block_columns")))
    tall, wide = (
        size if isinstance(size, int) and size > 0 else whole
        for size, whole in zip(sizes, (height, width), strict=True)
    )
    return min(tall, height), min(wide, width)
