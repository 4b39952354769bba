"""A conversion of packed weights writes their values in a type that holds them, and nothing of how they were packed."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_contracts.converters.interface import ConversionRefused
from support.converting import convert, decided, read_json
from support.packed_layouts import LAYOUTS
from support.packed_models import packed_folder
from support.quantised_parts import quantised_folder


@pytest.mark.parametrize("target", ["made.gguf", "made.safetensors", "made.apr", "made"])
@pytest.mark.parametrize("name", ["fp8-block", "gptq", "mlx"])
def test_packed_weights_are_unpacked_and_kept(tmp_path: Path, name: str, target: str) -> None:
    made = convert(quantised_folder(name, tmp_path), tmp_path / target)
    assert decided(made) == ("kept", ())
    assert any("7 weights were packed" in note and "unpacked to BF16" in note for note in made.written.notes)


def test_a_folder_that_is_written_declares_no_packing(tmp_path: Path) -> None:
    convert(quantised_folder("mlx", tmp_path), tmp_path / "made")
    config = read_json(tmp_path / "made" / "config.json")
    assert not {"quantization", "quantization_config"} & config.keys()


def test_values_are_equal_where_the_type_holds_them(tmp_path: Path) -> None:
    source = quantised_folder("ct-int4", tmp_path)
    assert decided(convert(source, tmp_path / "made.gguf", dtype="F32")) == ("kept", ())


def test_a_layout_that_nothing_decodes_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConversionRefused, match="values of layout EXL3 are not decoded"):
        convert(packed_folder(LAYOUTS["exl3"], tmp_path), tmp_path / "made.gguf")
