"""Owns the subjects of a whole run: one artifact has one digest in all its outcomes, whichever gate read its bytes."""

from __future__ import annotations

from model_contracts.outcome import ArtifactRecord, Evidence, Subject


def digested(outcomes: Evidence, artifacts: tuple[ArtifactRecord, ...]) -> Evidence:
    """The outcomes, each subject with the digest that any of them has for its path.

    Which gate comes first to an artifact's bytes differs between a whole run and one that was gone on with.
    """
    known = {record.path: record.files[0].digest for record in artifacts if len(record.files) == 1}
    for outcome in outcomes:
        for subject in (outcome.subject, outcome.subject.against):
            if subject is not None and subject.digest is not None:
                known[subject.path] = subject.digest
    return tuple(outcome.model_copy(update={"subject": _with(outcome.subject, known)}) for outcome in outcomes)


def _with(subject: Subject, known: dict[str, str | None]) -> Subject:
    against = None if subject.against is None else _with(subject.against, known)
    digest = subject.digest or known.get(subject.path)
    return subject.model_copy(update={"digest": digest, "against": against})
