"""Owns a conversion from request to published files: written aside, checked against its source, then renamed."""

from __future__ import annotations

import shutil
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from model_contracts.artifact import Artifact
from model_contracts.checks.interface import Sweeper
from model_contracts.converters import builtin, command
from model_contracts.converters.interface import ConversionRefused, Progress, Written
from model_contracts.converters.staging import falsified, publish, refuse_existing, staged
from model_contracts.definitions import load_converter, shipped_ids
from model_contracts.engine.plan import CheckRequest
from model_contracts.engine.run import check as run_check
from model_contracts.formats.opening import open_artifact
from model_contracts.outcome import FALSIFIED, Evidence, Run
from model_contracts.placing import standing, taken
from model_contracts.sweep.apart import ahead


@dataclass(frozen=True, slots=True)
class ConvertRequest:
    """What `contracts convert` is asked."""

    source: Path
    target: Path
    dtype: str | None = None
    tokenizer: Path | None = None
    #: The id or file of a command converter; None: ours.
    converter: str | None = None
    allow_overflow: bool = False
    #: Write over a target that exists.
    force: bool = False
    #: Hold the output to the contract of conversions before it is published.
    check: bool = True
    #: Keep an output that its check falsified, under a name that says so.
    keep: bool = False
    command: tuple[str, ...] = ()
    progress: Progress | None = None


@dataclass(frozen=True, slots=True)
class Conversion:
    """What was written, and what its check concluded (`run` and `evidence`: nothing where none was asked for)."""

    source: Path
    #: Where the output stands; None where a falsified one was taken away.
    target: Path | None
    written: Written
    seconds: float
    evidence: Evidence = ()
    run: Run | None = None
    #: Names of the files at the target, with their sizes in bytes.
    files: dict[str, int] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """That of the check; 0 where none was asked for."""
        return int(self.run.decision.exit_code) if self.run is not None else 0


def convert(
    source: Path,
    target: Path,
    *,
    dtype: str | None = None,
    tokenizer: Path | None = None,
    allow_overflow: bool = False,
    progress: Progress | None = None,
) -> Conversion:
    """Convert with our own converter and check the result. Raises ConversionRefused; the target is then untouched."""
    request = ConvertRequest(source, target, dtype, tokenizer, allow_overflow=allow_overflow, progress=progress)
    return run(request)


def run(request: ConvertRequest) -> Conversion:
    """Write, check and publish. Raises ConversionRefused, and Unreadable for a source that is not there."""
    started = time.perf_counter()
    source = open_artifact(request.source)
    refuse_existing(request.source, request.target, force=request.force)
    if request.keep and not request.force and (there := standing([falsified(request.target)])):
        raise ConversionRefused(taken(there))
    with staged(request.target) as folder, _ready_to_check(request, source) as sweeper:
        written = _written(request, source, folder)
        seconds = time.perf_counter() - started
        output = folder / request.target.name
        files = {path.name: path.stat().st_size for path in written.files}
        evidence, record = _checked(request, output, written, sweeper) if request.check else ((), None)
        target: Path | None = request.target
        if record is not None and record.decision.exit_code == FALSIFIED:
            target = _set_aside(request, output) if request.keep else None
        else:
            publish(folder, output, request.target, force=request.force)
    return Conversion(request.source, target, written, seconds, evidence, record, files)


def _written(request: ConvertRequest, source: Artifact, folder: Path) -> Written:
    if request.converter not in (None, "builtin"):
        return command.convert(
            load_converter(_known(str(request.converter))),
            source,
            folder,
            request.target,
            dtype=request.dtype,
            tokenizer=request.tokenizer,
        )
    return builtin.convert(
        source,
        folder,
        request.target,
        dtype=request.dtype,
        tokenizer=request.tokenizer,
        allow_overflow=request.allow_overflow,
        progress=request.progress,
    )


def _known(name: str) -> str:
    """The id of a converter that was named without its folder: `apr` is `converters/apr`."""
    return f"converters/{name}" if f"converters/{name}" in shipped_ids("converter") else name


def _ready_to_check(request: ConvertRequest, source: Artifact) -> AbstractContextManager[Sweeper | None]:
    """The pass of the check, which gets ready on another core while tokenizer and header are made."""
    if not request.check or not source.readable:
        return nullcontext()
    return ahead(tuple(source.tensors.values()), source.files, request.progress)


def _checked(request: ConvertRequest, output: Path, written: Written, sweeper: Sweeper | None) -> tuple[Evidence, Run]:
    """Hold the output to the contract of conversions, under the name that it will have."""
    return run_check(
        CheckRequest(
            paths=(output,),
            against=request.source,
            source=written.source,
            sweeper=sweeper,
            contract="conversion",
            dtype=request.dtype,
            tokenizer=written.tokenizer_file,
            command=request.command,
            progress=request.progress,
        )
    )


def _set_aside(request: ConvertRequest, output: Path) -> Path:
    place = falsified(request.target)
    if not request.force and (there := standing([place])):
        raise ConversionRefused(taken(there))
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    return output.replace(place)
