"""Kinds `conversion`, `round_trip`, `quantised`: what the end of conversions owes what they began with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pydantic import Field

from model_contracts.checks.interface import NoParameters, Skip
from model_contracts.containers import Format
from model_contracts.outcome import Comparison, Record, Scenario, Uncompared
from model_contracts.qualification import products
from model_contracts.qualification.chains import Chain
from model_contracts.qualification.gates.probes import same_answers
from model_contracts.qualification.gates.products import examined, made, refused
from model_contracts.qualification.interface import GateKind, QualificationStep, Seeing
from model_contracts.qualification.matrix import Settled
from model_contracts.qualification.workshop import Workshop


class OneChain(Record):
    """The formats of a chain of conversions, the first as it was made of the source."""

    chain: tuple[Format, ...] = Field(min_length=2)


def _where(settled: Settled, parameters: OneChain) -> Iterator[tuple[Scenario, tuple[Chain, ...]]]:
    if set(parameters.chain) <= set(settled.every_format):
        chain = settled.chain(parameters.chain)
        yield Scenario(format=chain[-1], chain=chain), (chain, chain[:-1], settled.base(parameters.chain[0]))


def conversion(
    workshop: Workshop, step: QualificationStep, parameters: OneChain, seeing: Seeing
) -> Iterator[Comparison | Uncompared]:
    """Compare one conversion's end with its beginning: the contract of conversions, then what both answer."""
    chain = step.chains[0]
    seeing.subject, seeing.against = chain, chain[:-1]
    yield from made(workshop, chain)
    yield from examined(workshop.held(chain).outcomes)
    yield from same_answers(workshop, chain[:-1], chain)


def round_trip(
    workshop: Workshop, step: QualificationStep, parameters: OneChain, seeing: Seeing
) -> Iterator[Comparison | Uncompared]:
    """Compare the end of a chain with the artifact that it began with, under the contract of conversions."""
    chain, begin = step.chains[0], step.chains[2]
    seeing.subject, seeing.against = chain, begin
    artifact = yield from made(workshop, chain)
    before = workshop.artifact(begin)
    if workshop.content(chain) == workshop.content(begin):
        size = sum(file.size for file in artifact.containers)
        yield Comparison(
            measure="content", expected="the same files", observed="the same files", holds=True, count=size
        )
        return
    yield from examined(products.hold(workshop.settled, artifact, before, chain).outcomes)


def _recipes(settled: Settled, parameters: NoParameters) -> Iterator[tuple[Scenario, tuple[Chain, ...]]]:
    if settled.quantisations and "gguf" in settled.every_format:
        yield Scenario(format="gguf", chain=(settled.source, "gguf")), (settled.base(settled.source),)


def quantised(
    workshop: Workshop, step: QualificationStep, parameters: NoParameters, seeing: Seeing
) -> Iterator[Comparison | Uncompared]:
    """Have each quantisation of the playbook written, and compare it with the source under its recipe's budgets."""
    unproven: Skip | None = None
    for recipe in workshop.settled.quantisations:
        settled = replace(workshop.settled, dtype=recipe)
        chain: Chain = (settled.source, "gguf")
        target = products.place(workshop.root, settled, chain).parent / f"{workshop.source.name}.{recipe}.gguf"
        target.unlink(missing_ok=True)
        product = products.make(settled, workshop.source, chain, target)
        try:
            if product.artifact is None:
                yield from refused(product, recipe)
            else:
                yield from _named(
                    recipe, examined(products.hold(settled, product.artifact, workshop.source, chain).outcomes)
                )
        except Skip as skip:
            unproven = unproven or skip
        target.unlink(missing_ok=True)
    if unproven is not None:
        raise unproven


def _named(recipe: str, comparisons: Iterator[Comparison | Uncompared]) -> Iterator[Comparison | Uncompared]:
    """Iterator[Comparison | Uncompared] of several files, each with the recipe that was asked of it."""
    for comparison in comparisons:
        place = comparison.place.model_copy(update={"key": f"{recipe} · {comparison.place.key or ''}".rstrip(" ·")})
        yield comparison.model_copy(update={"place": place})


def answers_kept(
    workshop: Workshop, step: QualificationStep, parameters: OneChain, seeing: Seeing
) -> Iterator[Comparison | Uncompared]:
    """Compare what a conversion's end answers with what its beginning answers."""
    chain = step.chains[0]
    seeing.subject, seeing.against = chain, chain[:-1]
    yield from made(workshop, chain)
    yield from same_answers(workshop, chain[:-1], chain)


CONVERSION = GateKind(OneChain, conversion, _where)
QUANTISED = GateKind(NoParameters, quantised, _recipes)
ROUND_TRIP = GateKind(OneChain, round_trip, _where)
SAME_ANSWERS = GateKind(OneChain, answers_kept, _where)
