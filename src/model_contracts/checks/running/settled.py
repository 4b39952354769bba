"""Owns how settled buckets are told: each one's divergence and agreement against its budget."""

from __future__ import annotations

from collections.abc import Iterator

from model_contracts.checks.interface import Skip, Where
from model_contracts.inference.sequential import Buckets, Settling, State
from model_contracts.outcome import Comparison, Place


def settled_comparisons(buckets: Buckets, prompts: int, where: Where, pointer: tuple[str, ...]) -> Iterator[Comparison]:
    """Every bucket against the budget at `pointer`. Raises Skip where the positions of `prompts` settle nothing."""
    whole, bounds = buckets.all, buckets.all.bounds
    if buckets.state() == "open":
        raise Skip(
            "unsatisfiable",
            f"{whole.count:,} positions of {prompts} prompts settle nothing at {bounds.confidence:.0%}: "
            f"mean divergence {whole.mean:.3g} nats, top-1 agreement {whole.top1:.2%}, NMSE {whole.mean_nmse:.3g}",
        )
    said = f"{whole.count:,} positions of {prompts} prompts, settled at {bounds.confidence:.0%}"
    for name, bucket in (("all", whole), *buckets.each.items()):
        if bucket.count:
            note = said if name == "all" else f"99th percentile {bucket.high:.3g}, NMSE {bucket.mean_nmse:.3g}"
            yield from _bucket(name, bucket, note, where, pointer)
    yield _high(whole, where, pointer)


def _bucket(name: str, bucket: Settling, note: str, where: Where, pointer: tuple[str, ...]) -> Iterator[Comparison]:
    bounds = bucket.bounds
    mean, top1, nmse = bucket.mean, bucket.top1, bucket.mean_nmse
    ties = f"{note}; {bucket.strictly / bucket.count:.2%} but for {bounds.tie:.2g} nats, which are a tie"
    owed: list[tuple[str, str, float, float, float, float, State, str]] = [
        ("mean_divergence", "divergence", 0.0, mean, mean, bounds.divergence, bucket.divergence_state(), note),
        ("top1_agreement", "top1", 1.0, top1, 1 - top1, 1 - bounds.top1, bucket.top1_state(), ties),
    ]
    if bounds.nmse is not None:
        owed.append(("nmse", "nmse", 0.0, nmse, nmse, bounds.nmse, bucket.nmse_state(), note))
    for measure, field, expected, observed, distance, tolerance, settled, said in owed:
        yield Comparison(
            measure=measure,
            place=Place(key=f"positions {name}"),
            expected=expected,
            observed=observed,
            holds=settled != "broken",
            tolerance=tolerance,
            smallest_passing_tolerance=distance,
            count=bucket.count,
            bound_from=where(pointer[0], *pointer[1:], field),
            note=said,
        )


def _high(whole: Settling, where: Where, pointer: tuple[str, ...]) -> Comparison:
    high, bound = whole.high, whole.bounds.divergence_99
    return Comparison(
        measure="divergence_99",
        place=Place(key="positions all"),
        expected=0.0,
        observed=high,
        holds=high <= bound,
        tolerance=bound,
        smallest_passing_tolerance=high,
        count=whole.count,
        bound_from=where(pointer[0], *pointer[1:], "divergence_99"),
    )
