"""What tests of container readers share: what a ledger holds against a file, and a large file that is mostly zeros."""

from __future__ import annotations

from pathlib import Path

from model_contracts.artifact import Container
from model_contracts.outcome import Comparison


def violated(container: Container) -> dict[tuple[str, str], Comparison]:
    """What did not hold, by topic and measure (the first of each)."""
    found: dict[tuple[str, str], Comparison] = {}
    for topic, comparison in container.ledger.violations:
        found.setdefault((topic, comparison.measure), comparison)
    return found


class Sparse:
    """Bytes followed by zeros up to a size; `asked` counts how many of them were asked for."""

    def __init__(self, data: bytes, size: int | None = None) -> None:
        self.path, self.data, self.size, self.asked = Path("model"), data, size or len(data), 0

    def read(self, offset: int, length: int) -> bytes:
        self.asked += length
        piece = self.data[offset : offset + length]
        return piece + bytes(max(0, min(length, self.size - offset) - len(piece)))
