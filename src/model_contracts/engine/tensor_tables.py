"""Owns how a table of tensors is made from what the one pass saw; only the scatters read anything again."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

import numpy as np

from model_contracts.anatomy.hypotheses.budgets import Budget, Budgets, exact
from model_contracts.anatomy.hypotheses.fits import few
from model_contracts.anatomy.pairing.made import parts_of
from model_contracts.anatomy.view import View
from model_contracts.artifact import Tensor
from model_contracts.checks.interface import Examination
from model_contracts.engine.plan import Plan
from model_contracts.sweep.interface import Moments, Pairing, PairMeasures
from model_contracts.tables import LARGEST, Scatter, TensorRow, TensorTable

#: Tensors whose values are drawn against their source's, and pairs of values of each.
_SCATTERS, _POINTS = 6, 600
_LAYERS = ("blk.{n}.", "enc.blk.{n}.", "dec.blk.{n}.")


def table_of(examination: Examination, plan: Plan) -> TensorTable | None:
    """The table of an examined artifact; None where its bytes were not read."""
    swept = examination.swept
    if swept is None:
        return None
    match = examination.match if examination.source is not None else None
    pairings = match.pairings if match is not None else {}
    budgets = next((one.parameters for one in plan.steps if isinstance(one.parameters, Budgets)), None)
    view = examination.view
    rows = []
    for name, tensor in view.artifact.tensors.items():
        pairing, pair = pairings.get(name), swept.pairs.get(name)
        moments = swept.moments.get(name)
        rows.append(_row(view, tensor, moments, pairing, pair, budgets))
    kept = rows if len(rows) <= LARGEST else sorted(rows, key=_worst_first)[:LARGEST]
    against = str(examination.source.path) if examination.source is not None else None
    return TensorTable(
        artifact=examination.target.name,
        path=str(examination.target.path),
        against=against,
        rows=tuple(kept),
        left_off=len(rows) - len(kept),
        scatters=tuple(_scatters(rows, pairings, swept.pairs)),
    )


def _row(
    view: View,
    tensor: Tensor,
    moments: Moments | None,
    pairing: Pairing | None,
    pair: PairMeasures | None,
    budgets: Budgets | None,
) -> TensorRow:
    role, layer = _role(view, tensor.name)
    row = TensorRow(
        tensor=tensor.name,
        role=role,
        layer=layer,
        type=tensor.dtype,
        shape=tensor.shape,
        values=tensor.elements,
        **(_statistics(moments) if moments is not None else {}),
    )
    if pairing is None:
        return row
    budget = _budget(pairing, budgets)
    parts = [*parts_of(pairing.source)]
    said: dict[str, object] = {
        "source": parts[0].name if len(parts) == 1 else pairing.source.name,
        "source_type": pairing.source.dtype,
        "budget": budget.relative_rmse if budget is not None else 0.0 if exact(pairing) else None,
        "cosine_budget": budget.row_cosine if budget is not None else None,
    }
    return row.model_copy(update=said | (_distances(pair) if pair is not None and pair.count else {}))


def _statistics(moments: Moments) -> dict[str, float | int | None]:
    some = moments.finite > 0
    return {
        "mean": moments.mean if some else None,
        "std": moments.std if some else None,
        "minimum": moments.minimum if some else None,
        "maximum": moments.maximum if some else None,
        "nan": moments.nan,
        "infinite": moments.infinite,
        "zeros": moments.zeros,
    }


def _distances(pair: PairMeasures) -> dict[str, object]:
    return {
        "relative_rmse": pair.relative_rmse,
        "cosine": pair.cosine,
        "row_cosine": pair.min_row_cosine,
        "max_error": pair.max_error,
    }


def _budget(pairing: Pairing, budgets: Budgets | None) -> Budget | None:
    known = budgets.of(pairing) if budgets is not None and not exact(pairing) else None
    return known[1] if known is not None else None


def _role(view: View, name: str) -> tuple[str, int | None]:
    """What a tensor is in its layer, and the layer; of no family, its name around the first number in it."""
    entry = view.entries.get(name)
    if entry is not None:
        cut = next((entry.key.removeprefix(start) for start in _LAYERS if entry.key.startswith(start)), entry.key)
        return cut.removesuffix(".weight"), entry.layer
    words = (view.canonical.get(name) or name).split(".")
    at = next((at for at, word in enumerate(words) if word.isascii() and word.isdigit() and len(word) <= 5), None)
    if at is None:
        return ".".join(words).removesuffix(".weight"), None
    return ".".join(words[at + 1 :]).removesuffix(".weight") or words[0], int(words[at])


def _worst_first(row: TensorRow) -> tuple[float, int]:
    return -share(row), -row.values


def share(row: TensorRow) -> float:
    """The error as a share of its budget (inf: above a budget of nothing; -1: no error is known)."""
    if row.relative_rmse is None:
        return -1.0
    error = float(row.relative_rmse)
    if not row.budget:
        return inf if error else 0.0
    return error / row.budget


def _scatters(rows: list[TensorRow], pairings: dict[str, Pairing], pairs: dict[str, PairMeasures]) -> Iterator[Scatter]:
    for row in sorted(rows, key=_worst_first)[:_SCATTERS]:
        if not row.relative_rmse:
            return
        pairing = pairings[row.tensor]
        seen = few(pairing.target, max(pairs[row.tensor].min_row, 0))
        ours, theirs = (side.ravel() for side in (seen.of(pairing.target), seen.of(pairing.source)))
        if ours.shape != theirs.shape:
            continue
        both = np.flatnonzero(np.isfinite(ours) & np.isfinite(theirs))
        chosen = both[:: max(1, len(both) // _POINTS)][:_POINTS]
        points = [(_short(theirs[at]), _short(ours[at])) for at in chosen]
        if points:
            source, target = zip(*points, strict=True)
            yield Scatter(tensor=row.tensor, source=source, target=target)


def _short(value: np.float32) -> float:
    return float(f"{value:.5g}")
