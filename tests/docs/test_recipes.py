"""Each recipe of CONTRIBUTING.md, carried out in a copy, fires on a broken model and stays quiet on an honest one."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from support.mutations import Floats, Stored, copied, json_of, safetensors_of, stored
from support.recipes import Copy
from support.shared_models import DATA

HONEST = DATA / "tiny-qwen2"
UP, NORM = "model.layers.1.mlp.up_proj.weight", "model.layers.1.input_layernorm.weight"


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def broken(folder: Path, name: str, edit: Callable[[Floats], None]) -> Path:
    """The honest model with one tensor changed."""
    target = copied(HONEST, folder, "broken")
    with safetensors_of(target / "model.safetensors") as tensors:
        tensors[name] = tensors[name].map(edit)
    return target


def line_of(copy: Copy, path: str, text: str) -> str:
    lines = (copy.root / path).read_text("utf-8").splitlines()
    return f"{path}:{next(number for number, line in enumerate(lines, 1) if text in line)}"


def test_an_invariant_of_a_known_kind_is_yaml(copy: Copy, tmp_path: Path):
    copy.carry_out(1)
    copy.knows_its_schemas()
    honest = copy.check(tmp_path / "kept", HONEST)
    assert (honest.code, honest.gate("G0-ROWS-001")["outcome"]) == (0, "Corroborated")

    def dead(values: Floats) -> None:
        values[5] = 0

    told = copy.check(tmp_path / "told", broken(tmp_path, UP, dead))
    assert (told.code, told.gate("G0-ROWS-001")["outcome"]) == (1, "Falsified")
    (violated,) = told.violated("G0-ROWS-001")
    assert violated["place"] == {"file": "model.safetensors", "tensor": UP, "row": 5}
    assert violated["measure"] == "dead_rows" and violated["observed"] == pytest.approx(1 / 512)
    assert violated["bound_from"] == line_of(copy, "invariants/tensor/whole-rows.yaml", "dead_rows: 0.0")


def test_a_kind_of_check_is_a_file_and_a_line(copy: Copy, tmp_path: Path):
    copy.carry_out(2)
    copy.knows_its_schemas()
    honest = copy.check(tmp_path / "kept", HONEST)
    kept = honest.gate("G0-VECTORS-001")
    assert (honest.code, kept["outcome"], kept["violated"]) == (0, "Corroborated", 0)
    assert kept["compared"] == 9 * 256 + 4 * (256 + 128 + 128)

    def large(values: Floats) -> None:
        values[3] = 4096

    told = copy.check(tmp_path / "told", broken(tmp_path, NORM, large))
    assert (told.code, told.gates("Falsified")) == (1, {"G0-VECTORS-001"})
    (violated,) = told.violated("G0-VECTORS-001")
    assert (violated["measure"], violated["place"]["tensor"]) == ("largest_value", NORM)
    assert (violated["observed"], violated["tolerance"], violated["smallest_passing_tolerance"]) == (4096, 1000, 4096)
    assert violated["bound_from"] == line_of(copy, "invariants/tensor/vectors.yaml", "largest")


def test_a_family_is_yaml(copy: Copy, tmp_path: Path):
    model = copied(HONEST, tmp_path, "example")
    with json_of(model / "config.json") as config:
        config.update(architectures=["ExampleForCausalLM"], model_type="example")
    with safetensors_of(model / "model.safetensors") as tensors:
        for layer in range(4):
            tensors[f"model.layers.{layer}.post_self_attn_norm.weight"] = stored(np.ones(256), "BF16")
    before = copy.check(tmp_path / "before", model)
    assert (before.code, before.gate("G0-TENSOR-001")["outcome"]) == (3, "Skipped")
    copy.carry_out(3)
    copy.knows_its_schemas()
    honest = copy.check(tmp_path / "kept", model)
    assert honest.gates("Falsified") == set() and honest.gate("G0-TENSOR-001")["outcome"] == "Corroborated"
    assert honest.code == 0

    with safetensors_of(model / "model.safetensors") as tensors:
        del tensors["model.layers.2.post_self_attn_norm.weight"]
    told = copy.check(tmp_path / "told", model)
    assert (told.code, told.gates("Falsified")) == (1, {"G0-TENSOR-001"})
    (violated,) = told.violated("G0-TENSOR-001")
    assert (violated["expected"], violated["observed"]) == ("once", "missing")
    assert violated["place"]["tensor"] == "model.layers.2.post_self_attn_norm.weight"


def flat(folder: Path, *, cut: int = 0, word: str = "") -> Path:
    """The honest model in the format of the recipe, its last bytes cut off or the type of its first tensor another."""
    target = copied(HONEST, folder, f"flat{cut}{word}")
    with safetensors_of(target / "model.safetensors") as read:
        tensors: dict[str, Stored] = dict(read)
    (target / "model.safetensors").unlink()
    entries = [[name, tensor.dtype, list(tensor.shape)] for name, tensor in tensors.items()]
    if word:
        entries[0][1] = word
    head = json.dumps(entries).encode()
    data = b"FLAT" + struct.pack("<I", len(head)) + head + b"".join(tensor.data for tensor in tensors.values())
    (target / "model.flat").write_bytes(data[: len(data) - cut])
    return target / "model.flat"


HOSTILE = (
    b"FLAT",
    b"FLAT\xff\xff\xff\xff",
    b"FLAT\2\0\0\0{}",
    b"FLAT\5\0\0\0[[1]]",
    b'FLAT\x11\0\0\0[["a","F32",[-1]]]',
    b'FLAT\x1b\0\0\0[["a","F32",[281474976710656]]]',
)


def test_a_container_format_is_a_reader_and_its_lines(copy: Copy, tmp_path: Path):
    copy.carry_out(4)
    copy.knows_its_schemas()
    honest = copy.check(tmp_path / "kept", flat(tmp_path))
    assert honest.gates("Falsified") == set()
    kept = {"G0-CONTAINER-001", "G0-CONTAINER-002", "G0-CONTAINER-003", "F-CONTRACT-I3-001", "F-CONTRACT-I3-002"}
    understood = {"G0-TENSOR-001", "G0-LAYOUT-001", "G0-TOKENIZER-001", "G0-VALIDATE-001", "G0-VALIDATE-002"}
    assert kept | understood <= honest.gates("Corroborated")
    assert honest.code == 0

    cut = copy.check(tmp_path / "cut", flat(tmp_path, cut=1))
    assert (cut.code, cut.gates("Falsified")) == (1, {"G0-CONTAINER-002"})
    (violated,) = cut.violated("G0-CONTAINER-002")
    assert violated["measure"] == "file_size" and violated["expected"] - violated["observed"] == 1
    unknown = copy.check(tmp_path / "unknown", flat(tmp_path, word="F33"))
    (violated,) = unknown.violated("F-CONTRACT-I3-001")
    assert (violated["measure"], violated["observed"]) == ("dtype_known", "F33")
    paths = [tmp_path / f"hostile{at}.flat" for at in range(len(HOSTILE))]
    for path, data in zip(paths, HOSTILE, strict=True):
        path.write_bytes(data)
    told = copy.check(tmp_path / "told", *paths)
    held = [one["outcome"] for one in told.evidence if one["gate_id"] == "G0-CONTAINER-001"]
    assert (told.code, held) == (1, ["Falsified"] * len(HOSTILE))


def test_a_reporter_is_a_function_and_a_line(copy: Copy, tmp_path: Path):
    copy.carry_out(5)
    copy.knows_its_schemas()
    model = copied(HONEST, tmp_path, "a\tname")
    written = copy.check(tmp_path / "told", model, "--format", "tsv")
    again = copy.contracts("report", tmp_path / "told", "--format", "tsv")
    assert (again.code, again.stdout) == (written.code, written.stdout) == (0, written.stdout)
    head, *rows = (line.split("\t") for line in again.stdout.splitlines())
    assert head == ["gate", "outcome", "force", "compared", "owed", "reason"]
    assert [row[:2] for row in rows] == [[one["gate_id"], one["outcome"]] for one in written.evidence]
    assert {len(row) for row in rows} == {6}


def test_what_all_recipes_write_holds_the_laws_of_the_house(copy: Copy):
    for number in range(1, 6):
        copy.carry_out(number)
    copy.holds_its_laws()
