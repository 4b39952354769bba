"""Kinds about the system under test itself: a name with dots is a name, and a tokenizer that is given is used."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from model_contracts.artifact import Artifact
from model_contracts.checks.interface import NoParameters, Skip, missing_input
from model_contracts.containers import Format
from model_contracts.converter import CommandConverter
from model_contracts.formats.opening import open_artifact
from model_contracts.outcome import Comparison, Place, Record, Scenario, Verdict
from model_contracts.paths import component, model_parts
from model_contracts.processes.program import NotStarted, Program
from model_contracts.qualification import products
from model_contracts.qualification.chains import Chain
from model_contracts.qualification.interface import GateKind, QualificationStep, Seeing
from model_contracts.qualification.matrix import Settled
from model_contracts.qualification.programs import converter_of
from model_contracts.qualification.workshop import Workshop

_SECONDS = 60.0
#: Where the source has its name, below the workspace: no organisation has a space in its own, and none lies there.
_NAMED = "by name"


class TokenizerGiven(Record):
    """What the weights are converted to."""

    target: Format


def _asked(settled: Settled, parameters: NoParameters) -> Iterator[tuple[Scenario, tuple[Chain, ...]]]:
    if settled.system.inspects or settled.system.converter == "builtin":
        yield Scenario(format=settled.source), ()


def dotted_folder(
    workshop: Workshop, step: QualificationStep, parameters: NoParameters, seeing: Seeing
) -> Iterator[Comparison]:
    """Have the system look at a folder that is named like the model, and compare what it ends with."""
    organisation, name = map(component, model_parts(workshop.settled.model.id))
    place = workshop.root / _NAMED / organisation / name
    _stand_in(place, workshop.source)
    inspects = workshop.settled.system.inspects
    if not inspects:
        # A lone file is opened in it: no link of a folder is followed out of it.
        opened = open_artifact(place if place.is_symlink() else place / workshop.source.path.name)
        yield Comparison(
            measure="opens",
            place=Place(file=f"{organisation}/{name}"),
            expected=workshop.source.format,
            observed=opened.kind,
            holds=opened.readable and opened.kind == workshop.source.format,
        )
        return
    converter = converter_of(workshop.settled.system)
    if converter is None:
        raise missing_input("our own converter is no program that could be asked")
    words = [word.format_map({"folder": f"{organisation}/{name}"}) for word in inspects]
    code, last = _run(converter, words, workshop.root / _NAMED)
    yield Comparison(
        measure="exit_code",
        place=Place(file=f"{organisation}/{name}"),
        expected=0,
        observed=code,
        holds=code == 0,
        note=f"{' '.join([converter.program, *words])}: {last}"[:300],
    )


def _stand_in(place: Path, source: Artifact) -> None:
    """Another name of the source's folder; where the source is a file, a folder with links to what belongs to it."""
    if place.is_symlink() or place.exists():
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    if source.path.is_dir():
        place.symlink_to(source.path.resolve(), target_is_directory=True)
        return
    place.mkdir()
    for path in _files(source):
        (place / path.name).symlink_to(path.resolve())


def _files(source: Artifact) -> Iterator[Path]:
    yield from source.files
    yield from (sidecar.path for sidecar in source.sidecars.values())


def _same(file: Path, place: Path) -> None:
    """The same file in another folder: a link to its bytes, a copy where another disk holds them."""
    try:
        place.hardlink_to(file)
    except OSError:
        shutil.copyfile(file, place)


def _run(converter: CommandConverter, words: list[str], folder: Path) -> tuple[int, str]:
    program = shutil.which(converter.program)
    if program is None:
        raise missing_input(f"{converter.program} is not installed: {converter.how_to_get}")
    try:
        run = Program([program, *words], folder=folder, group=True)
    except NotStarted as error:
        raise missing_input(str(error)) from None
    try:
        code = run.wait(_SECONDS)
    except TimeoutError:
        return 124, f"it did not end within {_SECONDS:g} s"
    finally:
        run.end()
    if code in converter.unanswered:
        raise missing_input(f"{converter.program} has no answer to this question")
    return code, run.tail.splitlines()[-1].strip()[:200] if run.tail else ""


def _given(settled: Settled, parameters: TokenizerGiven) -> Iterator[tuple[Scenario, tuple[Chain, ...]]]:
    if settled.weights_only is not None and parameters.target in settled.every_format:
        yield Scenario(format=parameters.target, chain=("gguf", parameters.target)), ()


def tokenizer_given(
    workshop: Workshop, step: QualificationStep, parameters: TokenizerGiven, seeing: Seeing
) -> Iterator[Comparison]:
    """Convert weights without a tokenizer, the source's given, and compare what comes out with what it was made of."""
    assert workshop.settled.weights_only is not None
    before = open_artifact(workshop.settled.weights_only)
    if not before.readable:
        raise missing_input(f"{before.path}: cannot be read")
    sidecar = workshop.source.sidecars.get("tokenizer")
    if sidecar is None:
        raise missing_input("the source has no tokenizer.json to give")
    chain: Chain = ("gguf", parameters.target)
    # Of its own name: a source that is a GGUF has conversions of that chain. One of a run that was ended goes.
    target = products.place(workshop.root, workshop.settled, chain, again=1)
    target.unlink(missing_ok=True)
    product = products.make(workshop.settled, before, chain, target, tokenizer=sidecar.path)
    if product.failure is not None and product.failure.verdict is Verdict.SKIPPED:
        raise Skip("missing_input", product.failure.reason)
    tokens = product.artifact.tokenizer.size if product.artifact is not None and product.artifact.tokenizer else 0
    yield Comparison(
        measure="tokens",
        place=Place(file=before.path.name),
        expected="the tokenizer that was given",
        observed=product.failure.reason if product.failure is not None else tokens,
        holds=tokens > 0,
        count=max(tokens, 1),
    )


DOTTED_FOLDER = GateKind(NoParameters, dotted_folder, _asked)
TOKENIZER_GIVEN = GateKind(TokenizerGiven, tokenizer_given, _given)
