"""Owns rows of one tensor for a diagnosis: read and decoded apart from the pass, stored or made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from model_contracts.artifact import Made, Tensor
from model_contracts.layout import Stored
from model_contracts.sweep.made import MadeSide, side_of
from model_contracts.sweep.reads import Files, ReadFailed
from model_contracts.sweep.sides import Decoders, values_of

__all__ = ["MOST_VALUES", "read_part", "read_rows"]

Rectangle = np.ndarray[tuple[int, int], np.dtype[np.float32]]

#: Values given at once, at most (256 MiB as float32).
MOST_VALUES = 64 * 1024 * 1024


def read_rows(tensor: Tensor, start: int, stop: int) -> Rectangle:
    """Rows start..stop-1 as float32 [rows, columns]; a vector is one row.

    NaN in every place where the tensor cannot be read or its type is not decoded. Raises ValueError for more than
    MOST_VALUES values.
    """
    start, stop = max(start, 0), min(stop, tensor.rows)
    columns = tensor.columns

    def read(files: Files, engine: Decoders) -> Any:
        if tensor.made is not None:
            return MadeSide(tensor, files, engine).rectangle(range(start, stop), range(columns))
        return values_of(side_of(tensor, files, engine), start * columns, stop * columns)

    return _read(tensor, (max(stop - start, 0), columns), read)


def read_part(tensor: Tensor, rows: range, columns: range) -> Rectangle:
    """Some rows and columns as float32 [rows, columns], of which little more is read; as `read_rows` else."""
    whole = tensor
    if tensor.made is None:
        whole = replace(tensor, made=Made(Stored(tensor.name, tensor.shape), {tensor.name: tensor}))

    def read(files: Files, engine: Decoders) -> Any:
        return MadeSide(whole, files, engine).rectangle(rows, columns)

    return _read(tensor, (len(rows), len(columns)), read)


def _read(tensor: Tensor, shape: tuple[int, int], read: Callable[[Files, Decoders], Any]) -> Rectangle:
    """What `read` gives, in a shape; NaN where nothing can be read."""
    from model_contracts.sweep.kernels.reduce_numpy import NumpyEngine

    if shape[0] * shape[1] > MOST_VALUES:
        raise ValueError(f"{tensor.name}: {shape[0] * shape[1]:,} values are more than {MOST_VALUES:,} at once")
    engine, files = NumpyEngine(), Files()
    found: Any = None
    decoded = engine.decoder(tensor.dtype) is not None if tensor.packed is None else tensor.packed.unread is None
    if all(shape) and tensor.readable and not tensor.placeholder and decoded:
        try:
            with np.errstate(all="ignore"):
                found = read(files, engine)
        except ReadFailed:
            pass
        finally:
            files.close()
    if found is None:
        found = np.full(shape, np.nan, np.float32)
    rectangle: Rectangle = found.astype(np.float32, copy=False).reshape(shape)
    return rectangle
