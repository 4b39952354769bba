"""A user's folder of definitions, through the installed command: invariants, families, labels, schemes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from support.command import check, contracts
from support.mutations import copied, json_of, read_safetensors_model, safetensors_of, stored
from support.open_world import ACME, GATE_UP, WOVEN, definitions, own_contract, own_invariant, weave, woven, woven_gguf
from support.shared_models import DATA

QWEN2 = DATA / "tiny-qwen2"
NORM = "model.layers.1.input_layernorm.weight"


def test_an_own_invariant_is_kept_and_stands_in_the_evidence(tmp_path: Path):
    kept = check(tmp_path / "kept", QWEN2, "--definitions", ACME, "--contract", "acme/shipping")
    assert (kept.code, kept.gate("ACME-NORMS-002")["outcome"]) == (0, "Corroborated")
    assert kept.gate("ACME-NORMS-002")["invariant"] == "acme/house"
    assert kept.run["folders"] == [{"prefix": "acme", "path": str(ACME), "files": 7}]
    assert {name for name in kept.run["definitions"] if name.startswith("acme")} == {
        "acme",
        "acme/families/weave",
        "acme/house",
        "acme/qualification/small",
        "acme/qualification/systems/ours",
        "acme/recipes",
        "acme/schemes/brick",
        "acme/shipping",
    }
    without = check(tmp_path / "without", QWEN2)
    assert without.run["folders"] == [] and without.run["definitions_digest"] != kept.run["definitions_digest"]


def test_an_own_invariant_falsifies_and_names_the_line_of_its_bound(tmp_path: Path):
    model = copied(QWEN2, tmp_path)
    with safetensors_of(model / "model.safetensors") as tensors:
        tensors[NORM] = tensors[NORM].map(lambda values: values * 0 + 3)
        tensors["model.layers.0.lora_A.weight"] = tensors[NORM]
    told = check(tmp_path / "told", model, "--definitions", ACME, "--contract", "acme/shipping", "--only", "ACME-*")
    assert (told.code, told.gates("Falsified")) == (1, {"ACME-NORMS-002", "ACME-ADAPTERS-001"})
    (violated,) = told.violated("ACME-NORMS-002")
    assert (violated["measure"], violated["place"]["tensor"], violated["observed"]) == ("mean", NORM, 3)
    lines = (ACME / "invariants" / "house.yaml").read_text("utf-8").splitlines()
    number = next(at for at, line in enumerate(lines, 1) if "mean:" in line)
    assert violated["bound_from"] == f"{ACME}/invariants/house.yaml:{number}"


def test_contracts_yaml_beside_a_model_may_name_an_own_invariant(tmp_path: Path):
    model = copied(QWEN2, tmp_path)
    (model / "contracts.yaml").write_text("id: mine\ntitle: t\nclauses: [{invariant: acme/house}]\n")
    assert "ACME-KEYS-001" in check(tmp_path / "with", model, "--definitions", ACME).gates("Corroborated")
    without = check(tmp_path / "without", model)
    said = without.gate("G0-BESIDE-001")["comparisons"]
    assert any("--definitions DIR opens a folder of yours" in str(one["observed"]) + str(one["note"]) for one in said)


def test_a_family_of_a_made_up_architecture_is_checked_without_python(tmp_path: Path):
    folder, file = woven(tmp_path), woven_gguf(tmp_path)
    unknown = check(tmp_path / "unknown", file, "--against", folder)
    assert unknown.code == 3
    for target in (folder, file):
        alone = check(tmp_path / f"evidence-{target.name}", target, "--definitions", ACME)
        assert (alone.code, alone.gate("G0-TENSOR-001")["outcome"]) == (0, "Corroborated"), alone.stdout
    pair = check(tmp_path / "pair", file, "--against", folder, "--definitions", ACME)
    assert (pair.code, pair.gates("Falsified")) == (0, set()), pair.stdout
    assert pair.gate("F-CONTRACT-I4-002")["uncompared"] == []


def test_a_family_of_a_made_up_architecture_converts_there_and_back(tmp_path: Path):
    folder = woven(tmp_path)
    made = contracts("convert", folder, tmp_path / "made.gguf", "--definitions", ACME)
    assert made.code == 0 and "kept" in made.stdout, made.stderr
    back = contracts("convert", tmp_path / "made.gguf", tmp_path / "back", "--definitions", ACME)
    assert back.code == 0, back.stderr
    first = read_safetensors_model(folder / "model.safetensors")[0]
    again = read_safetensors_model(tmp_path / "back" / "model.safetensors")[0]
    assert {name: tensor.values.tobytes() for name, tensor in again.items()} == {
        name: tensor.values.tobytes() for name, tensor in first.items()
    }
    refused = contracts("convert", folder, tmp_path / "unknown.gguf")
    assert refused.code == 2 and not (tmp_path / "unknown.gguf").exists()


@pytest.mark.parametrize("fused", [WOVEN, GATE_UP])
def test_a_woven_tensor_that_is_not_woven_is_falsified(tmp_path: Path, fused: str):
    folder, file = woven(tmp_path), woven_gguf(tmp_path)
    with safetensors_of(folder / "model.safetensors") as tensors:
        name = fused.format(2)
        values, half = tensors[name].values, len(tensors[name].values) // 2
        tensors[name] = stored(weave([values[:half], values[half:]], 2), "BF16")
    told = check(tmp_path / "told", file, "--against", folder, "--definitions", ACME)
    assert told.code == 1 and "F-CONTRACT-I4-002" in told.gates("Falsified")


def test_an_own_label_promises_its_types(tmp_path: Path):
    words = ("--against", QWEN2, "--dtype", "acme-8", "--definitions", ACME)
    told = check(tmp_path / "told", DATA / "tiny-qwen2-Q4_K_M.gguf", *words)
    assert (told.code, told.gates("Falsified")) == (1, {"F-CONTRACT-I3-004"})
    made = contracts("convert", QWEN2, tmp_path / "m-Q8_0.gguf", "--dtype", "Q8_0")
    assert made.code == 0, made.stderr
    kept = check(tmp_path / "kept", tmp_path / "m-Q8_0.gguf", *words)
    assert kept.gate("F-CONTRACT-I3-004")["outcome"] == "Corroborated"
    refused = contracts("check", QWEN2, "--against", QWEN2, "--dtype", "acme-8")
    assert (refused.code, "expected one of" in refused.stderr) == (2, True)


def test_an_own_scheme_is_recognised(tmp_path: Path):
    model = copied(QWEN2, tmp_path)
    with json_of(model / "config.json") as config:
        config["quantization_config"] = {"quant_method": "acme_brick"}
    assert "acme_brick" in json.dumps(check(tmp_path / "without", model).evidence)
    with safetensors_of(model / "model.safetensors") as tensors:
        name = "model.layers.0.mlp.up_proj"
        rows, columns = tensors.pop(f"{name}.weight").shape
        tensors[f"{name}.bricks"] = type(tensors[NORM])("I8", (rows, columns), bytes(rows * columns))
        tensors[f"{name}.mortar"] = stored([1.0] * (rows - 1), "F32")
    told = check(tmp_path / "with", model, "--definitions", ACME, "--only", "G0-SCHEME-001")
    assert [one["place"]["tensor"] for one in told.violated("G0-SCHEME-001")] == [f"{name}.mortar"]


def test_an_own_playbook_runs_on_an_own_system(tmp_path: Path):
    planned = contracts("qualify", "acme/qualification/small", "--model-path", QWEN2, "--definitions", ACME, "--plan")
    assert planned.code == 0 and "what Acme ships with" in planned.stdout


@pytest.mark.parametrize("what", ["invariants", "contracts", "families", "gates", "playbooks", "systems"])
def test_lists_name_what_is_known(what: str):
    known = contracts("list", what, "--definitions", ACME)
    assert known.code == 0 and "acme" in known.stdout.lower()
    assert "acme" not in contracts("list", what).stdout.lower()


def test_an_own_gate_is_explained():
    told = contracts("explain", "ACME-SHARE-001", "--definitions", ACME)
    assert "acme/shipping (must)" in told.stdout and f"{ACME}/invariants/house.yaml:" in told.stdout


@pytest.mark.parametrize("command", [("inspect",), ("stats",)])
def test_other_commands_know_own_families(tmp_path: Path, command: tuple[str, ...]):
    folder = woven(tmp_path)
    told = contracts(*command, folder, "--format", "json", "--definitions", ACME)
    assert told.code == 0, told.stderr
    if command == ("inspect",):
        assert json.loads(told.stdout)["family"] == "acme/families/weave"


def project(folder: Path, **asked: Any) -> Path:
    folder.mkdir(exist_ok=True)
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in asked.items())
    (folder / "pyproject.toml").write_text(f"[tool.model-contracts]\n{lines}", "utf-8")
    return folder


def test_the_project_of_the_working_folder_opens_a_folder(tmp_path: Path):
    work = project(tmp_path / "work", definitions=["ours"])
    copied(ACME, work, "ours")
    told = contracts("check", QWEN2, "--contract", "acme/shipping", "--plan", cwd=work)
    assert told.code == 0 and "ACME-SHARE-001" in told.stdout
    (work / "models").mkdir()
    below = copied(QWEN2, work / "models")
    assert contracts("check", below, "--contract", "acme/shipping", "--plan", cwd=work).code == 0
    elsewhere = contracts("check", QWEN2, "--contract", "acme/shipping", "--plan", cwd=tmp_path)
    assert elsewhere.code == 2 and "--definitions DIR" in elsewhere.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[tool.model-contracts]\ndefinition = ["x"]\nplugins = []\n', "'definition' (nearest: definitions)"),
        ("[tool.model-contracts]\ndefinitions = 'x'\n", "definitions as a list of texts"),
        ('[tool.model-contracts]\ndefinitions = ["nowhere"]\n', "a folder of definitions"),
        ("[tool.model-contracts\ndefinitions = []\n", "expected TOML"),
    ],
)
def test_a_project_that_asks_for_nothing_sensible_is_a_usage_error(tmp_path: Path, text: str, said: str):
    (tmp_path / "pyproject.toml").write_text(text)
    told = contracts("check", QWEN2, cwd=tmp_path)
    assert (told.code, said in told.stderr) == (2, True), told.stderr


def test_other_projects_are_none_of_ours(tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'model-contracts-definitions'\n")
    assert contracts("check", QWEN2, "-q", cwd=tmp_path).code == 0
    (tmp_path / "pyproject.toml").unlink()
    os.mkfifo(tmp_path / "pyproject.toml")
    assert contracts("check", QWEN2, "-q", cwd=tmp_path).code == 0


def test_two_folders_stand_beside_each_other_and_one_is_opened_once(tmp_path: Path):
    own = definitions(
        tmp_path / "own",
        {"invariants/one.yaml": own_invariant(), "contracts/all.yaml": own_contract("own/one", "acme/house")},
    )
    words = ("--definitions", ACME, "--definitions", own, "--definitions", own, "--contract", "own/all")
    told = check(tmp_path / "told", QWEN2, *words)
    assert (told.code, len(told.run["folders"])) == (0, 2)
