"""What llama.cpp's converter made of models that no folder beside the repository has: names, shapes and values.

tests/data/converted was recorded with the converter of llama-cpp-python 0.3.36 (gguf-py 0.19.0, BF16) on models of
transformers 5.24 whose weights are made from their names.
"""

from __future__ import annotations

import numpy as np
import pytest

from model_contracts.anatomy.families.conventions import multipliers
from model_contracts.anatomy.families.stored_names import NotKnown
from model_contracts.layout import Apply, Expr, Stored, steps_of, substitute
from model_contracts.layout import stored as stored_in
from support.family_files import Side, keys_and_layer, owed, value_of
from support.recorded import Recorded, digest, recorded

pytest.importorskip("gguf")


@pytest.fixture(params=recorded(), ids=lambda record: record.name)
def record(request: pytest.FixtureRequest) -> Recorded:
    """One conversion."""
    found: Recorded = request.param
    return found


def test_every_tensor_of_both_sides_is_known_and_none_is_lacking(record: Recorded) -> None:
    for side in (record.huggingface, record.gguf):
        computed = (*record.family.converter_only, *record.family.computed)
        assert [name for name in side.values if name not in side.entries and not name.endswith(computed)] == []
        assert [name for name in owed(side) if not side.stands(name)] == []


def test_every_shape_follows_from_what_the_file_declares(record: Recorded) -> None:
    for side in (record.huggingface, record.gguf):
        wrong = {}
        for name, entry in side.entries.items():
            try:
                expected: object = side.conventions.stored_shape(entry)
            except (NotKnown, ValueError) as error:
                expected = f"{error}"
            if expected != side.values[name].shape:
                wrong[name] = (expected, side.values[name].shape)
        assert wrong == {}, side.convention


def test_every_value_follows_from_the_folder(record: Recorded) -> None:
    """Bit for bit, but for what rounds: an exponential, and a product that is BF16 again."""
    source, target = record.huggingface, record.gguf
    lent = {name: source.numbers[name] for name in multipliers(record.family) if name in source.numbers}
    target.numbers.update(lent)
    compared, wrong = 0, []
    for name, entry in target.entries.items():
        weights = dict(keys_and_layer(target, entry))
        if any(record.family.tensors[key].only == "gguf" for key in weights):
            continue
        logical = {weight: source.conventions.expression(key, entry.layer) for key, weight in weights.items()}
        whole = substitute(target.conventions.stored(entry), logical)
        if any(step.name != "add" for step in steps_of(whole)):
            compared += 1
            continue
        if digest(_evaluated(whole, source)) != record.digest(name):
            wrong.append(name)
        compared += 1
    assert wrong == []
    assert compared >= len(target.entries) - 3


def _evaluated(whole: Expr, source: Side) -> np.ndarray:
    leaves = {leaf.name: Stored(source.really(leaf.name), leaf.shape) for leaf in stored_in(whole)}
    assert not isinstance(whole, Apply) or whole.name == "add"
    return value_of(substitute(whole, leaves), source.values)
