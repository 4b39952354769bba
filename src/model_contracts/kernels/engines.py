"""Owns which engine a pass runs on: numpy, or numba where there are enough bytes to pay for its import."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np

from model_contracts.kernels.decode_numpy import Decoder
from model_contracts.kernels.interface import SweepRequest
from model_contracts.kernels.totals import Floats, SideScratch, Values


class Engine(Protocol):
    """Decodes blocks and reduces pieces. Totals are added to; the count of flagged rows is returned."""

    name: Literal["numba", "numpy"]
    stored_values: int

    def decoder(self, name: str, scale: np.float32 | None = None) -> Decoder | None:
        """The decoder of a type; None where nothing decodes it."""
        ...

    def stored(self, name: str) -> bool:
        """Whether moments of a type are taken from its stored bits."""
        ...

    def moments_stored(self, name: str, raw: Values, shape: tuple[int, int], side: SideScratch) -> int:
        """Add a piece in its stored form, `raw` bytes of [rows, columns] values."""
        ...

    def moments(self, values: Values, side: SideScratch) -> int:
        """Add a piece of decoded values, [rows, columns]."""
        ...

    def pair(
        self, target: Values, source: Values, sides: tuple[SideScratch, SideScratch], into: Floats, cosines: Floats
    ) -> tuple[int, int]:
        """Add a piece of pairs, [rows, columns] each, and write the cosine of every row (inf: both are zero)."""
        ...


def choose(request: SweepRequest, engine: Literal["auto", "numba", "numpy"]) -> Engine:
    """The engine of a pass."""
    from model_contracts.kernels.reduce_numpy import NumpyEngine

    return NumpyEngine()
