"""Every recorded weight decodes to what the library that wrote it makes of it, in whatever rectangles it is read."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pytest

from model_contracts.artifact import Packed, Tensor
from model_contracts.formats.opening import open_artifact
from model_contracts.sweep.reads import Files
from model_contracts.sweep.rows import read_rows
from model_contracts.sweep.schemes import DECODERS, grain, opened
from support.shared_models import DATA

FILE = DATA / "schemes" / "schemes.safetensors"


@cache
def tensors() -> dict[str, Tensor]:
    return dict(open_artifact(FILE).tensors)


@cache
def cases() -> dict[str, dict[str, Any]]:
    return json.loads(open_artifact(FILE).metadata["cases"])


def packed(name: str) -> Tensor:
    """A recorded weight as the storage of an artifact makes it."""
    case = cases()[name]
    parts = {key.partition("/")[2]: tensor for key, tensor in tensors().items() if key.startswith(f"{name}/")}
    del parts["expected"]
    settings = tuple(sorted(case["settings"].items()))
    how = Packed(name, tuple(parts.values()), decoder=case["decoder"], roles=tuple(parts.items()), settings=settings)
    first = parts["values"]
    shape = tuple(case["shape"])
    nbytes = sum(part.nbytes for part in parts.values())
    return Tensor(name, first.dtype, shape, first.file, first.offset, nbytes, packed=how)


def rounded(values: np.ndarray, dtype: str) -> np.ndarray:
    """Values in a narrower type, to the nearest, ties to even."""
    if dtype == "F16":
        return values.astype(np.float16).astype(np.float32)
    if dtype == "BF16":
        bits = values.view(np.uint32)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)
    return values


@pytest.mark.parametrize("name", sorted(cases()))
def test_a_weight_decodes_to_the_last_bit_as_its_library_decodes_it(name: str) -> None:
    tensor, expected = packed(name), tensors()[f"{name}/expected"]
    values = read_rows(tensor, 0, tensor.rows)
    theirs = read_rows(expected, 0, expected.rows)
    assert np.array_equal(rounded(values, expected.dtype), theirs)


@pytest.mark.parametrize("name", sorted(cases()))
def test_every_rectangle_is_a_part_of_the_whole(name: str) -> None:
    tensor, files = packed(name), Files()
    assert tensor.packed is not None
    decoder = opened(tensor.packed, tensor.shape, files)
    whole = decoder.rectangle(range(tensor.rows), range(tensor.columns))
    random = np.random.default_rng(1)
    for _ in range(20):
        top, bottom = sorted(random.integers(0, tensor.rows + 1, 2).tolist())
        left, right = sorted(random.integers(0, tensor.columns + 1, 2).tolist())
        if top < bottom and left < right:
            some = decoder.rectangle(range(top, bottom), range(left, right))
            assert np.array_equal(some, whole[top:bottom, left:right])
    files.close()


@pytest.mark.parametrize("name", sorted(cases()))
def test_parts_of_other_sizes_are_refused_before_anything_is_read(name: str) -> None:
    tensor = packed(name)
    assert tensor.packed is not None and tensor.packed.decoder is not None
    held = [(role, part.dtype, part.shape) for role, part in tensor.packed.roles]
    decoder, settings = tensor.packed.decoder, tensor.packed.settings
    assert not isinstance(grain(decoder, tensor.shape, tuple(held), settings), str)
    for place, (role, dtype, shape) in enumerate(held):
        if decoder == "sparse" and role == "values" and len(shape) == 1:
            continue  # how many are there stands in the bits, which are read with the values
        wider = (*shape[:-1], (shape or (1,))[-1] + 5)
        wrong = [*held[:place], (role, dtype, wider), *held[place + 1 :]]
        assert isinstance(grain(decoder, tensor.shape, tuple(wrong), settings), str)
    assert isinstance(grain(decoder, (1 << 40, 1 << 20), tuple(held), settings), str)


def test_every_decoder_has_a_recorded_weight() -> None:
    assert {case["decoder"] for case in cases().values()} == set(DECODERS)
