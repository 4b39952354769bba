"""Owns rows of one tensor for a diagnosis: read and decoded apart from the pass, and permuted within heads."""

from __future__ import annotations

from typing import Any

import numpy as np

from model_contracts.artifact import Tensor
from model_contracts.sweep.made import side_of
from model_contracts.sweep.reads import Files, ReadFailed
from model_contracts.sweep.sides import Side, permute_rows, read_all

__all__ = ["MOST_VALUES", "permute_rows", "read_rows"]

#: Values given at once, at most (256 MiB as float32).
MOST_VALUES = 64 * 1024 * 1024


def read_rows(tensor: Tensor, start: int, stop: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Rows start..stop-1 as float32 [rows, columns]; a vector is one row.

    NaN in every place where the tensor cannot be read or its type is not decoded. Raises ValueError for more than
    MOST_VALUES values.
    """
    start, stop = max(start, 0), min(stop, tensor.rows)
    rows, columns = max(stop - start, 0), tensor.columns
    if rows * columns > MOST_VALUES:
        raise ValueError(f"{tensor.name}: {rows * columns:,} values are more than {MOST_VALUES:,} at once")
    values: Any = np.full(rows * columns, np.nan, np.float32)
    if rows * columns and tensor.readable and not tensor.placeholder:
        files = Files()
        try:
            values = _read(tensor, files, start * columns, stop * columns)
        except ReadFailed:
            pass
        finally:
            files.close()
    rectangle: np.ndarray[tuple[int, int], np.dtype[np.float32]] = values.reshape(rows, columns)
    return rectangle


def _read(tensor: Tensor, files: Files, start: int, stop: int) -> Any:
    from model_contracts.sweep.kernels.reduce_numpy import NumpyEngine

    engine = NumpyEngine()
    if tensor.packed is not None and tensor.packed.unread is not None:
        return np.full(stop - start, np.nan, np.float32)
    if tensor.packed is None and engine.decoder(tensor.dtype) is None:
        return np.full(stop - start, np.nan, np.float32)
    with np.errstate(all="ignore"):
        side = side_of(tensor, files, engine)
        if isinstance(side, Side):
            return read_all(side, start, stop).astype(np.float32, copy=False)
        return side.read(np.empty(4 * (stop - start), np.uint8), start, stop).view("<f4")
