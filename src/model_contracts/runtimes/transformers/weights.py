"""Owns a GGUF's or an .apr's tensors as an architecture's class takes them: its names, its row order, float32."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from model_contracts.anatomy.names import huggingface_name, template
from model_contracts.anatomy.view import View
from model_contracts.artifact import Tensor
from model_contracts.family import Family
from model_contracts.runtimes.interface import Refused
from model_contracts.sweep.reads import File, ReadFailed
from model_contracts.sweep.rows import permute_rows, read_rows
from model_contracts.system.cores import cores

#: Values decoded at once.
_PIECE = 1 << 20
#: Types whose values are only widened: into one room for all, because fresh memory costs more than what fills it.
_PLAIN = ("F32", "F16", "BF16")
_rooms: list[np.ndarray[tuple[int], np.dtype[np.float32]]] = []
#: What nobody assumes for a model that does not say it.
_OWED = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "intermediate_size",
    "vocab_size",
    "max_position_embeddings",
    "rms_norm_eps",
    "rope_theta",
)


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


def configuration(view: View) -> dict[str, Any]:
    """The members of config.json, from the hyper-parameters that the file declares. Raises Refused for what it owes."""
    numbers, there = view.numbers, view.by_canonical
    vocabulary = there["token_embd.weight"].shape[0] if "token_embd.weight" in there else None
    config: dict[str, Any] = {name: numbers.get(name) for name in _OWED}
    config["vocab_size"] = vocabulary or config["vocab_size"]
    theta = config.pop("rope_theta")
    missing = [name for name, value in {**config, "rope_theta": theta}.items() if value is None]
    if missing:
        raise Refused(f"the file does not declare {', '.join(missing)}")
    head = there.get("output.weight")
    config["tie_word_embeddings"] = head is None or head.placeholder
    config["rope_parameters"] = _rope(view, float(theta))
    biases = {template(name)[0] for name in there}
    config["attention_bias"] = "blk.{n}.attn_q.bias" in biases
    config["mlp_bias"] = False
    window = numbers.get("sliding_window")
    if "sliding_window" in view.declared and isinstance(window, int) and window > 0:
        config |= {"sliding_window": window, "use_sliding_window": True}
    return config


def _rope(view: View, theta: float) -> dict[str, Any]:
    kind, factor = view.numbers.get("rope_scaling_type"), view.numbers.get("rope_scaling_factor")
    rope: dict[str, Any] = {"rope_theta": theta, "rope_type": "default"}
    if kind in (None, "none", "default"):
        return rope
    if kind not in ("linear", "yarn") or not isinstance(factor, int | float) or factor <= 0:
        raise Refused(f"rope scaling of the kind {kind!r} by {factor} is not run here")
    rope |= {"rope_type": kind, "factor": float(factor)}
    if kind == "yarn":
        arch = str(view.artifact.metadata.get("general.architecture", ""))
        original = view.artifact.metadata.get(f"{arch}.rope.scaling.original_context_length")
        if isinstance(original, int):
            rope["original_max_position_embeddings"] = original
    return rope


def frequency_factors(view: View) -> Any:
    """What the file divides its rotary frequencies by, float32 [head_dim / 2]; None where it holds none."""
    tensor = view.by_canonical.get("rope_freqs.weight") or view.artifact.tensors.get("rope_freqs.weight")
    return None if tensor is None else decoded(tensor).reshape(-1)


def tensors(view: View) -> Iterator[tuple[str, Any]]:
    """Hugging Face name and float32 values of every tensor that its class has a place for, one at a time."""
    known = family(view)
    wanted = [
        (name, tensor) for name, tensor in view.by_canonical.items() if not tensor.placeholder and view.role(name)
    ]
    plain = [tensor for _, tensor in wanted if tensor.dtype in _PLAIN and tensor.readable]
    widened = _widened(plain)
    for canonical, tensor in wanted:
        role = view.role(canonical)
        assert role is not None
        values = widened[tensor.name].reshape(tensor.shape) if tensor.name in widened else decoded(tensor)
        heads = view.numbers.get(role.heads) if isinstance(role.heads, str) else role.heads
        if heads is not None and view.rows_interleaved:
            try:
                flat = permute_rows(values.reshape(tensor.shape[0], -1), int(heads), "split")
            except (ValueError, ZeroDivisionError) as error:
                raise Refused(f"{tensor.name}: {error}") from None
            values = np.ascontiguousarray(flat).reshape(tensor.shape)
        yield huggingface_name(known, canonical), values


def _widened(plain: Sequence[Tensor]) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float32]]]:
    """The values of plain types by the name of their tensor, filled by all cores: a fresh page is what takes long."""
    room, places = _room(sum(tensor.elements for tensor in plain)), dict[str, np.ndarray[Any, Any]]()
    for tensor in plain:
        places[tensor.name], room = room[: tensor.elements], room[tensor.elements :]
    with ThreadPoolExecutor(cores()) as pool:
        for done in [pool.submit(_widen, tensor, places[tensor.name]) for tensor in plain]:
            done.result()
    return places


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
    from model_contracts.sweep.kernels.reduce_numpy import NumpyEngine

    if not tensor.readable:
        raise Refused(f"{tensor.name} cannot be read: the file ends before it does, or its place is not known")
    if NumpyEngine().decoder(tensor.dtype) is None:
        raise Refused(f"{tensor.name} has the type {tensor.dtype}, which is not decoded here")
    values = np.empty((tensor.rows, tensor.columns), np.float32)
    step = max(1, _PIECE // max(tensor.columns, 1))
    for start in range(0, tensor.rows, step):
        values[start : start + step] = read_rows(tensor, start, min(start + step, tensor.rows))
    return values.reshape(tensor.shape)


def _widen(tensor: Tensor, values: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
    """Fill the values of a plain type, piece by piece through one buffer. Raises Refused where it cannot be read."""
    stored = np.dtype({"BF16": "<u2", "F16": "<f2", "F32": "<f4"}[tensor.dtype])
    buffer = np.empty(min(_PIECE, tensor.elements), stored)
    try:
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
    except ReadFailed as error:
        raise Refused(f"{tensor.name} cannot be read: {error}") from None
