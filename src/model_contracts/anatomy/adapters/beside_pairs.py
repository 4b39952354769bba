"""Owns what an adapter adds to the source of each pair, in the places of its target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

from model_contracts.anatomy.adapters.adaptation import Adaptation
from model_contracts.anatomy.adapters.fits import Misfit
from model_contracts.anatomy.adapters.placed import linear
from model_contracts.anatomy.pairing.made import parts_of
from model_contracts.anatomy.pairing.match import Match
from model_contracts.artifact import Made, Tensor
from model_contracts.layout import Expr, LayoutError, LayoutPiece, compiled
from model_contracts.sweep.interface import Added, Pairing

#: Rows that are told apart by whose they are, and runs of them, at most.
_MOST_ROWS, _MOST_RUNS = 4_000_000, 65_536


def with_added(found: Match, adapted: Adaptation) -> Match:
    """The same pairs, each with what was added to its source; those that nothing was added to as they are."""
    pairings = {name: _with(pairing, adapted.added) for name, pairing in found.pairings.items()}
    reason = next((one.reason for one in adapted.fits if isinstance(one, Misfit) and one.holds is None), None)
    if reason is None:
        return replace(found, pairings=pairings)
    # What has no known place may belong to any tensor that nothing was added to.
    doubtful = {name: replace(one, declared=one.added is not None and one.declared) for name, one in pairings.items()}
    unknown = found.unknown or f"a part of the adapter has no known place in the base ({reason})"
    return replace(found, pairings=doubtful, unknown=unknown)


def _with(pairing: Pairing, added: Mapping[str, Tensor]) -> Pairing:
    whose = dict.fromkeys(part.name for part in parts_of(pairing.source) if part.name in added)
    whose = whose or ({pairing.source.name: None} if pairing.source.name in added else {})
    if not whose or pairing.target.shape != pairing.source.shape:
        return pairing
    try:
        return replace(pairing, added=_added(pairing.source, added, tuple(whose)))
    except LayoutError:
        return pairing


def _added(source: Tensor, added: Mapping[str, Tensor], whose: tuple[str, ...]) -> Added:
    made = source.made
    if made is None or source.name in added:
        return Added(replace(added[source.name], shape=source.shape), (source.name,))
    layout = linear(made.layout)
    parts = {name: added.get(part.name) or _nothing(part) for name, part in made.parts.items()}
    tensor = replace(source, computed=None, packed=None, made=Made(layout, parts))
    if len(made.parts) == 1:
        return Added(tensor, whose)
    numbers = {name: whose.index(part.name) if part.name in added else -1 for name, part in made.parts.items()}
    return Added(tensor, whose, _runs(layout, numbers))


def _nothing(part: Tensor) -> Tensor:
    return replace(part, computed="zeros", packed=None, made=None, row_bytes=None)


def _runs(layout: Expr, numbers: Mapping[str, int]) -> tuple[tuple[int, int], ...]:
    """How many rows in order are of which part; nothing where parts share rows, or there are too many."""
    import numpy as np

    columns, plan = layout.shape[-1], compiled(layout)
    height = plan.count // columns
    if height > _MOST_ROWS:
        return ()
    owners = np.full(height, -1, np.int64)
    for piece in plan.pieces:
        rows = _rows(piece, columns)
        if rows is None:
            return ()
        owners[rows] = numbers.get(piece.name, -1)
    borders = [0, *(np.flatnonzero(np.diff(owners)) + 1).tolist(), height]
    if len(borders) > _MOST_RUNS:
        return ()
    return tuple((stop - start, int(owners[start])) for start, stop in pairwise(borders))


def _rows(piece: LayoutPiece, columns: int) -> Any:
    """The rows that a piece fills, whole, as an array; None where it fills parts of rows."""
    import numpy as np

    width, rows = 1, np.array([piece.at // columns])
    for size, logical, _ in piece.digits:
        if logical >= columns and logical % columns == 0:
            rows = (rows[:, None] + np.arange(size) * (logical // columns)).reshape(-1)
        elif logical >= columns:
            return None
        elif size * logical <= columns:
            width *= size
        elif size * logical % columns == 0 and columns % logical == 0:
            rows = (rows[:, None] + np.arange(size * logical // columns)).reshape(-1)
            width *= columns // logical
        else:
            return None
        if len(rows) > _MOST_ROWS:
            return None
    return rows if piece.at % columns == 0 and width == columns else None
