"""Which files a path means, what lies beside them, and that index, shards and files agree in every direction."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_contracts.formats.discovery import AmbiguousArtifact
from model_contracts.formats.interface import Unreadable
from model_contracts.formats.opening import READERS, open_artifact
from support.artifacts import seen, small_gguf, violated
from support.safetensors_files import Members, dumps, entry, raw_file, write_file, write_set
from support.shared_models import APR_FILES, DATA, MODELS, shared

ONE, TWO, THREE = (f"model-{n:05d}-of-00003.safetensors" for n in (1, 2, 3))
X = np.ones((2, 2), np.float32)


def small_set(folder: Path, **changes: Any) -> Path:
    return write_set(folder, {ONE: {"a": X, "b": X}, TWO: {"c": X}, THREE: {"d": X}}, **changes)


# What a path means


@pytest.mark.parametrize("given", ["", "model.safetensors.index.json", ONE, THREE])
def test_a_set_is_the_same_artifact_by_folder_index_or_any_shard(given: str, tmp_path: Path) -> None:
    folder = tmp_path / "Qwen2.5-Coder-0.5B"
    folder.mkdir()
    small_set(folder)
    artifact = open_artifact(folder / given)
    assert (artifact.name, artifact.layout, sorted(artifact.tensors)) == (
        "Qwen2.5-Coder-0.5B",
        "sharded",
        ["a", "b", "c", "d"],
    )
    assert artifact.sidecars["index"].path.name == "model.safetensors.index.json"
    assert violated(artifact) == []


def test_a_set_without_an_index_is_found_by_its_numbers(tmp_path: Path) -> None:
    small_set(tmp_path).unlink()
    artifact = open_artifact(tmp_path / TWO)
    assert (artifact.layout, sorted(artifact.tensors)) == ("sharded", ["a", "b", "c", "d"])
    assert violated(artifact) == []
    assert any("no index" in note for note in artifact.notes)


def test_the_index_is_followed_where_shards_have_odd_names(tmp_path: Path) -> None:
    write_set(tmp_path, {"model.safetensors-00001-of-00002.safetensors": {"a": X}, "rest.safetensors": {"b": X}})
    artifact = open_artifact(tmp_path)
    assert sorted(artifact.tensors) == ["a", "b"]
    assert violated(artifact) == []


def test_a_bare_file_beside_an_index_that_does_not_name_it_is_a_model_of_its_own(tmp_path: Path) -> None:
    small_set(tmp_path)
    path = write_file(tmp_path / "adapter_model.safetensors", {"lora": X})
    artifact = open_artifact(path)
    assert (artifact.layout, list(artifact.tensors)) == ("file", ["lora"])
    assert violated(artifact) == []


def test_two_models_in_a_folder_are_named_to_choose_from(tmp_path: Path) -> None:
    write_file(tmp_path / "one.safetensors", {"a": X})
    (tmp_path / "two.gguf").write_bytes(small_gguf({}))
    with pytest.raises(AmbiguousArtifact) as refused:
        open_artifact(tmp_path)
    assert refused.value.candidates == ("one.safetensors", "two.gguf")
    assert "name one of them: one.safetensors, two.gguf" in str(refused.value)


def test_a_projector_or_an_adapter_beside_a_model_is_no_second_model(tmp_path: Path) -> None:
    write_file(tmp_path / "model.safetensors", {"a": X})
    write_file(tmp_path / "consolidated.safetensors", {"b": X})
    write_file(tmp_path / "mtp.safetensors", {"b": X})
    assert list(open_artifact(tmp_path).tensors) == ["a"]


@pytest.mark.parametrize("files", [{}, {"README.md": b"words"}, {"config.json": b"{}"}])
def test_a_folder_without_a_model_is_said_to_be_one(files: dict[str, bytes], tmp_path: Path) -> None:
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(Unreadable, match="no model in this directory"):
        open_artifact(tmp_path)


def test_a_folder_of_pickles_is_an_artifact_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x02}q\x00.")
    artifact = open_artifact(tmp_path)
    assert seen(artifact) == {("format", "recognised_format")}
    assert "a pickle" in str(violated(artifact)[0].observed)


def test_a_path_to_nothing_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(Unreadable) as refused:
        open_artifact(tmp_path / "Qwen2.5-0.5B")
    assert str(refused.value) == f"{tmp_path / 'Qwen2.5-0.5B'}: no such file or directory"


def test_the_one_snapshot_of_a_hugging_face_cache_is_the_model_of_its_repository(tmp_path: Path) -> None:
    repository = tmp_path / "models--Qwen--Qwen2.5-0.5B"
    snapshot = repository / "snapshots" / ("c0ffee" * 7)
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir()
    write_file(repository / "blobs" / "1111", {"a": X})
    (repository / "blobs" / "2222").write_text('{"model_type": "qwen2"}')
    (snapshot / "model.safetensors").symlink_to("../../blobs/1111")
    (snapshot / "config.json").symlink_to("../../blobs/2222")
    for path in (repository, snapshot, snapshot / "model.safetensors"):
        artifact = open_artifact(path)
        assert (artifact.name, artifact.config) == ("Qwen2.5-0.5B", {"model_type": "qwen2"})
        assert violated(artifact) == []


def test_a_link_that_a_person_gives_is_followed_wherever_it_leads(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "here").mkdir()
    write_file(tmp_path / "store" / "weights", {"a": X})
    (tmp_path / "here" / "model.safetensors").symlink_to(tmp_path / "store" / "weights")
    (tmp_path / "folder").symlink_to(tmp_path / "store")
    assert list(open_artifact(tmp_path / "here" / "model.safetensors").tensors) == ["a"]
    write_file(tmp_path / "store" / "model.safetensors", {"b": X})
    assert list(open_artifact(tmp_path / "folder").tensors) == ["b"]


# Index, shards and files


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def reindex(**changes: Any) -> Callable[[Path], None]:
    return lambda folder: (
        (folder / "model.safetensors.index.json").write_text(dumps(index_of(folder, **changes))) and None
    )


def index_of(folder: Path, **changes: Any) -> dict[str, Any]:
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    for key, value in changes.items():
        if key == "total_size":
            index["metadata"]["total_size"] = value
        else:
            index["weight_map"] = value
    return index


MAP = {"a": ONE, "b": ONE, "c": TWO, "d": THREE}
FAULTS: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "a shard is missing": (remove(TWO), "shard_present", TWO),
    "the index names a tensor that its shard lacks": (reindex(map={**MAP, "e": TWO}), "tensor_in_shard", "e"),
    "the index names a tensor in the wrong shard": (reindex(map={**MAP, "a": TWO}), "tensor_in_shard", "a"),
    "a tensor is in no index": (reindex(map={"a": ONE, "c": TWO, "d": THREE}), "tensor_indexed", "b"),
    "a tensor is in two shards": (
        lambda folder: write_file(folder / TWO, {"c": X, "a": X}) and None,
        "tensor_once",
        "a",
    ),
    "the index names a tensor twice": (
        reindex(map=Members([*MAP.items(), ("c", TWO)])),
        "tensor_once",
        "c",
    ),
    "a file of the set is not in the index": (
        lambda folder: write_file(folder / "model-00004-of-00004.safetensors", {"e": X}) and None,
        "file_indexed",
        "model-00004-of-00004.safetensors",
    ),
    "the total is wrong by one byte": (reindex(total_size=65), "total_size", "metadata.total_size"),
    "the total is no number": (reindex(total_size="64"), "total_size", "metadata.total_size"),
    "a shard's name is a number": (reindex(map={**MAP, "e": 3}), "index_form", "e"),
    "the map is a list": (reindex(map=[]), "index_form", "weight_map"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_set_that_disagrees_with_itself_violates_the_direction_that_sees_it(case: str, tmp_path: Path) -> None:
    fault, measure, at = FAULTS[case]
    small_set(tmp_path)
    fault(tmp_path)
    artifact = open_artifact(tmp_path)
    # No loader goes by the total: it is of a gate that warns.
    topic = "portability" if measure == "total_size" else "shards"
    own = [comparison for comparison in violated(artifact, topic) if comparison.measure == measure]
    place = own[0].place
    named = (place.file, place.tensor, place.key, own[0].expected)
    assert at in named, f"{measure} names {at}, saw {named}"
    others = seen(artifact) - {(topic, measure)}
    # A tensor more in a shard changes the total, too.
    assert others <= ({("portability", "total_size")} if "two shards" in case else set()), case


def test_the_rest_of_a_set_is_read_where_a_shard_is_missing(tmp_path: Path) -> None:
    small_set(tmp_path)
    (tmp_path / TWO).unlink()
    artifact = open_artifact(tmp_path)
    assert sorted(artifact.tensors) == ["a", "b", "d"]
    assert any("total_size" in note and "not compared" in note for note in artifact.notes)


def test_a_numbered_set_without_an_index_misses_its_missing_number(tmp_path: Path) -> None:
    small_set(tmp_path).unlink()
    (tmp_path / TWO).unlink()
    for given in (tmp_path, tmp_path / ONE):
        artifact = open_artifact(given)
        assert seen(artifact) == {("shards", "shard_present"), ("shards", "files_of_the_set")}
        assert sorted(artifact.tensors) == ["a", "b", "d"]


def test_a_tensor_of_unknown_type_still_is_in_its_shard_and_in_the_total(tmp_path: Path) -> None:
    small_set(tmp_path)
    (tmp_path / TWO).write_bytes(raw_file({"c": {**entry("F32", [2, 2], 0), "dtype": "F31"}}, bytes(16)))
    assert seen(open_artifact(tmp_path)) == {("dtypes", "dtype_known")}


def test_a_truncated_shard_violates_sizes_and_nothing_else(tmp_path: Path) -> None:
    small_set(tmp_path)
    data = (tmp_path / TWO).read_bytes()
    (tmp_path / TWO).write_bytes(data[:-1])
    assert seen(open_artifact(tmp_path)) == {("sizes", "file_size")}


def test_a_shard_that_cannot_be_parsed_is_falsified_at_its_own_header(tmp_path: Path) -> None:
    small_set(tmp_path)
    (tmp_path / TWO).write_bytes(raw_file("{"))
    assert seen(open_artifact(tmp_path)) == {("format", "header_json")}


def test_an_unindexed_file_that_is_evidently_something_else_is_a_note(tmp_path: Path) -> None:
    small_set(tmp_path)
    write_file(tmp_path / "mtp.safetensors", {"e": X})
    artifact = open_artifact(tmp_path)
    assert violated(artifact) == []
    assert any(note.startswith("mtp.safetensors") for note in artifact.notes)


def test_a_single_file_compares_that_it_is_the_whole_set(tmp_path: Path) -> None:
    artifact = open_artifact(write_file(tmp_path / "model.safetensors", {"a": X}))
    assert artifact.ledger.held["shards", "files_of_the_set"] == 1


def test_a_shard_without_its_siblings_is_no_whole_model(tmp_path: Path) -> None:
    artifact = open_artifact(write_file(tmp_path / TWO, {"a": X}))
    (comparison,) = [c for c in violated(artifact) if c.measure == "files_of_the_set"]
    assert (comparison.expected, comparison.observed) == (3, 1)


SPLITS = [f"Qwen2.5-0.5B-{n:05d}-of-00002.gguf" for n in (1, 2)]


def split_set(folder: Path, **changes: int) -> None:
    for number, name in enumerate(SPLITS):
        keys = {"split.no": number, "split.count": 2, "split.tensors.count": 0}
        if number == 1:
            keys.update({key.replace("_", "."): value for key, value in changes.items()})
        (folder / name).write_bytes(small_gguf(keys))


@pytest.mark.parametrize("given", ["", *SPLITS])
def test_a_split_gguf_is_one_artifact_by_folder_or_any_part(given: str, tmp_path: Path) -> None:
    split_set(tmp_path)
    artifact = open_artifact(tmp_path / given)
    assert (artifact.format, artifact.layout, [path.name for path in artifact.files]) == ("gguf", "sharded", SPLITS)
    assert violated(artifact, "shards") == []
    assert artifact.ledger.held["shards", "split_count"] == 2


@pytest.mark.parametrize(
    ("changes", "measure", "expected", "observed"),
    [
        ({"split_count": 3}, "split_count", 2, 3),
        ({"split_no": 0}, "split_no", 1, 0),
        ({"split_tensors_count": 7}, "split_tensors_count", 0, 7),
    ],
)
def test_the_split_keys_are_held_against_the_files(
    changes: dict[str, int], measure: str, expected: int, observed: int, tmp_path: Path
) -> None:
    split_set(tmp_path, **changes)
    (comparison,) = violated(open_artifact(tmp_path), "shards")
    assert (comparison.measure, comparison.expected, comparison.observed) == (measure, expected, observed)
    assert comparison.place.file == SPLITS[1]


def test_a_part_of_a_split_gguf_that_was_renamed_is_no_whole_model(tmp_path: Path) -> None:
    (tmp_path / "whole.gguf").write_bytes(small_gguf({"split.no": 0, "split.count": 2}))
    (comparison,) = violated(open_artifact(tmp_path / "whole.gguf"), "shards")
    assert (comparison.measure, comparison.expected, comparison.observed) == ("split_count", 1, 2)


# What lies beside


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_forbidden_shard_is_an_outcome_and_a_forbidden_file_one_line(tmp_path: Path) -> None:
    small_set(tmp_path)
    (tmp_path / TWO).chmod(0)
    assert seen(open_artifact(tmp_path)) == {("shards", "shard_present")}
    path = write_file(tmp_path / "adapter_model.safetensors", {"a": X})
    path.chmod(0)
    with pytest.raises(Unreadable, match="permission denied"):
        open_artifact(path)


# Real models


@pytest.mark.parametrize(
    "path",
    [
        DATA / "tiny-qwen2",
        DATA / "tiny-llama",
        DATA / "tiny-qwen2-Q4_K_M.gguf",
        MODELS / "tiny-qwen2",
        MODELS / "tiny-llama",
        APR_FILES / "apr-st",
        APR_FILES / "q.apr",
    ],
    ids=lambda path: f"{path.parents[1].name}/{path.parent.name}/{path.name}",
)
def test_real_artifacts_violate_nothing_and_compare_in_every_topic(path: Path) -> None:
    artifact = open_artifact(path if DATA in path.parents else shared(path))
    assert artifact.readable
    assert violated(artifact) == []
    ledgers = [artifact.ledger, *(container.ledger for container in artifact.containers)]
    topics = {topic for ledger in ledgers for topic, _ in ledger.held}
    assert {"format", "sizes", "names", "dtypes", "shards"} <= topics
    assert artifact.name == path.name.removesuffix(".gguf").removesuffix(".apr")


def test_every_format_has_a_reader() -> None:
    assert set(READERS) == {"safetensors", "gguf", "apr"}
