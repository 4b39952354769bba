"""Owns which engine a pass runs on: numpy, or numba where there are enough bytes to pay for its import."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol

import numpy as np

from model_contracts.artifact import Tensor
from model_contracts.log import logger
from model_contracts.sweep.interface import SweepRequest
from model_contracts.sweep.kernels.decode_numpy import Decoder
from model_contracts.sweep.kernels.totals import Floats, SideScratch, Values

#: Nanoseconds a value: decoding in numpy (2.5 where no type is named), its moments, its pair measures; all of it in
#: numba, and of that a pair. Measured on one core of an EPYC 9004.
_DECODING = {"F32": 0.0, "BF16": 0.2, "F16": 1.2, "Q8_0": 0.8, "Q4_0": 1.5, "F64": 0.5, "I8": 0.3, "U8": 0.3}
_MOMENTS, _PAIR, _NUMBA, _NUMBA_PAIR = 0.6, 1.3, 0.6, 1.4
#: Seconds saved that pay for importing numba and loading kernels, and for compiling them once.
_WORTH_IMPORTING, _WORTH_COMPILING = 0.4, 1.5
#: Why numba was refused in this process, once it was.
_refused: list[str] = []


class Engine(Protocol):
    """Decodes blocks and reduces pieces. Totals are added to; the count of flagged rows is returned."""

    name: Literal["numba", "numpy"]
    #: Values reduced at once: in their stored form, and decoded.
    stored_values: int
    sub_values: int
    #: Held while a chunk is reduced, where threads would only hinder each other.
    turn: AbstractContextManager[Any]

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


def choose(request: SweepRequest, engine: Literal["auto", "numba", "numpy"], threads: int) -> Engine:
    """The engine of a pass, ready to work. Where numba is not there, or fails, it is numpy, and `refused` says why."""
    from model_contracts.sweep.kernels.reduce_numpy import NumpyEngine

    if engine == "numpy" or (engine == "auto" and _gain(request, threads) < _WORTH_IMPORTING):
        return NumpyEngine()
    try:
        from model_contracts.sweep.kernels.engine_numba import NumbaEngine, are_compiled, kernels_of

        paired = list(request.pairings.values())
        decoded = [_type(tensor) for pairing in paired for tensor in (pairing.target, pairing.source)]
        stored = [_type(tensor) for tensor in request.tensors if tensor.name not in request.pairings]
        kernels = kernels_of(stored, decoded, bool(paired))
        if engine == "auto" and _gain(request, threads) < _WORTH_COMPILING and not are_compiled(kernels):
            return NumpyEngine()
        numba = NumbaEngine()
        numba.prepare(kernels)
        return numba
    except Exception as error:  # a kernel that another version of numba cannot compile must not stop a check
        _refuse(f"{type(error).__name__}: {error}".splitlines()[0][:200])
        return NumpyEngine()


def refused() -> str | None:
    """Why numba was not used where it would have paid; None where it was not refused."""
    return _refused[0] if _refused else None


def _refuse(reason: str) -> None:
    if not _refused:
        logger().warning("numba_not_used", reason=reason, instead="numpy, several times slower")
    remember(reason)


def remember(reason: str) -> None:
    """Keep what another process said of it."""
    _refused[:] = [reason]


def _gain(request: SweepRequest, threads: int) -> float:
    """Seconds that numba would save, its import aside, on a machine like the one where the costs were measured."""
    numba = numpy = 0.0
    for tensor in request.tensors:
        if tensor.readable and not tensor.placeholder:
            pairing = request.pairings.get(tensor.name)
            numba += tensor.elements * (_NUMBA if pairing is None else _NUMBA_PAIR)
            numpy += tensor.elements * (_cost(_type(tensor), pairing is None) + (0 if pairing is None else _PAIR))
            if pairing is not None:
                numpy += tensor.elements * _cost(_type(pairing.source), False)
    return 1e-9 * (numpy - numba / threads)


def _type(tensor: Tensor) -> str:
    """The type in which the engine sees a tensor: what is decoded before it is float32."""
    return tensor.dtype if tensor.packed is None and tensor.computed is None else "F32"


def _cost(dtype: str, alone: bool) -> float:
    """Nanoseconds of numpy on one thread for each value of a type."""
    return _DECODING.get(dtype, 2.5) + (_MOMENTS if alone else 0)
