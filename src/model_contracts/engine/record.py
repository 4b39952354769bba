"""Owns how a run is recorded: which artifacts it stood on, with which digests, definitions and libraries."""

from __future__ import annotations

from collections.abc import Sequence

from model_contracts import door, plugins
from model_contracts.artifact import Artifact
from model_contracts.checks.interface import Examination
from model_contracts.decision import decide
from model_contracts.definitions.known import open_folders
from model_contracts.engine.environment import environment, host
from model_contracts.engine.fingerprints import file_digest, fingerprint
from model_contracts.engine.plan import CheckRequest, Plan, Step
from model_contracts.engine.release import facts_of, figures_of, label_of
from model_contracts.outcome import (
    ArtifactRecord,
    FileRecord,
    FolderRecord,
    Outcome,
    PluginRecord,
    Run,
    Subject,
)


def subject_of(step: Step, examination: Examination) -> Subject:
    """What a step was held against: the target, and the source where the invariant is about a pair."""
    against = None
    if step.invariant.subject == "pair" and examination.source is not None:
        against = named(examination.source, examination)
    return named(examination.target, examination, against)


def named(artifact: Artifact, examination: Examination | None, against: Subject | None = None) -> Subject:
    """An artifact as outcomes name it; its digest is there if its bytes were read."""
    return Subject(
        name=artifact.name,
        path=str(artifact.path),
        format=artifact.kind,
        digest=_digest(artifact, examination) if examination is not None else None,
        against=against,
    )


def _digest(artifact: Artifact, examination: Examination) -> str | None:
    swept = examination.swept
    return set_digest([swept.digests.get(path) for path in artifact.files] if swept is not None else [])


def set_digest(digests: Sequence[str | None]) -> str | None:
    """The file's digest, or for a set the digest over its files' digests in order; None where one is not known."""
    if not digests or None in digests:
        return None
    if len(digests) == 1:
        return digests[0]
    from blake3 import blake3

    return "blake3:" + blake3("\n".join(str(digest) for digest in digests).encode()).hexdigest()


def digested(outcome: Outcome, records: Sequence[ArtifactRecord]) -> Outcome:
    """An outcome whose subjects have the digests that the records of their artifacts have."""
    known = {record.path: set_digest([file.digest for file in record.files]) for record in reversed(records)}
    subject, against = outcome.subject, outcome.subject.against
    if against is not None:
        against = against.model_copy(update={"digest": known.get(against.path, against.digest)})
    told = {"digest": known.get(subject.path, subject.digest), "against": against}
    return outcome.model_copy(update={"subject": subject.model_copy(update=told)})


def artifact_record(
    artifact: Artifact, examination: Examination, notes: tuple[str, ...], *, several: bool = False
) -> ArtifactRecord:
    """An artifact as run.json names it; digests are there if the bytes were read, facts if it is one of several."""
    swept = examination.swept
    files = tuple(
        FileRecord(
            name=container.path.name,
            size=container.size,
            digest=swept.digests.get(container.path) if swept is not None else None,
        )
        for container in artifact.containers
    )
    label, release = label_of(artifact, examination)
    held = [tensor for container in artifact.containers for tensor in container.tensors if not tensor.placeholder]
    return ArtifactRecord(
        name=artifact.name,
        path=str(artifact.path),
        format=artifact.kind,
        layout=artifact.layout,
        files=files,
        elements=sum(tensor.elements for tensor in held),
        tensor_bytes=sum(tensor.nbytes for tensor in held),
        fingerprint=fingerprint(artifact, [file.digest for file in files]),
        label=label,
        release=release,
        figures=figures_of(examination) if artifact is examination.target else None,
        facts=facts_of(artifact) if several else {},
        sidecars={role: sidecar.path.name for role, sidecar in artifact.sidecars.items()},
        notes=(*artifact.notes, *notes),
    )


def beside(examination: Examination) -> dict[str, str]:
    """Digests of the small files beside the weights of both sides, by their paths: what a replay stands on too."""
    sides = (examination.target, examination.source, examination.adapter)
    files = {sidecar.path for side in sides if side is not None for sidecar in side.sidecars.values()}
    return {str(path): file_digest(path) for path in sorted(files) if door.is_regular(path)}


def digest_of(definitions: dict[str, str]) -> str:
    """`blake3:<hex>` over ids and digests of definitions, in the order of the ids."""
    from blake3 import blake3

    joined = "\n".join(f"{name} {digest}" for name, digest in sorted(definitions.items()))
    return "blake3:" + blake3(joined.encode("utf-8", "surrogatepass")).hexdigest()


def own_definitions() -> dict[str, str]:
    """Every definition of the folders that are open, and what says their prefix, with the digests of their files."""
    found: dict[str, str] = {}
    for folder in open_folders():
        found[folder.prefix] = folder.digest
        found |= {file.id: file.digest for file in folder.files.values()}
    return found


def folder_records() -> tuple[FolderRecord, ...]:
    """The folders of definitions that are open, as run.json names them."""
    return tuple(FolderRecord(prefix=one.prefix, path=one.shown, files=len(one.files)) for one in open_folders())


def plugin_records() -> tuple[PluginRecord, ...]:
    """The plugins that were named, as run.json names them."""
    return tuple(
        PluginRecord(
            name=one.name,
            version=one.version,
            kinds=one.offers("kinds"),
            reporters=one.offers("reporters"),
            runtimes=one.offers("runtimes"),
        )
        for one in plugins.named()
    )


def run_record(
    request: CheckRequest,
    plans: list[Plan],
    records: list[ArtifactRecord],
    outcomes: Sequence[Outcome],
    started: str,
    duration: float,
) -> Run:
    """run.json: what was run, on what, with which definitions, and what was decided."""
    from model_contracts.version import version

    definitions = {name: digest for plan in plans for name, digest in plan.definitions.items()} | own_definitions()
    left_out = {gate: why for plan in plans for gate, why in plan.not_evaluated.items()}
    return Run(
        tool="model-contracts",
        version=version(),
        command=request.command,
        seed=request.seed,
        started=started,
        duration=duration,
        definitions=definitions,
        definitions_digest=digest_of(definitions),
        folders=folder_records(),
        plugins=plugin_records(),
        artifacts=tuple(records),
        environment=environment(),
        host=host(),
        not_evaluated=left_out,
        group_by=request.group_by,
        decision=decide(tuple(outcomes)),
    )
