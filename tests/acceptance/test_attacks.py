"""What somebody else wrote never steers, hangs, bursts or replaces: each attack is refused in a sentence."""

import json
import os
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from support.command import contracts

SEED = Path(__file__).parents[1] / "fuzz" / "corpus"
unix = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFO")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SEED / "hf", tmp_path / "m"))


def spoil(path: Path, **values: Any) -> None:
    held = json.loads(path.read_text("utf-8"))
    text = json.dumps(held | {key: f"@@{key}" for key in values})
    for key, value in values.items():
        text = text.replace(f'"@@{key}"', value if isinstance(value, str) else json.dumps(value))
    path.write_text(text, "utf-8")


def nan_weights(path: Path) -> None:
    data = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(data[:8], "little")
    data[start : start + 256] = b"\xc0\x7f" * 128
    path.write_bytes(data)


WEAKER = (
    "id: mine\ntitle: t\nclauses:\n  - {invariant: tensor/values, force: should}\n"
    "  - {invariant: container/well-formed, force: should}\n"
)


@pytest.mark.parametrize("linked", [False, True])
def test_a_contract_beside_a_model_takes_no_must_away(model: Path, tmp_path: Path, linked: bool) -> None:
    if linked:  # as the hub's cache has it
        cache = tmp_path / "models--a--b"
        (cache / "blobs").mkdir(parents=True)
        model = model.rename((cache / "snapshots").mkdir() or cache / "snapshots" / "c")
        (model / "model.safetensors").rename(cache / "blobs" / "d")
        (model / "model.safetensors").symlink_to(cache / "blobs" / "d")
    weights = model / "model.safetensors"
    nan_weights(weights)
    (model / "contracts.yaml").write_text(WEAKER)
    for path in (weights, model):
        result = contracts("check", path, "--format", "json")
        assert result.code == 1
        told = json.loads(result.stdout)
        assert "G0-VALIDATE-001" in told["run"]["decision"]["decided_by"]
        assert {e["force"] for e in told["evidence"] if e["gate_id"] == "G0-VALIDATE-001"} == {"must"}
        notes = [note for artifact in told["run"]["artifacts"] for note in artifact["notes"]]
        assert any("kept as must" in note for note in notes)


MALFORMED = {
    "no-yaml": "id: [",
    "another-kind": "- 1\n- 2\n",
    "an-unknown-invariant": "id: mine\ntitle: t\nclauses:\n  - {invariant: tensor/valeus}\n",
    "an-unknown-parameter": "id: mine\ntitle: t\nclauses:\n  - {invariant: tensor/values, parameters: {x: 1}}\n",
    "a-clause-twice": "id: mine\ntitle: t\nclauses: [{invariant: tensor/values}, {invariant: tensor/values}]\n",
    "itself-above": "id: default\ntitle: t\nextends: [contracts.yaml]\n",
    "not-text": "\x00\x1b[2J",
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
@pytest.mark.parametrize("broken", [False, True], ids=["honest", "broken"])
def test_a_malformed_contract_beside_a_model_is_told_and_ends_no_check(model: Path, broken: bool, text: str) -> None:
    def told() -> tuple[int, dict[str, str], dict[str, Any]]:
        result = contracts("check", model, "--format", "json")
        document = json.loads(result.stdout)
        outcomes = {e["gate_id"]: e["outcome"] for e in document["evidence"] if e["gate_id"] != "G0-BESIDE-001"}
        return result.code, outcomes, document

    if broken:
        nan_weights(model / "model.safetensors")
    code, outcomes, _ = told()
    (model / "contracts.yaml").write_text(text)
    with_it = told()
    assert with_it[:2] == (code, outcomes)
    document = with_it[2]
    (beside,) = [e for e in document["evidence"] if e["gate_id"] == "G0-BESIDE-001"]
    first = next(c for c in beside["comparisons"] if not c["holds"])
    assert (beside["outcome"], beside["force"], first["measure"]) == ("Falsified", "should", "contract_beside")
    assert "contracts.yaml" in first["observed"] and "expected" in first["observed"]
    assert any("adds no clause" in note for artifact in document["run"]["artifacts"] for note in artifact["notes"])
    assert contracts("check", model, "--contract", model / "contracts.yaml").code == 2


def test_a_conversion_replaces_no_file_of_another_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("mine")
    (tmp_path / "tokenizer.json").write_text("mine too")
    result = contracts("convert", SEED / "hf", tmp_path / "model.safetensors")
    assert result.code == 2
    assert "config.json" in result.stderr and "tokenizer.json" in result.stderr and "--force" in result.stderr
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "config.json": "mine",
        "tokenizer.json": "mine too",
    }


def test_evidence_of_another_kind_is_replaced_with_force_alone(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "evidence.json").write_text('[{"gate_id": "G1", "outcome": "Corroborated"}]')
    result = contracts("check", model, "-o", out)
    assert (result.code, (out / "evidence.json").read_text()[:12]) == (2, '[{"gate_id":')
    assert "--force" in result.stderr
    for words in (("--force",), ()):  # the second time it is an earlier check of ours
        assert contracts("check", model, "-o", out, "--skip", "G0-TOKENIZER-*", *words).code == 0


def test_a_playbook_runs_no_program_that_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "evil.sh").write_text(f"#!/bin/sh\ntouch {tmp_path}/RAN\n")
    (tmp_path / "evil.sh").chmod(0o755)
    (tmp_path / "conv.yaml").write_text(
        f"id: converters/conv\ntitle: c\nprogram: {tmp_path}/evil.sh\narguments: ['{{source}}', '{{target}}']\n"
        "sources: [safetensors]\ntargets: [gguf]\nhow_to_get: none\n"
    )
    (tmp_path / "sys.yaml").write_text(
        "id: qualification/systems/sys\ntitle: s\nconverter: conv.yaml\nruntimes: {safetensors: transformers}\n"
    )
    book = tmp_path / "playbook.yaml"
    book.write_text(
        "id: qualification/innocent\ntitle: t\nmodel: {id: tests/hf, family: qwen2}\nformats: [safetensors, gguf]\n"
        "system: sys.yaml\noracles: []\n"
    )
    result = contracts("qualify", book, "--model-path", SEED / "hf", "--only", "F-CONV*", "-o", tmp_path / "run")
    assert result.code == 2
    assert "expected a shipped system" in result.stderr and "--system FILE" in result.stderr
    assert not (tmp_path / "RAN").exists() and not (tmp_path / "run").exists()


@unix
def test_a_fifo_is_refused_wherever_a_file_is_read(tmp_path: Path) -> None:
    os.mkfifo(fifo := tmp_path / "c.yaml")
    (tmp_path / "d").mkdir()
    os.mkfifo(tmp_path / "d" / "evidence.json")
    gguf = SEED / "t-Q4_0.gguf"
    for words in (
        ("check", gguf, "--contract", fifo),
        ("check", fifo),
        ("check", gguf, "--golden", fifo),
        ("evidence", "validate", fifo),
        ("evidence", "audit", fifo),
        ("report", tmp_path / "d"),
        ("replay", tmp_path / "d"),
        ("qualify", fifo, "--plan", "--model-path", SEED / "hf"),
        ("convert", SEED / "hf", tmp_path / "o.gguf", "--converter", fifo),
        ("convert", SEED / "hf", tmp_path / "o.gguf", "--tokenizer", fifo),
    ):
        result = contracts(*words)
        assert result.code == 2, words
        assert len(result.stderr.splitlines()) == 1, result.stderr


@unix
def test_a_device_named_by_evidence_is_not_read(tmp_path: Path) -> None:
    held = [one for one in json.loads((SEED / "evidence.json").read_text()) if one["counterexample"]]
    for one in held:
        one["subject"]["path"] = str(SEED / "t-Q4_0.gguf")
        one["subject"]["against"] = None
        one["counterexample"]["files"] = {"/dev/zero": "blake3:" + "0" * 64}
    (tmp_path / "evidence.json").write_text(json.dumps(held))
    shutil.copy(SEED / "run.json", tmp_path)
    started = time.monotonic()
    assert contracts("replay", tmp_path).code in (1, 2, 3)
    assert time.monotonic() - started < 30


@pytest.mark.parametrize("depth", [100, 900, 50_000])
def test_nesting_is_bounded_in_every_header_and_sidecar(depth: int, model: Path) -> None:
    deep = "[" * depth + "]" * depth
    header = f'{{"a":{{"dtype":{deep},"shape":[2],"data_offsets":[0,8]}}}}'.encode()
    (model / "deep.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    spoil(model / "generation_config.json", pad_token_id=deep)
    for path in (model / "deep.safetensors", model / "model.safetensors"):
        result = contracts("check", path, "--format", "json")
        assert (result.code, result.stderr) == (1, "")
        assert "G0-CONTAINER-001" in json.loads(result.stdout)["run"]["decision"]["decided_by"]


@pytest.mark.parametrize(
    "values",
    [{"rms_norm_eps": '"x"'}, {"rope_theta": "1" + "0" * 400}, {"rope_theta": "1e999"}, {"rms_norm_eps": "-1"}],
)
def test_a_number_that_cannot_be_computed_with_is_refused_in_a_line(values: dict[str, str], model: Path) -> None:
    spoil(model / "config.json", **values)
    result = contracts("convert", model, model.parent / "out.gguf")
    assert (result.code, len(result.stderr.splitlines())) == (2, 1)
    assert not (model.parent / "out.gguf").exists()
    assert contracts("check", SEED / "t-Q4_0.gguf", "--against", model).code in (1, 3)


def test_a_field_of_no_finite_number_is_refused_as_the_reference_does(tmp_path: Path) -> None:
    header = b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":-1e999}}'
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    result = contracts("check", path, "--format", "json")
    assert "G0-CONTAINER-001" in json.loads(result.stdout)["run"]["decision"]["decided_by"]


@pytest.mark.parametrize("one", [b"[],", b"{},", b'{"a":[]},', b"0.1,"])
def test_evidence_of_millions_of_values_is_refused_in_little_memory(one: bytes, tmp_path: Path) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("the memory of a program is read in /proc")
    bomb = tmp_path / "bomb.json"
    bomb.write_bytes(b"[" + one * ((60 << 20) // len(one)) + one[:-1] + b"]")
    for words in (("evidence", "audit", bomb), ("report", bomb)):
        code = (
            "import re, sys; from model_contracts.cli.main import main; code = main(sys.argv[1:]);"
            "print(code, re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
        )
        ran = subprocess.run([sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, check=True)
        exit_code, kib = map(int, ran.stdout.split())
        assert exit_code == 2
        assert kib < 300_000


@pytest.mark.parametrize(
    "words",
    [
        ("--max-examples", "1" + "0" * 30),
        ("--seed", "-1"),
        ("--seed", "9" * 5000),
        ("--time-budget", "nan"),
        ("--time-budget", "inf"),
        ("--time-budget", "-1"),
        ("--time-budget", "1e300"),
    ],
)
def test_a_limit_beyond_all_reason_is_a_usage_error(words: tuple[str, str]) -> None:
    assert contracts("check", SEED / "t-Q4_0.gguf", *words).code == 2


@unix
def test_a_link_to_itself_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "loop.gguf").symlink_to(tmp_path / "loop.gguf")
    result = contracts("check", tmp_path / "loop.gguf")
    assert (result.code, "points at itself" in result.stderr) == (2, True)


def test_names_are_escaped_in_every_form_of_a_report(tmp_path: Path) -> None:
    name = json.dumps("a\x1b[31m\u202e\x9b", ensure_ascii=False).encode()
    header = b"{" + name + b':{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    path = tmp_path / "a.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\x00\x00\xc0\x7f" * 2)
    for words in (
        ("check",),
        ("check", "--format", "json"),
        ("check", "--format", "markdown"),
        ("inspect",),
        ("stats",),
    ):
        result = contracts(*words, path)
        assert all(c.isprintable() or c == "\n" for c in result.stdout + result.stderr), words
