"""What an opened artifact's ledgers say, and the smallest GGUF file that is one."""

from __future__ import annotations

import struct

from model_contracts.artifact import Artifact
from model_contracts.outcome import Comparison


def violated(artifact: Artifact, topic: str | None = None) -> list[Comparison]:
    """The comparisons that did not hold, of one topic or of all."""
    ledgers = [artifact.ledger, *(container.ledger for container in artifact.containers)]
    return [c for ledger in ledgers for at, c in ledger.violations if topic in (None, at)]


def seen(artifact: Artifact) -> set[tuple[str, str]]:
    """(topic, measure) of everything that did not hold."""
    ledgers = [artifact.ledger, *(container.ledger for container in artifact.containers)]
    return {(at, comparison.measure) for ledger in ledgers for at, comparison in ledger.violations}


def small_gguf(values: dict[str, int]) -> bytes:
    """A GGUF v3 file without tensors: an architecture and number keys (16 bits; the tensor count of a split set 32)."""
    kinds = {"split.tensors.count": (5, "<i")}
    data = b"GGUF" + struct.pack("<IQQ", 3, 0, len(values) + 1)
    name = b"general.architecture"
    data += struct.pack("<Q", len(name)) + name + struct.pack("<IQ", 8, 5) + b"llama"
    for key, value in values.items():
        kind, form = kinds.get(key, (2, "<H"))
        data += struct.pack("<Q", len(key)) + key.encode() + struct.pack("<I", kind) + struct.pack(form, value)
    return data + bytes(-len(data) % 32)
