"""Owns the measures between two next-token distributions: KL divergence, top-1 agreement, NMSE of logits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model_contracts.runtimes.interface import LogProbabilities, TopLogits, WrongAnswer

Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]

#: Nats within which two likelihoods are equal, and have no order.
EQUAL = 1e-6
#: Log-probabilities below which a token is as good as impossible, and has no part in a measure.
_LEAST = -60.0


@dataclass(frozen=True, slots=True)
class Agreement:
    """Position by position, [positions]: KL divergence and margin in nats, NMSE.

    The margin is how much less the source gives the target's likeliest token than its own: 0 where they are one.
    """

    divergence: Floats
    margin: Floats
    nmse: Floats

    @property
    def same_top(self) -> Flags:
        """Whether the likeliest token is one."""
        return self.same_within(EQUAL)

    def same_within(self, tie: float) -> Flags:
        """Whether the likeliest token is one, or the source gives the two the same but for `tie` nats."""
        return self.margin <= tie

    @property
    def positions(self) -> int:
        """How many positions were compared."""
        return int(self.divergence.shape[0])


def compare(target: TopLogits, source: TopLogits) -> Agreement:
    """The target's distributions against the source's, KL(source || target).

    Whole rows are compared exactly. Where either side gives only its likeliest tokens, the tokens of the source's row
    are compared one by one and all others as one; a token that the target does not list is taken at the most it can
    have, so that the divergence is never overstated. Raises WrongAnswer for NaN or another number of positions.
    """
    if target.positions != source.positions:
        raise WrongAnswer(f"{target.positions} positions answered, {source.positions} expected")
    if np.isnan(target.values).any() or np.isnan(source.values).any():
        raise WrongAnswer("NaN among the log-probabilities")
    ours, theirs = _aligned(target, source)
    p = np.exp(theirs)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * (theirs - ours), 0.0)
        divergence = terms.sum(axis=1)
        rest_p, rest_q = (np.clip(1.0 - np.exp(side).sum(axis=1), 0.0, 1.0) for side in (theirs, ours))
        tail = np.where((rest_p > 1e-9) & (rest_q > 1e-9), rest_p * np.log(rest_p / np.maximum(rest_q, 1e-300)), 0.0)
    margin = source.values[:, 0].astype(np.float64) - _of(source, target.ids[:, :1])[:, 0]
    return Agreement(np.maximum(divergence + tail, 0.0), margin, _nmse(ours, theirs))


def compare_rows(target: LogProbabilities, source: LogProbabilities) -> Agreement:
    """Whole rows by token id, [positions, vocabulary] natural-log probabilities, one piece of each side."""
    if target.shape != source.shape:
        raise WrongAnswer(f"rows of {list(target.shape)} answered, {list(source.shape)} expected")
    positions = target.shape[0]
    divergence, margin, nmse = np.empty(positions), np.empty(positions), np.empty(positions)
    for row, (ours, theirs) in enumerate(zip(target, source, strict=True)):
        difference = theirs - ours
        margin[row] = float(theirs.max()) - float(theirs[int(ours.argmax())])
        if min(ours.min(), theirs.min()) > _LEAST:
            # In float32, which is what the logits are: products of small numbers, summed pairwise.
            mean = float(difference.mean(dtype=np.float64))
            divergence[row] = np.dot(np.exp(theirs), difference)
            centred = theirs - np.float32(theirs.mean(dtype=np.float64))
            power, error = np.dot(centred, centred), np.dot(difference, difference) - difference.size * mean * mean
            nmse[row] = max(float(error), 0.0) / (float(power) or 1.0)
            continue
        with np.errstate(invalid="ignore"):
            terms = np.exp(theirs, dtype=np.float64) * difference
            divergence[row] = np.sum(np.where(theirs > _LEAST, terms, 0.0))
        nmse[row] = _nmse(ours[None].astype(np.float64), theirs[None].astype(np.float64))[0]
    if np.isnan(divergence).any():
        raise WrongAnswer("NaN among the log-probabilities")
    return Agreement(np.maximum(divergence, 0.0), margin, nmse)


def _aligned(target: TopLogits, source: TopLogits) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities of the source's tokens, [positions, k] float64, on both sides."""
    return _of(target, source.ids), source.values.astype(np.float64)


def _of(side: TopLogits, ids: np.ndarray) -> np.ndarray:
    """Log-probabilities that a side gives the ids [positions, k]; its smallest where it does not list one."""
    order = np.argsort(side.ids, axis=1, kind="stable")
    sorted_ids = np.take_along_axis(side.ids, order, axis=1)
    values = np.take_along_axis(side.values, order, axis=1).astype(np.float64)
    found = np.empty(ids.shape, np.float64)
    floor = side.values[:, -1].astype(np.float64)
    for row in range(ids.shape[0]):
        at = np.minimum(np.searchsorted(sorted_ids[row], ids[row]), sorted_ids.shape[1] - 1)
        found[row] = np.where(sorted_ids[row, at] == ids[row], values[row, at], floor[row])
    return found


def _nmse(ours: np.ndarray, theirs: np.ndarray) -> Floats:
    """Squared error over variance of the centred rows (logits are known up to a constant)."""
    ours, theirs = np.maximum(ours, _LEAST), np.maximum(theirs, _LEAST)
    a, b = ours - ours.mean(axis=1, keepdims=True), theirs - theirs.mean(axis=1, keepdims=True)
    power = np.sum(b * b, axis=1)
    result: Floats = np.sum((a - b) ** 2, axis=1) / np.where(power > 0, power, 1.0)
    return result
