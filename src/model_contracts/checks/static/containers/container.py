"""Kinds `container` and `source_container`: what the readers compared while they parsed, by topic."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from model_contracts.anatomy.parts.recognised import WEIGHTLESS
from model_contracts.artifact import Artifact
from model_contracts.checks.interface import Examination, Where, missing_input, not_owed, static
from model_contracts.ledger import Topic
from model_contracts.outcome import Comparison, Place, Record


class ContainerParameters(Record):
    """Which topics of the ledgers a gate is about."""

    topics: tuple[Topic, ...] = Field(min_length=1)


def container(examination: Examination, parameters: ContainerParameters, where: Where) -> Iterator[Comparison]:
    """Yield the comparisons of those topics, from the set's ledger and from each file's."""
    part = examination.view.part
    if part.name in WEIGHTLESS and not any(True for _ in _ledgers(examination.target, parameters)):
        raise not_owed(f"this is {part}: it has no weights")
    yield from _ledgers(examination.target, parameters)


def source_container(examination: Examination, parameters: ContainerParameters, where: Where) -> Iterator[Comparison]:
    """The same of the source: a comparison with a broken source proves nothing."""
    if examination.source is None:
        raise missing_input("no source was given (--against SOURCE)")
    yield from _ledgers(examination.source, parameters)


def _ledgers(artifact: Artifact, parameters: ContainerParameters) -> Iterator[Comparison]:
    for topic in parameters.topics:
        yield from artifact.ledger.comparisons(topic)
        for file in artifact.containers:
            for comparison in file.ledger.comparisons(topic):
                place = comparison.place
                if place.file is None:
                    place = Place(**{**place.model_dump(), "file": file.path.name})
                yield comparison.model_copy(update={"place": place})


CONTAINER = static(ContainerParameters, container, of_container=True)
SOURCE_CONTAINER = static(ContainerParameters, source_container, of_container=True)
