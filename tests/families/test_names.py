"""What a family says of names, shapes and values is so in real files of both conventions."""

from __future__ import annotations

import numpy as np
import pytest

from model_contracts.anatomy.families.stored_names import NotKnown
from model_contracts.layout import Stored, steps_of, substitute
from model_contracts.layout import stored as stored_in
from support.family_files import Pair, keys_and_layer, owed, value_of


def test_every_stored_tensor_is_known(pair: Pair) -> None:
    """A name that no entry reads is a name the family lacks; what converters and readers compute is said to be so."""
    for side in pair.sides:
        computed = (*pair.family.converter_only, *pair.family.computed, "_blocks", "_scales")
        unknown = [name for name in side.values if name not in side.entries and not name.endswith(computed)]
        assert unknown == [], side.convention


def test_every_owed_tensor_is_there(pair: Pair) -> None:
    """What a family says a convention stores stands in the file, in each of its layers and for each expert."""
    for side in pair.sides:
        there = {name.removesuffix("_blocks") for name in side.values}
        assert [name for name in owed(side) if name not in there and not side.stands(name)] == [], side.convention


def test_every_shape_is_the_one_that_follows_from_the_hyperparameters(pair: Pair) -> None:
    """The hyper-parameters of each file say what shape each of its tensors has."""
    for side in pair.sides:
        wrong = {}
        for name, entry in side.entries.items():
            try:
                expected: object = side.conventions.stored(entry).shape
            except (NotKnown, ValueError) as error:
                expected = f"{error}"
            if expected != side.values[name].shape:
                wrong[name] = (expected, side.values[name].shape)
        assert wrong == {}, side.convention


def test_every_value_of_the_gguf_follows_from_the_folder(pair: Pair) -> None:
    """Logical weights over the folder, and the GGUF over logical weights, give the GGUF's values bit for bit."""
    source, target = pair.huggingface, pair.gguf
    compared = 0
    for name, entry in target.entries.items():
        weights = dict(keys_and_layer(target, entry))
        if any(pair.family.tensors[key].only == "gguf" for key in weights):
            continue
        logical = {weight: source.conventions.expression(key, entry.layer) for key, weight in weights.items()}
        whole = substitute(target.conventions.stored(entry), logical)
        whole = substitute(
            whole, {leaf.name: Stored(source.really(leaf.name), leaf.shape) for leaf in stored_in(whole)}
        )
        stored = {leaf.name for leaf in stored_in(whole)}
        if not stored <= source.values.keys():
            assert source.values.keys() >= {f"{one}_blocks" for one in stored}, (name, stored)
            continue  # in blocks of four bits: their decoding is another matter
        made = value_of(whole, source.values)
        if any(step.name == "ternarise" for step in steps_of(whole)):  # a number that F32 alone holds: stored as BF16
            torch = pytest.importorskip("torch")
            made = torch.from_numpy(made).to(torch.bfloat16).to(torch.float32).numpy()
        np.testing.assert_array_equal(made, target.values[name], err_msg=name)
        compared += 1
    assert compared >= len(target.values) // 2


def test_both_sides_declare_the_same(pair: Pair) -> None:
    """A hyper-parameter that both sides declare has one value, and what is owed is declared by both."""
    source, target = (side.declared_numbers for side in pair.sides)
    assert {
        name: (source[name], target[name])
        for name in sorted(source.keys() & target)
        if not same(source[name], target[name])
    } == {}
    made = pair.gguf.numbers  # of others that it declares
    lost = {name for name in source.keys() - target if pair.family.hyperparameters[name].owed and name not in made}
    assert lost == set()


def same(one: object, other: object) -> bool:
    """Whether two values are one: numbers as F32, one for all layers as that of each layer which has any; and words."""
    if isinstance(other, list) and not isinstance(one, list):
        return all(same(one, each) for each in other if each != 0)
    if one in ("default", "none") and other in ("default", "none"):  # two words for no scaling
        return True
    if isinstance(one, float) or isinstance(other, float):
        return one is not None and np.float32(one) == np.float32(other)  # type: ignore[arg-type]
    return one == other


@pytest.fixture(autouse=True)
def _reference_packages() -> None:
    for package in ("torch", "safetensors", "gguf"):
        pytest.importorskip(package)
