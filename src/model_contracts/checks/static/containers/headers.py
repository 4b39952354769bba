"""Kind `unknown_dtype_refused` (I-3): headers with an element type that does not exist are refused by name."""

from __future__ import annotations

from base64 import b64decode, b64encode

from pydantic import Field

from model_contracts.artifact import Artifact
from model_contracts.checks.interface import Comparisons, Examination, Kind, Skip, Where
from model_contracts.checks.search import search
from model_contracts.checks.trial import Trial
from model_contracts.formats.opening import READERS
from model_contracts.formats.source import MemoryBytes
from model_contracts.outcome import Comparison, Counterexample, Place, Record
from model_contracts.strategies.headers import GeneratedHeader, with_unknown_dtype


class ExampleParameters(Record):
    """How many inputs are generated, unless the command says otherwise."""

    examples: int = Field(ge=1, le=100_000)


def unknown_dtype_refused(
    examination: Examination, parameters: ExampleParameters, where: Where, trial: Trial
) -> Comparisons:
    """Generate headers with an element type that does not exist; our reader must refuse each by name (I-3)."""
    artifact = examination.target
    if not artifact.tensors:
        raise Skip("missing_input", "the artifact has no tensor whose header entry could be written again")
    examples = trial.max_examples or parameters.examples
    found = search(
        with_unknown_dtype(artifact),
        lambda header: refuses(artifact, header),
        examples,
        trial.seed,
        seconds=trial.time_budget,
    )
    tried, smallest = found.tried, found.counterexample
    if found.stopped is not None:
        yield found.stopped
    if not tried:
        return
    if smallest is not None:
        description = f"{artifact.format} header with tensor {smallest.tensor!r} of type {smallest.dtype!r}"
        trial.counterexample = Counterexample(
            kind="header_with_unknown_dtype",
            description=description,
            input_base64=b64encode(smallest.data).decode(),
            input={"tensor": smallest.tensor, "dtype": smallest.dtype},
            seed=trial.seed,
        )
    yield Comparison(
        measure="unknown_dtype_refused",
        place=Place(tensor=smallest.tensor) if smallest else Place(),
        expected="refused by name, the tensor not read",
        observed=f"type {smallest.dtype!r} was read" if smallest else "refused by name",
        holds=smallest is None,
        count=tried,
        bound_from=where("examples"),
        note=f"{tried:,} generated headers, seed {trial.seed}",
    )


def refused_again(examination: Examination, parameters: ExampleParameters, stored: Counterexample) -> Comparison:
    """Read a stored header again."""
    entry = stored.input if isinstance(stored.input, dict) else {}
    tensor, dtype = entry.get("tensor"), entry.get("dtype")
    if stored.input_base64 is None or not isinstance(tensor, str) or not isinstance(dtype, str | int):
        raise Skip("missing_input", "the stored input is no header")
    try:
        data = b64decode(stored.input_base64, validate=True)
    except ValueError:
        raise Skip("missing_input", "the stored header is not base64") from None
    holds = refuses(examination.target, GeneratedHeader(tensor, dtype, data))
    return Comparison(
        measure="unknown_dtype_refused",
        place=Place(tensor=tensor),
        expected="refused by name, the tensor not read",
        observed="refused by name" if holds else f"type {dtype!r} was read",
        holds=holds,
    )


def refuses(artifact: Artifact, header: GeneratedHeader) -> bool:
    """Whether the reader of the artifact's format refuses a generated header by the name of its tensor."""
    container = READERS[artifact.format](MemoryBytes(header.data, artifact.path)).container
    named = any(
        topic == "dtypes" and comparison.place.tensor is not None for topic, comparison in container.ledger.violations
    )
    return named and all(tensor.name != header.tensor for tensor in container.tensors)


UNKNOWN_DTYPE_REFUSED = Kind(ExampleParameters, unknown_dtype_refused, refused_again)
