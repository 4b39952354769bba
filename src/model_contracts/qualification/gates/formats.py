"""Kind `format_written`: the converter under test writes a format, and what it wrote opens."""

from __future__ import annotations

from collections.abc import Iterator

from model_contracts.checks.interface import not_owed
from model_contracts.containers import Format
from model_contracts.outcome import Comparison, Place, Record, Scenario
from model_contracts.qualification.chains import Chain
from model_contracts.qualification.gates.products import made
from model_contracts.qualification.interface import GateKind, QualificationStep, Seeing
from model_contracts.qualification.matrix import Settled
from model_contracts.qualification.workshop import Workshop


class FormatWritten(Record):
    """Which format."""

    format: Format


def _where(settled: Settled, parameters: FormatWritten) -> Iterator[tuple[Scenario, tuple[Chain, ...]]]:
    if parameters.format in settled.every_format and parameters.format != settled.source:
        chain = settled.base(parameters.format)
        yield Scenario(format=parameters.format, chain=chain), (chain,)


def format_written(
    workshop: Workshop, step: QualificationStep, parameters: FormatWritten, seeing: Seeing
) -> Iterator[Comparison]:
    """Compare what was written with a container of the format that has tensors in it."""
    if parameters.format == workshop.settled.source:
        raise not_owed("the source has that format")
    chain = step.chains[0]
    seeing.subject = chain
    product = yield from made(workshop, chain)
    for file in product.containers:
        yield Comparison(
            measure="format",
            place=Place(file=file.path.name),
            expected=parameters.format,
            observed=file.format if file.readable else "a file that does not open",
            holds=file.readable and file.format == parameters.format,
        )
    count = len(product.tensors)
    yield Comparison(measure="tensors", expected="at least 1", observed=count, holds=count > 0, count=max(count, 1))


FORMAT_WRITTEN = GateKind(FormatWritten, format_written, _where)
