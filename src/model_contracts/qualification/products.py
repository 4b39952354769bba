"""Owns one conversion of a qualification: the artifact it made, what its examination saw, and why it failed."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from model_contracts.artifact import Artifact
from model_contracts.converters.interface import (
    ConversionRefused,
    ConverterFailed,
    ConverterUnavailable,
    NotWritten,
)
from model_contracts.engine.convert import ConvertRequest
from model_contracts.engine.convert import run as run_conversion
from model_contracts.engine.plan import CheckRequest, plan
from model_contracts.engine.run import examination_of, examine
from model_contracts.formats.opening import open_artifact
from model_contracts.log import logger
from model_contracts.outcome import Cause, Component, Evidence, SkipCause, Verdict
from model_contracts.paths import model_parts, workspace
from model_contracts.qualification import causes, commands
from model_contracts.qualification.chains import Chain
from model_contracts.qualification.programs import converter_name

if TYPE_CHECKING:
    from model_contracts.checks.interface import Examination
    from model_contracts.qualification.matrix import Settled


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no artifact."""

    verdict: Verdict
    skip_cause: SkipCause | None
    reason: str


@dataclass(frozen=True, slots=True)
class Product:
    """What one conversion left: an artifact, or a failure; and what its examination saw, once there was one."""

    chain: Chain
    artifact: Artifact | None
    #: Of the contract of conversions, against the artifact before it.
    outcomes: Evidence = ()
    failure: Failure | None = None
    #: What this conversion did wrong.
    causes: tuple[Cause, ...] = ()
    seconds: float = 0.0
    examination: Examination | None = None


def place(root: Path, settled: Settled, chain: Chain, again: int = 0) -> Path:
    """Where the artifact of a chain is kept: `root/org/name/format/name.S-A-G.gguf`; a folder for safetensors."""
    organisation, name = model_parts(settled.model.id)
    return workspace(root, organisation, name, chain[-1], commands.artifact_name(settled, chain, again))


def make(
    settled: Settled,
    before: Artifact,
    chain: Chain,
    target: Path,
    *,
    tokenizer: Path | None = None,
) -> Product:
    """Convert. Never raises: what went wrong is in the product."""
    clock = time.perf_counter()
    request = ConvertRequest(
        before.path, target, settled.dtype, tokenizer, converter=settled.system.converter, check=False
    )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        run_conversion(request)
        artifact = open_artifact(target)
    except (ConversionRefused, OSError) as error:
        product = _failed(settled, before, chain, target, error)
        logger(chain=">".join(chain)).info("conversion_failed", reason=str(error)[:300])
        return replace(product, seconds=time.perf_counter() - clock)
    product = Product(chain, artifact, seconds=time.perf_counter() - clock)
    logger(chain=">".join(chain)).info("artifact_made", seconds=round(product.seconds, 2))
    return product


def hold(settled: Settled, artifact: Artifact, before: Artifact, chain: Chain) -> Product:
    """Examine an artifact against what it was made of."""
    request = CheckRequest(
        paths=(artifact.path,),
        against=before.path,
        contract="conversion",
        dtype=settled.dtype,
        # What was made on the way is held to its container where it was made, and is blamed on that conversion.
        skip=("G0-SOURCE-*",) if len(chain) > 2 else (),
    )
    examination = examination_of(request, artifact, before, None)
    outcomes = tuple(examine(plan(request, artifact.path), examination, request))
    found = causes.of_conversion(
        outcomes,
        converter_name(settled.system),
        "converter",
        commands.conversion(settled, before, str(before.path), chain[-2:]),
        artifact=artifact,
        inherited=("tokenizer",) if before.tokenizer is None else (),
    )
    return Product(chain, artifact, outcomes, causes=found, examination=examination)


def _failed(settled: Settled, before: Artifact, chain: Chain, target: Path, error: Exception) -> Product:
    verdict, skipped, component, kind = _what(error)
    tail = getattr(error, "tail", "").strip()
    words = tail.splitlines()[-1] if tail else ""
    last = f" · last words: {words if len(words) <= 200 else f'{words[:199]}…'}" if tail else ""
    reason = f"{'>'.join(chain[-2:])}: {str(error).strip()}{last}"[:500]
    cause = Cause(
        key=f"{component}/{converter_name(settled.system)}/{kind}",
        component=component,
        statement=reason,
        reproduction=commands.conversion(settled, before, str(before.path), chain[-2:]),
    )
    return Product(chain, None, failure=Failure(verdict, skipped, reason), causes=(cause,))


def _what(error: Exception) -> tuple[Verdict, SkipCause | None, Component, str]:
    """What a failed conversion means, what it lies in, and the end of its cause's key."""
    if isinstance(error, NotWritten) or (isinstance(error, OSError) and not isinstance(error, ConversionRefused)):
        return Verdict.ERROR, None, "environment", "not-written"
    if isinstance(error, ConverterUnavailable):
        return Verdict.SKIPPED, "missing_input", "environment", "unavailable"
    if isinstance(error, ConverterFailed):
        if "no space left" in error.tail.lower():
            return Verdict.ERROR, None, "environment", "not-written"
        if error.timeout:
            return Verdict.TIMEOUT, None, "converter", "fails"
        return Verdict.FALSIFIED, None, "converter", "tokenizer" if "tokenizer" in error.tail.lower() else "fails"
    return Verdict.FALSIFIED, None, "converter", "tokenizer" if "tokenizer" in str(error) else "refuses"
