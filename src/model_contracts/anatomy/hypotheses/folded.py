"""Owns scales that a quantiser moved out of the columns of a weight into what feeds it: other values, one function.

AWQ and SmoothQuant multiply the columns of a weight and divide by the same what comes before: a norm, or the rows of
another weight. Neither then holds the source's values; both together do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from model_contracts.anatomy.families.names import role
from model_contracts.anatomy.hypotheses.budgets import Budgets
from model_contracts.anatomy.hypotheses.fits import Fit
from model_contracts.sweep.interface import Pairing
from model_contracts.sweep.rows import read_rows

#: What feeds the columns of a weight: a norm, or the rows of another weight.
_FED_BY = {
    "attn_q": "attn_norm", "attn_k": "attn_norm", "attn_v": "attn_norm", "attn_qkv": "attn_norm",
    "ffn_gate": "ffn_norm", "ffn_up": "ffn_norm", "attn_output": "attn_v", "ffn_down": "ffn_up",
}  # fmt: skip
_NORMS = ("attn_norm", "ffn_norm")
#: Values looked at of one matrix; scales that differ by less are one scale; how near both sides have to come, for half
#: of them and for nine tenths (each is fitted to rounded values).
_SAMPLE, _VARIED, _HALF, _MOST = 1_000_000, 0.05, 0.03, 0.15


@dataclass(frozen=True, slots=True)
class Folded:
    """What explains a pair: in words, how far it then is, the bound for that, and how many values were looked at."""

    words: str
    error: float
    bound: float
    count: int


@dataclass(frozen=True, slots=True)
class _Scales:
    """Of a matrix: what its rows and its columns are multiplied by, and how far it is from the source so multiplied."""

    rows: Any
    columns: Any
    error: float
    bound: float
    holds: bool
    count: int


@dataclass
class Folds:
    """The scales of a pair of models, fitted when they are asked for."""

    #: Pairs by canonical name.
    pairings: Mapping[str, Pairing]
    budgets: Budgets
    _known: dict[str, _Scales | None] = field(default_factory=dict)

    def of(self, canonical: str | None) -> Folded | None:
        """What explains the pair of that name; None where nothing does."""
        if canonical is None or not canonical.endswith(".weight"):
            return None
        name = role(canonical)
        if name in _NORMS:
            return self._norm(canonical, name)
        scales = self._scales(canonical) if name in _FED_BY else None
        if scales is None or not scales.holds:
            return None
        told = []
        if _varied(scales.columns):
            if not self._fed(canonical, name, scales):
                return None
            told.append(f"columns times {_range(scales.columns)} and {_FED_BY[name]} divided by it")
        if _varied(scales.rows):
            if not self._feeds(canonical, name, scales):
                return None
            told.append(f"rows times {_range(scales.rows)} and what they feed divided by it")
        if not told:
            return None
        return Folded(f"{', '.join(told)}: the same function", scales.error, scales.bound, scales.count)

    def _norm(self, canonical: str, name: str) -> Folded | None:
        """A norm that was divided by what the columns of every packed weight that it feeds were multiplied by."""
        pairing = self.pairings.get(canonical)
        fed = [self._beside(canonical, name, other) for other, norm in _FED_BY.items() if norm == name]
        found = [self._scales(other) for other in fed if other in self.pairings]
        if pairing is None or not found:
            return None
        ratio = _ratio(pairing)
        with np.errstate(all="ignore"):
            inverse = 1 / ratio
        error = 0.0
        for scales in found:
            if scales is None or not scales.holds or not _varied(scales.columns):
                return None
            if not _near(scales.columns, inverse):
                return None
            error = max(error, float(np.median(np.abs(scales.columns * inverse - 1))))
        words = f"divided by {_range(ratio)}, and the columns that it feeds times that: the same function"
        return Folded(words, error, _HALF, pairing.target.elements)

    def _fed(self, canonical: str, name: str, scales: _Scales) -> bool:
        """Whether what feeds a matrix was divided by what its columns were multiplied by."""
        feeder = self._beside(canonical, name, _FED_BY[name])
        if _FED_BY[name] in _NORMS:
            pairing = self.pairings.get(feeder)
            return pairing is not None and _near(scales.columns, 1 / _ratio(pairing))
        other = self._scales(feeder)
        return other is not None and other.holds and _near(scales.columns, other.rows)

    def _feeds(self, canonical: str, name: str, scales: _Scales) -> bool:
        """Whether the columns that the rows of a matrix feed were divided by what the rows were multiplied by."""
        fed = next((other for other, feeder in _FED_BY.items() if feeder == name), None)
        other = self._scales(self._beside(canonical, name, fed)) if fed is not None else None
        return other is not None and other.holds and _near(scales.rows, other.columns)

    def _scales(self, canonical: str) -> _Scales | None:
        if canonical not in self._known:
            self._known[canonical] = self._fitted(canonical)
        return self._known[canonical]

    def _fitted(self, canonical: str) -> _Scales | None:
        pairing = self.pairings.get(canonical)
        if pairing is None or pairing.target.packed is None or len(pairing.target.shape) != 2:
            return None
        known, columns = self.budgets.of(pairing), max(pairing.target.columns, 1)
        if (
            known is None
            or pairing.target.shape != pairing.source.shape
            or columns > _SAMPLE
            or pairing.source.made is not None
        ):
            return None
        ours, theirs = (read_rows(side, 0, _SAMPLE // columns) for side in (pairing.target, pairing.source))
        across = _columns(ours.astype(np.float64), theirs.astype(np.float64))
        down, found = _rows(pairing, across)
        feeder = self.pairings.get(self._beside(canonical, role(canonical), _FED_BY[role(canonical)]))
        if feeder is not None and len(feeder.target.shape) == 1:
            shared = float(np.median(_ratio(feeder) / across))
        else:
            shared = float(np.median(down))
        if not np.isfinite(shared) or not shared:
            return None
        down, across = down / shared, across * shared
        bound = known[1].relative_rmse
        return _Scales(down, across, found.error, bound, found.within(known[1]), pairing.target.elements)

    @staticmethod
    def _beside(canonical: str, name: str, other: str) -> str:
        return canonical.replace(f".{name}.", f".{other}.")


def _columns(ours: Any, theirs: Any) -> Any:
    """Factors of columns that, with some of rows, bring `theirs` nearest to `ours`, both [rows, columns]."""
    down, across = np.ones(len(ours)), np.ones(ours.shape[1])
    with np.errstate(all="ignore"):
        for _ in range(4):
            scaled = theirs * down[:, None]
            across = np.nan_to_num((ours * scaled).sum(0) / (scaled * scaled).sum(0), nan=1.0, posinf=1.0)
            scaled = theirs * across
            down = np.nan_to_num((ours * scaled).sum(1) / (scaled * scaled).sum(1), nan=1.0, posinf=1.0)
    return across


def _rows(pairing: Pairing, across: Any) -> tuple[Any, Fit]:
    """The factor of every row under those of columns, and how near the source so multiplied comes; in one reading."""
    step, factors, error, power, worst = max(1, _SAMPLE // len(across)), [], 0.0, 0.0, 1.0
    with np.errstate(all="ignore"):
        for at in range(0, pairing.target.rows, step):
            ours = read_rows(pairing.target, at, at + step).astype(np.float64)
            scaled = read_rows(pairing.source, at, at + step) * across
            own, cross, other = (ours * ours).sum(1), (ours * scaled).sum(1), (scaled * scaled).sum(1)
            down = np.nan_to_num(cross / other, nan=1.0, posinf=1.0)
            error += float((own - 2 * down * cross + down * down * other).sum())
            power += float((down * down * other).sum())
            worst = min(worst, float(np.nan_to_num(cross / np.sqrt(own * other), nan=1.0).min(initial=1.0)))
            factors.append(down)
    found = Fit(float(np.sqrt(max(error, 0.0) / power)) if power > 0 else float("inf"), worst, 1.0)
    return np.concatenate(factors), found


def _ratio(pairing: Pairing) -> Any:
    """What the source's values are of the target's, one by one."""
    ours, theirs = (read_rows(side, 0, 1).reshape(-1).astype(np.float64) for side in (pairing.target, pairing.source))
    with np.errstate(all="ignore"):
        return np.nan_to_num(theirs / ours, nan=1.0, posinf=np.inf)


def _varied(scales: Any) -> bool:
    return bool(np.std(scales) > _VARIED * abs(np.mean(scales)))


def _near(scales: Any, others: Any) -> bool:
    """Whether two sets of scales are each other's inverse, as near as they are known."""
    if len(scales) != len(others):
        return False
    with np.errstate(all="ignore"):
        off = np.nan_to_num(np.abs(scales * others - 1), nan=np.inf)
    return bool(np.quantile(off, 0.5) <= _HALF and np.quantile(off, 0.9) <= _MOST)


def _range(scales: Any) -> str:
    return f"{np.min(scales):.3g} to {np.max(scales):.3g}"
