"""Owns the fingerprint of an artifact: its weights and the small files beside them by what they are, without a name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from model_contracts import door
from model_contracts.artifact import Artifact
from model_contracts.formats.interface import Unreadable

#: Bytes of a file beside the weights, beyond which its content is not taken: the fingerprint is not known then.
_LARGEST = 1 << 28


def fingerprint(artifact: Artifact, digests: Sequence[str | None]) -> str | None:
    """`blake3:<hex>` over the digests of the weight files, in order, and role and digest of each file beside them.

    None where a digest of a weight file is not known, or a file beside them cannot be read or is too large.
    """
    if not digests or None in digests:
        return None
    beside = []
    for role, sidecar in sorted(artifact.sidecars.items()):
        if (found := _small(sidecar.path)) is None:
            return None
        beside.append(f"{role} {found}")
    from blake3 import blake3

    return "blake3:" + blake3("\n".join([*map(str, digests), *beside]).encode()).hexdigest()


def fingerprint_at(path: str) -> str | None:
    """The fingerprint of the artifact at a path, all of whose bytes are read; None where they cannot be."""
    from model_contracts.formats.opening import open_artifact

    try:
        artifact = open_artifact(Path(path))
        return fingerprint(artifact, [file_digest(file) for file in artifact.files])
    except (OSError, Unreadable):
        return None


def _small(path: Path) -> str | None:
    try:
        return file_digest(path) if door.is_regular(path) and path.stat().st_size <= _LARGEST else None
    except OSError:
        return None


def file_digest(path: Path) -> str:
    """`blake3:<hex>` of a file, read in pieces."""
    from blake3 import blake3

    digest = blake3(max_threads=blake3.AUTO)
    door.fed(path, digest)
    return f"blake3:{digest.hexdigest()}"
