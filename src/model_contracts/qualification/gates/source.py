"""Kind `source_present`: the source is whole, is the model that the playbook expects, and has the hub's digests."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from model_contracts import door
from model_contracts.anatomy.view import View
from model_contracts.checks.interface import NoParameters
from model_contracts.definitions import load_families
from model_contracts.outcome import Comparison, Place, Scenario, Verdict
from model_contracts.qualification.chains import Chain
from model_contracts.qualification.interface import GateKind, QualificationStep, Seeing
from model_contracts.qualification.matrix import Settled
from model_contracts.qualification.workshop import Workshop

_SHA256 = re.compile(r"^[0-9a-f]{64}$")
_PIECE = 1 << 20


def once(settled: Settled, parameters: object) -> Iterator[tuple[Scenario, tuple[Chain, ...]]]:
    """The source."""
    yield Scenario(format=settled.source), (settled.base(settled.source),)


def source_present(
    workshop: Workshop, step: QualificationStep, parameters: NoParameters, seeing: Seeing
) -> Iterator[Comparison]:
    """Compare the files with what they owe, and what they say with what the playbook expects."""
    source = workshop.source
    for file in source.containers:
        yield Comparison(
            measure="file_read",
            place=Place(file=file.path.name),
            expected="a file that is whole",
            observed=f"{file.size:,} bytes",
            holds=file.readable,
        )
    for outcome in workshop.examined:
        if outcome.gate_id.startswith("G0-CONTAINER-") and outcome.outcome is Verdict.FALSIFIED:
            yield from (comparison for comparison in outcome.comparisons if not comparison.holds)
    view, expected = View(source, load_families()), workshop.settled.model
    if expected.family is not None:
        yield _equal("family", "model_type", expected.family, view.family.id.split("/")[-1] if view.family else None)
    for key, value in expected.expected.items():
        found = view.declared.get(key)
        observed = found.value if found is not None else None
        if observed is None and key == "vocab_size" and source.tokenizer is not None:
            observed = source.tokenizer.size  # a GGUF says it by its tokens alone
        yield _equal(key, key, value, observed)
    for path in source.files:
        if (digest := _of_hub(path)) is not None:
            yield Comparison(
                measure="sha256",
                place=Place(file=path.name),
                expected=digest,
                observed=_sha256(path),
                holds=digest == _sha256(path),
                note="the hub's digest, by which its cache names the file",
            )


def _equal(measure: str, key: str, expected: object, observed: object) -> Comparison:
    from model_contracts.outcome import jsonable

    return Comparison(
        measure=measure,
        place=Place(key=key),
        expected=jsonable(expected),
        observed=jsonable(observed),
        holds=expected == observed,
    )


def _of_hub(path: Path) -> str | None:
    """The digest by which a Hugging Face cache names a large file."""
    name = path.resolve().name
    return name if path.is_symlink() and _SHA256.match(name) else None


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    door.fed(path, digest)
    return digest.hexdigest()


SOURCE_PRESENT = GateKind(NoParameters, source_present, once)
