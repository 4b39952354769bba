"""Owns what of a program's printing a report shows: its last lines."""

from __future__ import annotations

#: The last bytes of what was printed that are looked at, and lines of them that are shown.
TAIL_BYTES, _TAIL_LINES = 16_384, 20


def last_lines(*printed: bytes | bytearray) -> str:
    """The last lines that say something; of many streams in their order, so the last stream is kept longest."""
    texts = (bytes(data[-TAIL_BYTES:]).decode("utf-8", "replace") for data in printed)
    lines = [line for text in texts for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-_TAIL_LINES:])
