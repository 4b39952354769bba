"""Owns the invariants that range over generated inputs: the only place where Hypothesis is run."""

from __future__ import annotations

import gc
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from model_contracts import paths
from model_contracts.artifact import Artifact
from model_contracts.checks.interface import Examination, Skip, Where
from model_contracts.formats.opening import READERS
from model_contracts.formats.source import MemoryBytes
from model_contracts.outcome import Comparison, Counterexample, Place, Record
from model_contracts.strategies.headers import GeneratedHeader, with_unknown_dtype


class ExampleParameters(Record):
    """How many inputs are generated, unless the command says otherwise."""

    examples: int = Field(ge=1, le=100_000)


@dataclass(slots=True)
class Trial:
    """What a property needs beside the examination, and the counterexample it may find."""

    seed: int
    max_examples: int | None
    counterexample: Counterexample | None = None


@dataclass(frozen=True, slots=True)
class Property:
    """A kind of check whose inputs are generated."""

    parameters: type[Record]
    run: Callable[[Examination, Any, Where, Trial], Iterator[Comparison]]


def unknown_dtype_refused(
    examination: Examination, parameters: ExampleParameters, where: Where, trial: Trial
) -> Iterator[Comparison]:
    """Generate headers with an element type that does not exist; our reader must refuse each by name (I-3)."""
    artifact = examination.target
    if not artifact.tensors:
        raise Skip("missing_input", "the artifact has no tensor whose header entry could be written again")
    tried, smallest = _falsify(artifact, trial.max_examples or parameters.examples, trial.seed)
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


def refuses(artifact: Artifact, header: GeneratedHeader) -> bool:
    """Whether the reader of the artifact's format refuses a generated header by the name of its tensor."""
    container = READERS[artifact.format](MemoryBytes(header.data, artifact.path)).container
    named = any(
        topic == "dtypes" and comparison.place.tensor is not None for topic, comparison in container.ledger.violations
    )
    return named and all(tensor.name != header.tensor for tensor in container.tensors)


PROPERTIES: dict[str, Property] = {"unknown_dtype_refused": Property(ExampleParameters, unknown_dtype_refused)}


class _Falsified(Exception):
    """A generated input that does not hold."""


def _falsify(artifact: Artifact, examples: int, seed: int) -> tuple[int, GeneratedHeader | None]:
    """Number of inputs tried, and the smallest that was not refused."""
    from hypothesis import HealthCheck, Phase, configuration, given, settings
    from hypothesis import seed as seeded

    # Otherwise Hypothesis keeps a `.hypothesis` folder wherever the command is run.
    # Hypothesis forces a collection: it need not walk what imports have made, which lives to the end anyway.
    gc.freeze()
    configuration.set_hypothesis_home_dir(paths.cache("hypothesis"))

    tried = 0
    failing: list[GeneratedHeader] = []

    @seeded(seed)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(with_unknown_dtype(artifact))
    def attempt(header: GeneratedHeader) -> None:
        nonlocal tried
        tried += 1
        if not refuses(artifact, header):
            failing.append(header)
            raise _Falsified

    try:
        attempt()
    except _Falsified:
        return tried, failing[-1]  # Hypothesis runs the smallest one last
    return tried, None
