"""Kind `acme_even_norms`: the largest value of a norm is no more than so many times its root mean square."""

from __future__ import annotations

from pydantic import Field

from model_contracts.checks.drafts import gap
from model_contracts.checks.interface import Comparisons, Examination, Where, static
from model_contracts.outcome import Comparison, Place, Record


class EvenNormsParameters(Record):
    """The bound."""

    times: float = Field(gt=1, description="Largest absolute value over root mean square.")


def even_norms(examination: Examination, parameters: EvenNormsParameters, where: Where) -> Comparisons:
    """Compare the extremes of each norm with its root mean square."""
    for name, tensor in examination.target.tensors.items():
        if not name.endswith("norm.weight"):
            continue
        moments = examination.sweep.moments.get(name)
        if moments is None or not moments.rms > 0:
            yield gap(tensor, "its values were not read, or are all zero", max(tensor.elements, 1))
            continue
        ratio = max(abs(moments.minimum), abs(moments.maximum)) / moments.rms
        yield Comparison(
            measure="largest_over_rms",
            place=Place(file=tensor.file.name, tensor=name),
            expected=f"at most {parameters.times:g}",
            observed=ratio,
            holds=ratio <= parameters.times,
            tolerance=parameters.times,
            smallest_passing_tolerance=ratio,
            count=moments.count,
            bound_from=where("times"),
        )


EVEN_NORMS = static(EvenNormsParameters, even_norms, reads_values=True)
