"""The pass over a pair whose source is laid out otherwise, against the same bytes in one order."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from timing import Row, side_by_side

from model_contracts.artifact import Made, Tensor
from model_contracts.layout import Concat, Expr, Permute, Reshape, Stored
from model_contracts.sweep.interface import Pairing, SweepRequest
from model_contracts.sweep.sweep import sweep

#: A matrix of a model of some billion parameters, how many of them, and experts or heads in one.
SIDE, MATRICES, PARTS = 4096, 16, 32
_BYTES = 2 * SIDE * SIDE
Layout = Callable[[], Expr]


def rows(model: Path, runs: int) -> Iterator[Row]:
    """Half a gigabyte of BF16 on each side, cached."""
    with tempfile.TemporaryDirectory(dir=model.parent) as folder:
        target, source = (_written(Path(folder) / name, seed) for seed, name in enumerate(("target", "source")))
        plain = partial(_passed, _request(target, source, None))
        for words, layout, goal in (
            ("stacked experts", _stacked, 1.1),
            ("rows within heads", _ordered, 1.4),
            ("fused Q, K and V, head by head", _grouped, 1.4),
            ("transposed matrices", _transposed, 2.0),
        ):
            ours, theirs = side_by_side(partial(_passed, _request(target, source, layout)), plain, runs)
            yield Row(
                f"pair of {words}, 512 MB BF16 each", "the same bytes in one order", ours, theirs, goal, "at most"
            )


def _passed(request: SweepRequest) -> None:
    seen = sweep(request, engine="numba")
    assert not seen.problems and not seen.uncompared and len(seen.pairs) == MATRICES


def _written(path: Path, seed: int) -> Path:
    random = np.random.default_rng(seed)
    with path.open("wb") as file:
        for _ in range(MATRICES):
            (random.standard_normal(SIDE * SIDE, np.float32).view(np.uint32) >> 16).astype("<u2").tofile(file)
    return path


def _request(target: Path, source: Path, layout: Layout | None) -> SweepRequest:
    tensors, pairings = [], {}
    for number in range(MATRICES):
        ours = Tensor(f"t{number}", "BF16", (SIDE, SIDE), target, number * _BYTES, _BYTES)
        theirs = replace(ours, name=f"s{number}", file=source)
        if layout is not None:
            expression = layout()
            parts = {"whole": theirs} if layout is not _stacked else _cut(theirs)
            ours = replace(ours, shape=expression.shape)
            theirs = replace(theirs, shape=expression.shape, made=Made(expression, parts))
        tensors.append(ours)
        pairings[ours.name] = Pairing(ours, theirs)
    return SweepRequest(tensors, pairings)


def _cut(whole: Tensor) -> dict[str, Tensor]:
    size, shape = _BYTES // PARTS, (SIDE // PARTS, SIDE)
    return {
        f"e{part}": replace(whole, name=f"e{part}", shape=shape, offset=whole.offset + part * size, nbytes=size)
        for part in range(PARTS)
    }


def _stacked() -> Expr:
    shape = (SIDE // PARTS, SIDE)
    return Concat(tuple(Reshape(Stored(f"e{part}", shape), (1, *shape)) for part in range(PARTS)))


def _ordered() -> Expr:
    halves = Reshape(Stored("whole", (SIDE, SIDE)), (PARTS, 2, SIDE // PARTS // 2, SIDE))
    return Reshape(Permute(halves, (0, 2, 1, 3)), (SIDE, SIDE))


def _grouped() -> Expr:
    heads = Reshape(Stored("whole", (SIDE, SIDE)), (PARTS, 4, SIDE // PARTS // 4, SIDE))
    return Reshape(Permute(heads, (1, 0, 2, 3)), (SIDE, SIDE))


def _transposed() -> Expr:
    return Permute(Stored("whole", (SIDE, SIDE)), (1, 0))
