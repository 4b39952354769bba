"""What lies beside the weights: which file is taken for what, and what a bad one violates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model_contracts.formats.opening import open_artifact
from support.artifacts import seen, small_gguf, violated
from support.safetensors_files import write_file

X = np.ones((2, 2), np.float32)


# What a path means


def test_a_bare_file_takes_the_sidecars_that_bear_its_name_before_those_beside_it(tmp_path: Path) -> None:
    path = write_file(tmp_path / "Qwen2.5-Coder-0.5B.safetensors", {"a": X})
    (tmp_path / "Qwen2.5-Coder-0.5B.config.json").write_text('{"from": "name"}')
    (tmp_path / "config.json").write_text('{"from": "folder"}')
    (tmp_path / "generation_config.json").write_text('{"from": "folder"}')
    artifact = open_artifact(path)
    assert (artifact.config, artifact.generation_config) == ({"from": "name"}, {"from": "folder"})
    assert artifact.sidecars["config"].how == "bears the name of the weights"
    assert artifact.sidecars["generation_config"].how == "lies beside the weights"


def test_a_gguf_takes_no_config_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "Qwen2.5-0.5B.gguf").write_bytes(small_gguf({}))
    for name in ("config.json", "tokenizer.json", "generation_config.json"):
        (tmp_path / name).write_text("{}")
    artifact = open_artifact(tmp_path / "Qwen2.5-0.5B.gguf")
    assert (artifact.sidecars, artifact.config, artifact.tokenizer) == ({}, None, None)


@pytest.mark.parametrize(
    ("text", "observed"),
    [
        (b'{"a": 1', "line 1, column 8"),
        (b"[]", "list"),
        (b"\xff", "0xff"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a":' * 100_000, "deeper nesting"),
        (b'{"a": "\\udfff"}', "surrogate"),
    ],
    ids=["cut", "a list", "no UTF-8", "NaN", "deep", "half a pair"],
)
def test_a_malformed_sidecar_violates_format_with_its_file_and_position(
    text: bytes, observed: str, tmp_path: Path
) -> None:
    write_file(tmp_path / "model.safetensors", {"a": X})
    (tmp_path / "config.json").write_bytes(text)
    artifact = open_artifact(tmp_path)
    (comparison,) = violated(artifact)
    assert (comparison.measure, comparison.place.file, artifact.config) == ("sidecar_json", "config.json", None)
    assert observed in str(comparison.observed)


def test_a_sidecar_longer_than_the_bound_is_refused_unread(tmp_path: Path) -> None:
    write_file(tmp_path / "model.safetensors", {"a": X})
    with (tmp_path / "config.json").open("wb") as file:
        file.truncate((64 << 20) + 1)
    (comparison,) = violated(open_artifact(tmp_path))
    assert (comparison.measure, comparison.observed) == ("sidecar_json", (64 << 20) + 1)


@pytest.mark.parametrize(
    "name",
    ["config.json", "generation_config.json", "tokenizer_config.json", "tokenizer.json", "tokenizer.model",
     "chat_template.jinja", "modules.json"],
)  # fmt: skip
def test_a_link_to_nothing_and_a_folder_in_a_sidecars_place_are_told(name: str, tmp_path: Path) -> None:
    write_file(tmp_path / "model.safetensors", {"a": X})
    assert violated(open_artifact(tmp_path)) == []
    (tmp_path / name).symlink_to(tmp_path / "not-there")
    (link,) = violated(open_artifact(tmp_path))
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    (folder,) = violated(open_artifact(tmp_path))
    assert (link.measure, link.place.file, link.observed) == ("sidecar_file", name, "a link to nothing")
    assert (folder.measure, folder.place.file, folder.observed) == ("sidecar_file", name, "a directory")


def test_a_link_to_a_file_of_the_folder_is_read(tmp_path: Path) -> None:
    write_file(tmp_path / "model.safetensors", {"a": X})
    (tmp_path / "stored").write_text('{"a": 1}')
    (tmp_path / "config.json").symlink_to(tmp_path / "stored")
    artifact = open_artifact(tmp_path)
    assert (violated(artifact), artifact.config) == ([], {"a": 1})


def test_a_key_that_stands_twice_in_a_sidecar_violates_format(tmp_path: Path) -> None:
    write_file(tmp_path / "model.safetensors", {"a": X})
    (tmp_path / "config.json").write_text('{"rope_theta": 1e6, "rope_theta": 1e4}')
    assert seen(open_artifact(tmp_path)) == {("format", "sidecar_key_unique")}


@pytest.mark.parametrize(
    ("files", "template"),
    [
        ({"chat_template.jinja": "own"}, "own"),
        ({"chat_template.json": '{"chat_template": "in json"}'}, "in json"),
        ({"tokenizer_config.json": '{"chat_template": "declared"}'}, "declared"),
        (
            {
                "tokenizer_config.json": '{"chat_template": [{"name": "tool_use", "template": "t"},'
                ' {"name": "default", "template": "d"}]}'
            },
            "d",
        ),
        ({"chat_template.jinja": "own", "tokenizer_config.json": '{"chat_template": "other"}'}, "own"),
        ({"tokenizer_config.json": '{"chat_template": 7}'}, None),
        ({}, None),
    ],
)
def test_the_chat_template_is_the_file_before_the_declaration(
    files: dict[str, str], template: str | None, tmp_path: Path
) -> None:
    write_file(tmp_path / "model.safetensors", {"a": X})
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    artifact = open_artifact(tmp_path)
    assert artifact.chat_template == template
    assert any("different chat templates" in note for note in artifact.notes) is (len(files) == 2)
