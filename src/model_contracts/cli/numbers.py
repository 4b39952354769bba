"""Owns numbers on the command line: whole, between two others, and refused with the bounds in words."""

from __future__ import annotations

import argparse

#: The greatest seed: what every generator of random numbers here takes.
SEEDS = 2**32 - 1


class Between:
    """A whole number between two others, both included."""

    def __init__(self, least: int, most: int) -> None:
        self._least, self._most = least, most

    def __call__(self, text: str) -> int:
        """The number of a word. Raises ArgumentTypeError, which is a usage error (2)."""
        try:
            value = int(text) if len(text) <= 40 else None
        except ValueError:
            value = None
        if value is None or not self._least <= value <= self._most:
            raise argparse.ArgumentTypeError(f"must be a whole number from {self._least:,} to {self._most:,}")
        return value
