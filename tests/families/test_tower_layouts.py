"""Towers as llama.cpp's converter made them of tiny models of transformers: names, shapes, values and keys.

tests/data/towers was recorded by support/record_towers.py with the converter of llama-cpp-python 0.3.36 (gguf-py
0.19.0, BF16) and transformers 5.24, names as published files have them; weights are made from their names.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from model_contracts.anatomy.families.conventions import NotKnown
from model_contracts.anatomy.families.hyperparameters import at
from model_contracts.anatomy.towers import TowerView
from model_contracts.definitions import load_towers
from model_contracts.family import Family
from support.recorded import digest
from support.tower_files import NAMES, Towers

CONVERTED = [name for name in NAMES if Towers(name).document["gguf"]]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TowerView]:
    """Each folder, understood."""
    place = tmp_path_factory.mktemp("towers")
    return {name: Towers.view(Towers(name).folder(place / name)) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_every_tensor_of_a_folder_is_known_and_of_its_shape(name: str, folders: dict[str, TowerView]) -> None:
    view = folders[name]
    assert view.family is not None
    assert [one for one, entry in view.entries.items() if entry is None] == []
    assert _wrong(view) == {}


@pytest.mark.parametrize("name", CONVERTED)
def test_every_tensor_of_a_gguf_is_known_of_its_shape_and_made_as_declared(name: str, tmp_path: Path) -> None:
    towers = Towers(name)
    view = Towers.view(towers.gguf(tmp_path / "mmproj.gguf"))
    assert view.family is not None
    assert _wrong(view) == {}
    recorded = {one: found["digest"] for one, found in towers.document["gguf"].items()}
    assert {one: digest(values) for one, values in towers.layouts.items()} == recorded


#: The encoder of classes that take no other.
_ENCODERS = {
    "PaliGemmaForConditionalGeneration": "siglip_vision_model",
    "Gemma3ForConditionalGeneration": "siglip_vision_model",
}


@pytest.mark.parametrize("family", [one for one in load_towers() if not one.abstract], ids=lambda one: one.id)
def test_what_config_json_leaves_out_is_what_transformers_takes(family: Family) -> None:
    transformers = pytest.importorskip("transformers")
    for architecture in family.architectures:
        words = (word for words in family.only_where.values() for word in words if word)
        encoder = next(words, _ENCODERS.get(architecture))
        given = {"vision_config": {"model_type": encoder}} if encoder else {}
        made = getattr(transformers, architecture).config_class(**given).to_dict()
        for name, parameter in family.hyperparameters.items():
            said = [one for key in parameter.config if "." in key and (one := at(made, key)) is not None][:1]
            default = parameter.default.value if parameter.default is not None else None
            for value in said if default is not None else []:
                assert default == (value[0] if isinstance(value, list) else value), (architecture, name)


def _wrong(view: TowerView) -> dict[str, object]:
    wrong: dict[str, object] = {}
    assert view.conventions is not None
    for name, entry in view.entries.items():
        assert entry is not None, name
        try:
            expected: object = view.conventions.stored_shape(entry)
        except (NotKnown, ValueError) as error:
            expected = str(error)
        if expected != view.artifact.tensors[name].shape and "is not declared" not in str(expected):
            wrong[name] = (expected, view.artifact.tensors[name].shape)
    return wrong
