"""Owns what gates say of a conversion: that it left an artifact, and what its examination concluded."""

from __future__ import annotations

from collections.abc import Generator, Iterator

from model_contracts.artifact import Artifact
from model_contracts.checks.interface import CannotWork, missing_input
from model_contracts.outcome import Comparison, Evidence, Place, Uncompared, Verdict
from model_contracts.qualification.chains import Chain
from model_contracts.qualification.products import Product
from model_contracts.qualification.workshop import Workshop

_BAD = (Verdict.FALSIFIED, Verdict.CRASHED, Verdict.TIMEOUT)
#: Violated comparisons of one gate of an examination that are repeated by the gate of the conversion.
_REPEATED = 3


def made(workshop: Workshop, chain: Chain) -> Generator[Comparison, None, Artifact]:
    """Compare a conversion's end with an artifact, and return it.

    Raises Skip where the artifact before it is missing or the converter is not here, CannotWork where the disk is full.
    """
    product = workshop.product(chain)
    if product.artifact is not None:
        return product.artifact
    failure = product.failure
    assert failure is not None
    if workshop.product(chain[:-1]).artifact is None:
        raise missing_input(f"there is no {'>'.join(chain)}: {failure.reason}")
    yield from refused(product, ">".join(chain[-2:]))
    raise missing_input(failure.reason)


def refused(product: Product, asked: str) -> Iterator[Comparison]:
    """Compare a conversion that left nothing with an artifact.

    Raises Skip where the converter is not here, CannotWork where the disk did not take it.
    """
    failure = product.failure
    assert failure is not None
    if failure.verdict is Verdict.SKIPPED:
        raise missing_input(f"there is no {asked}: {failure.reason}")
    if failure.verdict is Verdict.ERROR:
        raise CannotWork(failure.reason)
    yield Comparison(
        measure="conversion", place=Place(key=asked), expected="an artifact", observed=failure.reason, holds=False
    )


def examined(outcomes: Evidence) -> Iterator[Comparison | Uncompared]:
    """Compare every gate that an artifact owes with Corroborated; one that could not be proven stays uncompared."""
    for outcome in outcomes:
        if outcome.force != "must" or outcome.skip_cause == "not_owed":
            continue
        if outcome.outcome is Verdict.SKIPPED:
            missed = max(outcome.owed - outcome.compared, 1)
            reason = outcome.reason.removeprefix(f"{outcome.title}: ")[:300]
            yield Uncompared(place=Place(key=outcome.gate_id), count=missed, reason=reason)
            continue
        if outcome.outcome in _BAD and outcome.violated:
            yield from [comparison for comparison in outcome.comparisons if not comparison.holds][:_REPEATED]
        yield Comparison(
            measure="gate",
            place=Place(key=outcome.gate_id),
            expected=Verdict.CORROBORATED.value,
            observed=outcome.outcome.value,
            holds=outcome.outcome is Verdict.CORROBORATED,
            count=max(outcome.compared, 1),
            note=outcome.reason[:300],
        )
