"""Kinds that compare the tensors of two artifacts: same bytes, twice the same, two paths, counts and names."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from model_contracts.anatomy.families.names import huggingface_name
from model_contracts.artifact import Artifact
from model_contracts.checks.interface import missing_input, not_owed
from model_contracts.containers import Format
from model_contracts.outcome import Comparison, Place, Record, Scenario, Uncompared
from model_contracts.qualification import products
from model_contracts.qualification.chains import Chain
from model_contracts.qualification.gates.products import made
from model_contracts.qualification.interface import GateKind, QualificationStep, Seeing
from model_contracts.qualification.matrix import Settled
from model_contracts.qualification.workshop import Workshop
from model_contracts.sweep.reads import same_bytes

Formats = tuple[Format, ...]
#: Recipes that no quantiser makes.
_PLAIN = ("F32", "F16", "BF16")


class Chains(Record):
    """Chains of conversions, by their formats."""

    chains: tuple[Formats, ...] = Field(min_length=1)


class Paths(Record):
    """Pairs of chains that end in one format."""

    paths: tuple[tuple[Formats, Formats], ...] = Field(min_length=1)


def _known(settled: Settled, chains: tuple[Formats, ...]) -> tuple[Chain, ...]:
    return tuple(settled.chain(chain) for chain in chains if set(chain) <= set(settled.every_format))


def _all(settled: Settled, parameters: Chains) -> Iterator[tuple[Scenario, tuple[Chain, ...]]]:
    if chains := _known(settled, parameters.chains):
        yield Scenario(), chains


def _pairs(settled: Settled, parameters: Paths) -> Iterator[tuple[Scenario, tuple[Chain, ...]]]:
    pairs = [pair for pair in parameters.paths if len(_known(settled, pair)) == 2]
    if pairs:
        yield Scenario(), tuple(chain for pair in pairs for chain in _known(settled, pair))


def compare_tensors(target: Artifact, source: Artifact, label: str) -> Iterator[Comparison]:
    """Compare two artifacts of one format tensor by tensor: name, type, shape and bytes."""
    for name in dict.fromkeys((*source.tensors, *target.tensors)):
        ours, theirs = target.tensors.get(name), source.tensors.get(name)
        place = Place(file=label, tensor=name)
        if ours is None or theirs is None:
            word = "missing" if ours is None else "extra"
            yield Comparison(
                measure=f"tensor_{word}",
                place=place,
                expected=theirs is not None,
                observed=ours is not None,
                holds=False,
            )
            continue
        described = [f"{tensor.dtype} {list(tensor.shape)}" for tensor in (theirs, ours)]
        if described[0] != described[1]:
            yield Comparison(measure="tensor", place=place, expected=described[0], observed=described[1], holds=False)
            continue
        holds = same_bytes(ours, theirs)
        yield Comparison(
            measure="tensor_bytes",
            place=place,
            expected="the same bytes",
            observed="the same bytes" if holds else "other bytes",
            holds=holds,
            count=max(ours.nbytes, 1),
        )


def bytes_kept(workshop: Workshop, step: QualificationStep, parameters: Chains, seeing: Seeing) -> Iterator[Comparison]:
    """Compare the end of each round trip with its beginning, byte for byte; owed where nothing was quantised."""
    dtype = workshop.settled.dtype
    if dtype not in (None, *_PLAIN):
        raise not_owed(f"{dtype} was asked for: bytes change by intent")
    asked = [chain for chain in parameters.chains if set(chain) <= set(workshop.settled.every_format)]
    for formats, chain in zip(asked, step.chains, strict=True):
        begin = workshop.settled.base(formats[0])
        if dtype is not None and len(begin) == 1:
            continue  # the source may have other types than were asked for; what was made of it has these
        seeing.subject, seeing.against = chain, begin
        artifact = yield from made(workshop, chain)
        yield from compare_tensors(artifact, workshop.artifact(begin), ">".join(formats))


def repeated(workshop: Workshop, step: QualificationStep, parameters: Chains, seeing: Seeing) -> Iterator[Comparison]:
    """Convert again what was converted before, and compare the two results."""
    for chain in step.chains:
        seeing.subject = chain
        first = yield from made(workshop, chain)
        target = products.place(workshop.root, workshop.settled, chain, again=2)
        _remove(target)
        second = products.make(workshop.settled, workshop.artifact(chain[:-1]), chain, target)
        if second.artifact is None:
            reason = second.failure.reason if second.failure else ""
            yield Comparison(
                measure="conversion",
                place=Place(key=">".join(chain)),
                expected="an artifact again",
                observed=reason,
                holds=False,
            )
            continue
        yield from compare_tensors(second.artifact, first, ">".join(chain))
        _remove(target)


def two_paths(workshop: Workshop, step: QualificationStep, parameters: Paths, seeing: Seeing) -> Iterator[Comparison]:
    """Compare artifacts of one format that were made on two paths."""
    chains = iter(step.chains)
    for direct, round_about in zip(chains, chains, strict=True):
        seeing.subject, seeing.against = round_about, direct
        artifact = yield from made(workshop, round_about)
        yield from compare_tensors(artifact, workshop.artifact(direct), f"{'>'.join(round_about)}, {'>'.join(direct)}")


def cardinality(
    workshop: Workshop, step: QualificationStep, parameters: Chains, seeing: Seeing
) -> Iterator[Comparison | Uncompared]:
    """Compare how many tensors and values the source has with how many of them have a counterpart, and no others."""
    for chain in step.chains:
        seeing.subject, seeing.against = chain, chain[:-1]
        yield from made(workshop, chain)
        examination = workshop.held(chain).examination
        assert examination is not None and examination.source is not None
        match, place = examination.match, Place(key=">".join(chain))
        paired = len(match.pairings) + len(match.explained_missing)
        theirs = {id(tensor) for tensor in examination.source.tensors.values()}
        doubt = [tensor for tensor in match.undecided if id(tensor) in theirs]
        for tensor in doubt:
            yield Uncompared(place=Place(tensor=tensor.name), reason=match.unknown or "no name answers to it")
        owed = len(examination.source.tensors) - len(doubt)
        yield Comparison(
            measure="tensors", place=place, expected=owed, observed=paired, holds=owed == paired, count=owed
        )
        values = [
            sum(side.elements for side in sides)
            for sides in zip(*((p.source, p.target) for p in match.pairings.values()), strict=True)
        ]
        if values:
            yield Comparison(
                measure="values", place=place, expected=values[0], observed=values[1], holds=values[0] == values[1]
            )
        for extra in match.extra:
            yield Comparison(
                measure="tensor_extra",
                place=Place(file=extra.tensor.file.name, tensor=extra.tensor.name),
                expected="a tensor of the source, or an explained extra",
                observed=extra.tensor.name,
                holds=extra.explanation is not None,
                note=extra.explanation,
            )


def names_kept(workshop: Workshop, step: QualificationStep, parameters: Chains, seeing: Seeing) -> Iterator[Comparison]:
    """Compare each tensor's name with the name that its format has for it."""
    for chain in step.chains:
        seeing.subject, seeing.against = chain, chain[:-1]
        yield from made(workshop, chain)
        examination = workshop.held(chain).examination
        assert examination is not None
        view = examination.view
        if view.family is None:
            raise missing_input("no family is known for the architecture, and so no names")
        for name in examination.match.pairings:
            canonical = view.canonical[name]
            if canonical is None:
                continue
            huggingface = huggingface_name(view.family, canonical)
            expected = {"gguf": (canonical,), "safetensors": (huggingface,)}.get(chain[-1], (huggingface, canonical))
            yield Comparison(
                measure="tensor_name",
                place=Place(file=">".join(chain), tensor=name),
                expected=" or ".join(dict.fromkeys(expected)),
                observed=name,
                holds=name in expected,
            )


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


SAME_BYTES = GateKind(Chains, bytes_kept, _all)
REPEATED = GateKind(Chains, repeated, _all)
TWO_PATHS = GateKind(Paths, two_paths, _pairs)
CARDINALITY = GateKind(Chains, cardinality, _all)
NAMES_KEPT = GateKind(Chains, names_kept, _all)
