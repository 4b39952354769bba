"""Owns a GGUF's or an .apr's tensors as a folder of the model would hold them: its names, its layouts, float32."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np

from model_contracts.anatomy.families.conventions import Conventions
from model_contracts.anatomy.families.names import layer_count
from model_contracts.anatomy.families.stored_names import NotKnown, StoredEntry, named
from model_contracts.anatomy.pairing.counterparts import Counterparts, Lacking
from model_contracts.anatomy.pairing.made import parts_of
from model_contracts.anatomy.view import View
from model_contracts.artifact import Tensor
from model_contracts.family import Family, FamilyTensor, Fused
from model_contracts.layout import LayoutError
from model_contracts.runtimes.interface import Refused
from model_contracts.sweep.kernels.reduce_numpy import NumpyEngine
from model_contracts.sweep.made import side_of
from model_contracts.sweep.reads import File, Files, ReadFailed
from model_contracts.sweep.rows import read_rows
from model_contracts.sweep.sides import values_of
from model_contracts.system.cores import cores

#: Layers that are looked for, at most.
_MOST_LAYERS = 10_000
#: Values decoded at once.
_PIECE = 1 << 20
#: Types whose values are only widened: into one room for all, because fresh memory costs more than what fills it.
_PLAIN = ("F32", "F16", "BF16")
_rooms: list[np.ndarray[tuple[int], np.dtype[np.float32]]] = []


def family(view: View) -> Family:
    """The family whose class runs the artifact. Raises Refused where none is shipped."""
    if view.family is None:
        said = view.architecture.name if view.architecture else "none"
        raise Refused(f"the architecture ({said}) is of no shipped family, so that its class is not known")
    if not view.family.runs_without_config:
        raise Refused(
            f"{view.family.id} is compared, and its class is not built yet from what a file without config declares"
        )
    return view.family


def tensors(view: View) -> dict[str, Any]:
    """Hugging Face name to float32 values of every tensor that a folder of the model would hold.

    Names are those of published files, which transformers' own loading fuses and stacks for its class. Raises Refused.
    """
    wanted = dict(_wanted(view))
    distinct = {id(tensor): tensor for tensor in wanted.values()}
    room, places = _room(sum(tensor.elements for tensor in distinct.values())), dict[int, np.ndarray[Any, Any]]()
    for key, tensor in distinct.items():
        places[key], room = room[: tensor.elements], room[tensor.elements :]
    files = Files()
    try:
        with ThreadPoolExecutor(cores()) as pool:
            for done in [pool.submit(_fill, tensor, places[key], files) for key, tensor in distinct.items()]:
                done.result()
    finally:
        files.close()
    return {name: places[id(tensor)].reshape(tensor.shape) for name, tensor in wanted.items()}


def _wanted(view: View) -> Iterator[tuple[str, Tensor]]:
    """Hugging Face names of the family's tensors that are there, and what makes each."""
    family(view)
    own = view.conventions
    assert own is not None
    folder, source = replace(own, convention="huggingface", computing=True), Counterparts(view)
    layers = view.numbers.get("num_hidden_layers")
    count = layers if isinstance(layers, int) else layer_count(view.canonical.values())
    for template, key, weight, among in folder.owed(min(count, _MOST_LAYERS)):
        others = weight.names if isinstance(weight, FamilyTensor) else ()
        for layer in among if "{n}" in template else (None,):
            for expert in _experts(folder, key, layer) if "{e}" in template else (None,):
                name = named(template, layer, expert)
                entry = StoredEntry(key, layer, expert, isinstance(weight, Fused))
                answer = source.planned(folder, entry)
                if isinstance(answer, Lacking) and answer.parts:
                    raise Refused(f"{name}: {answer.reason}")
                if isinstance(answer, Tensor) and not answer.placeholder:
                    yield from ((one, answer) for one in (name, *(named(other, layer, expert) for other in others)))


def _experts(folder: Conventions, key: str, layer: int | None) -> range:
    try:
        return range(folder.shape(key, layer)[0])
    except NotKnown as error:
        raise Refused(f"how many tensors make {named(key, layer)} is not known: {error}") from None


def _room(elements: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Memory for values: that of the model before, where nobody holds it any more. Fresh pages can take longer to come
    than a model takes to be read (4.2 s against 0.3 s for 2 GB, on a virtual machine)."""
    if not _rooms or _rooms[0].size < elements or sys.getrefcount(_rooms[0]) > 2:
        _rooms[:] = [np.empty(elements, np.float32)]
    return _rooms[0][:elements]


def give_room() -> None:
    """Let the memory of an earlier model go: the next one is not read by this module."""
    _rooms.clear()


def decoded(tensor: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """A tensor's values as float32 in its shape. Raises Refused where it cannot be read or decoded."""
    values, files = np.empty(tensor.elements, np.float32), Files()
    try:
        _fill(tensor, values, files)
    finally:
        files.close()
    return values.reshape(tensor.shape)


def _fill(tensor: Tensor, values: np.ndarray[tuple[int], np.dtype[np.float32]], files: Files) -> None:
    """Read and decode a tensor, stored or made. Raises Refused where it cannot be."""
    engine = NumpyEngine()
    for part in parts_of(tensor):
        if not part.readable:
            raise Refused(f"{part.name} cannot be read: the file ends before it does, or its place is not known")
        if engine.decoder(part.dtype) is None:
            raise Refused(f"{part.name} has the type {part.dtype}, which is not decoded here")
    try:
        if tensor.made is not None:
            side = side_of(tensor, files, engine)
            for start in range(0, tensor.elements, _PIECE):
                piece = values[start : start + _PIECE]
                piece[...] = values_of(side, start, start + len(piece))
        elif tensor.dtype in _PLAIN:
            _widen(tensor, values)
        else:
            step = max(1, _PIECE // max(tensor.columns, 1))
            for start in range(0, tensor.rows, step):
                rows = read_rows(tensor, start, min(start + step, tensor.rows))
                values[start * tensor.columns :][: rows.size] = rows.reshape(-1)
    except (ReadFailed, LayoutError) as error:
        raise Refused(f"{tensor.name} cannot be read: {error}") from None


def _widen(tensor: Tensor, values: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
    """Fill the values of a plain type, piece by piece through one buffer."""
    stored = np.dtype({"BF16": "<u2", "F16": "<f2", "F32": "<f4"}[tensor.dtype])
    buffer = np.empty(min(_PIECE, tensor.elements), stored)
    file = File(tensor.file)
    try:
        for start in range(0, tensor.elements, _PIECE):
            piece = buffer[: min(_PIECE, tensor.elements - start)]
            file.read(piece.view(np.uint8), tensor.offset + start * stored.itemsize)
            target = values[start : start + len(piece)]
            if tensor.dtype == "BF16":
                np.left_shift(piece, 16, out=target.view(np.uint32), dtype=np.uint32)
            else:
                target[:] = piece
    finally:
        file.close()
