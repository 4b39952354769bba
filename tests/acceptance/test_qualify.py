"""`contracts qualify` on a small model: everything holds; and with one thing spoiled, the report names that one."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.command import Result, contracts
from support.mutations import copied
from support.qualifying import DOTTED, QWEN2, blamed, ends, not_holding, playbook, qualify
from support.systems_fake import system

ANALYSIS = """
import json
for e in json.load(open('evidence.json')):
    status = 'PASS' if e['outcome'] == 'Corroborated' else 'FAIL'
    print(f"[{status}] {e['gate_id']}: {e['reason'][:100]}")
"""
#: Gates of files alone, the golden rule and answers left out.
CONVERSIONS = "F-CONV-S-G,F-CONV-A-G,F-CONV-COM-001,F-CONV-RT-001,F-CONV-RT-002,F-CONV-RT-BYTE-001"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Result]:
    """The playbook of the tiny models, on a model whose name has dots: the source's folder, DIR, what was said."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "Qwen").mkdir()
    source = copied(QWEN2, folder / "Qwen", DOTTED.split("/")[1])
    expected = {"hidden_size": 256, "num_hidden_layers": 4, "vocab_size": 2000}
    book = playbook(folder / "book", model={"id": DOTTED, "family": "qwen2", "expected": expected})
    return source, folder / "out", qualify(folder / "out", book, "--keep", source=source)


def test_every_gate_that_needs_no_gpu_is_corroborated(whole: tuple[Path, Path, Result]) -> None:
    _, _, result = whole
    assert result.code == 0, result.stdout
    assert not_holding(result) == []
    skipped = {e["gate_id"]: e["reason"] for e in result.evidence if e["outcome"] == "Skipped"}
    gpu = {gate for gate, reason in skipped.items() if reason == "the GPU was left out (--no-gpu)"}
    assert gpu == skipped.keys() == {"F-A2-001", "F-A4-001", "F-A6-001"}, skipped
    assert {f"F-A{number}-001" for number in (1, 3, 5)} | {f"F-CONV-RT-00{at}" for at in range(1, 5)} <= result.gates(
        "Corroborated", "must"
    )
    assert all(e["compared"] for e in result.evidence if e["outcome"] == "Corroborated")
    assert result.stdout.splitlines()[0].endswith(f" of {len(result.evidence)} hold")


def test_its_files_validate_and_the_analysis_of_the_founding_run_prints_them(whole: tuple[Path, Path, Result]) -> None:
    _, output, result = whole
    validated = contracts("evidence", "validate", output / "evidence.json", output / "run.json")
    assert validated.code == 0, validated.stdout
    printed = subprocess.run([sys.executable, "-c", ANALYSIS], cwd=output, capture_output=True, text=True, check=True)
    lines = printed.stdout.splitlines()
    assert len(lines) == len(result.evidence) and lines[0].startswith("[PASS] G0-PULL-001: ")


def test_everything_lies_under_its_folder_and_names_keep_their_dots(whole: tuple[Path, Path, Result]) -> None:
    source, output, _ = whole
    files = {path.name: path.read_bytes() for path in QWEN2.iterdir()}
    assert {path.name: path.read_bytes() for path in source.iterdir()} == files
    assert {path.name for path in source.parent.iterdir()} == {source.name}
    assert {path.name for path in output.parent.iterdir()} == {"Qwen", "book", "out"}
    assert {path.name for path in output.iterdir()} == {"workspace", "journal.jsonl", "evidence.json", "run.json"}
    assert {path.name for path in (output / "workspace").iterdir()} == {"Qwen", "by name"}
    model = output / "workspace" / DOTTED
    assert {path.name for path in model.iterdir()} == {"safetensors", "gguf", "apr"}
    called = DOTTED.split("/")[1]
    assert {path.name for path in (model / "gguf").iterdir()} >= {f"{called}.S-G.gguf", f"{called}.S-A-G.gguf"}
    assert (model / "apr" / f"{called}.S-A.apr").is_file()
    assert (model / "safetensors" / f"{called}.S-A-S" / "model.safetensors").is_file()
    assert not list(output.rglob(".contracts-*"))


def one_cause(result: Result, key: str, component: str, says: str) -> set[str]:
    """Gates under the one cause of all that does not hold; the text report says so at its head."""
    found = blamed(result)
    assert set(found) == {key}, {name: sorted(gates) for name, gates in found.items()}
    assert all(outcome["causes"] for outcome in not_holding(result))
    assert {cause["component"] for e in result.evidence for cause in e["causes"]} == {component}
    lines = result.stdout.splitlines()
    assert lines[0].endswith("hold; 1 cause"), lines[0]
    first = result.stdout.split("\n\n")[1]
    assert first.startswith("1. ") and says in " ".join(first.split()) and f"suspected    {component}" in first
    return found[key]


def test_a_gguf_without_its_tokenizer_is_one_cause_of_seven_gates(tmp_path: Path) -> None:
    book = playbook(tmp_path, formats=["safetensors", "gguf"], measured={"warmup": 0, "runs": 1})
    gates = "G0-*,F-A*,F-CONV-S-G,F-CONV-G-S,F-CONTRACT-I5-001,F-CONTRACT-I1-001,F-GOLDEN-RULE-001"
    spoils = system(tmp_path / "system", converter="forgetful")
    result = qualify(tmp_path / "out", book, "--system", spoils, "--only", gates)
    assert result.code == 1
    key = "converter/forgetful/tokenizer"
    closed = one_cause(result, key, "converter", "forgetful loses the tokenizer")
    answers = {"F-A1-001", "F-A3-001", "F-A5-001"}
    assert closed >= answers | {"F-CONV-S-G", "F-CONV-G-S", "F-CONTRACT-I5-001", "F-GOLDEN-RULE-001"}
    assert answers <= {
        e["gate_id"] for e in result.evidence if e["scenario"]["format"] == "safetensors"
    } & result.gates("Corroborated")


def test_a_converter_that_writes_q4_0_when_asked_for_f16_is_one_cause(tmp_path: Path) -> None:
    book = playbook(tmp_path, dtype="F16", modalities=["run"])
    spoils = system(tmp_path / "system", converter="q4", runtime="banner")
    result = qualify(tmp_path / "out", book, "--system", spoils, "--only", CONVERSIONS)
    assert result.code == 1
    closed = one_cause(result, "converter/q4/types/quantised", "converter", "expected F16, observed Q4_0")
    assert closed == set(CONVERSIONS.split(","))


def test_a_quantisation_of_the_playbook_that_is_another_is_one_cause(tmp_path: Path) -> None:
    book = playbook(tmp_path, quantisations=["Q8_0"], modalities=["run"])
    honest = qualify(tmp_path / "honest", book, "--only", "F-CONV-QUANT-001")
    assert (honest.code, honest.gates("Corroborated")) == (0, {"F-CONV-QUANT-001"})
    spoils = system(tmp_path / "system", converter="q4", runtime="banner")
    result = qualify(tmp_path / "out", book, "--system", spoils, "--only", "F-CONV-QUANT-001")
    assert result.code == 1
    assert one_cause(result, "converter/q4/quantised", "converter", "expected Q8_0") == {"F-CONV-QUANT-001"}


def test_a_converter_that_transposes_square_matrices_is_one_cause(tmp_path: Path) -> None:
    spoils = system(tmp_path / "system", converter="transposes", runtime="banner")
    result = qualify(
        tmp_path / "out", playbook(tmp_path, modalities=["run"]), "--system", spoils, "--only", CONVERSIONS
    )
    assert result.code == 1
    closed = one_cause(result, "converter/transposes/values", "converter", "transposed explains it")
    assert closed >= {"F-CONV-S-G", "F-CONV-A-G", "F-CONV-COM-001"}


def test_nothing_fails_for_a_banner_with_a_timing_before_each_answer(tmp_path: Path) -> None:
    spoils = system(tmp_path / "system", runtime="banner")
    gates = "F-A1-001,F-C*,F-GOLDEN-RULE-001"
    result = qualify(tmp_path / "out", playbook(tmp_path, modalities=["run"]), "--system", spoils, "--only", gates)
    assert result.code == 0, result.stdout
    assert not_holding(result) == []
    assert {"F-A1-001", "F-CONV-S-G", "F-CONV-SafeTensors-Apr"} <= result.gates("Corroborated", "must")


def test_a_runtime_that_returns_nothing_and_exits_0_is_the_one_cause(tmp_path: Path) -> None:
    spoils = system(tmp_path / "system", runtime="nothing")
    book = playbook(tmp_path, formats=["safetensors", "gguf"], modalities=["run"])
    gates = "G0-*,F-A1-001,F-CONV-S-G,F-CONV-CARD-001,F-GOLDEN-RULE-001"
    result = qualify(tmp_path / "out", book, "--system", spoils, "--only", gates)
    assert result.code == 1
    closed = one_cause(result, "runtime/nothing/answers-nothing", "runtime", "ended well and printed nothing")
    assert closed == {"F-A1-001", "F-CONV-S-G", "F-GOLDEN-RULE-001"}


def test_a_server_that_is_never_ready_is_the_one_cause_and_leaves_no_process(tmp_path: Path) -> None:
    for seconds in (0.5, 2.0, 8.0, 32.0):
        folder = tmp_path / str(seconds)
        folder.mkdir()
        limits = {"start_seconds": seconds, "answer_seconds": 20, "memory_mb": 4000}
        book = playbook(folder, formats=["safetensors", "gguf"], modalities=["serve"], limits=limits)
        spoils = system(folder / "system", runtime="unready")
        result = qualify(folder / "out", book, "--system", spoils, "--only", "F-A5-001")
        told = folder / "system" / "pid"
        started = told.read_text("ascii").split() if told.exists() else []
        if len(started) == 2:
            break  # else the machine was too busy to start both servers in that time
    assert result.code == 1
    assert one_cause(result, "runtime/unready/timeout", "runtime", f"not ready within {seconds:g} s") == {"F-A5-001"}
    assert {e["outcome"] for e in result.evidence} == {"Timeout"}
    assert len(started) == 2 and all(ends(int(pid)) for pid in started)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB, smaller than the model."""
    place = tmp_path / "disk"
    place.mkdir()
    library = ctypes.CDLL(None, use_errno=True)
    if library.mount(b"none", os.fsencode(place), b"tmpfs", 0, b"size=4m"):
        pytest.skip(f"no file system can be mounted here: {os.strerror(ctypes.get_errno())}")
    yield place
    library.umount(os.fsencode(place))


@pytest.mark.parametrize("full", ["by what is made", "from the start"])
def test_a_full_disk_is_the_one_cause_and_the_report_is_printed(full_disk: Path, tmp_path: Path, full: str) -> None:
    source = copied(QWEN2, tmp_path, "source")
    if full == "from the start":
        with (full_disk / "filled").open("wb", 0) as file, pytest.raises(OSError, match="No space left"):
            while True:
                file.write(bytes(4096))
    gates = "G0-*,F-CONV-S-G,F-CONV-IDEM-001,F-CONV-RT-001"
    result = qualify(full_disk / "out", playbook(tmp_path / "book"), "--only", gates, source=source)
    assert result.code == 4
    assert "suspected    environment" in result.stdout and result.stdout.splitlines()[0].endswith("hold; 1 cause")
    assert "no space left on device" in result.stdout and "Traceback" not in result.stderr
    if full == "by what is made":
        closed = one_cause(result, "environment/builtin/not-written", "environment", "no space left on device")
        assert closed == {"G0-FORMAT-APR-001", "G0-FORMAT-GGUF-001", "G0-VALIDATE-001", *gates.split(",")[1:]}
    else:
        assert "evidence is not written: no space left on device" in result.stderr
    assert {path.name: path.read_bytes() for path in source.iterdir()} == {
        path.name: path.read_bytes() for path in QWEN2.iterdir()
    }


def test_what_a_full_disk_kept_from_being_made_is_made_once_there_is_room(full_disk: Path, tmp_path: Path) -> None:
    book, gates = playbook(tmp_path / "book"), "G0-*,F-CONV-IDEM-001"
    assert qualify(full_disk / "out", book, "--only", gates).code == 4
    shutil.move(full_disk / "out", tmp_path / "out")
    result = qualify(tmp_path / "out", book, "--only", gates, "--resume")
    assert result.code == 0, result.stdout
    assert json.loads((tmp_path / "out" / "run.json").read_text("utf-8"))["decision"]["word"] == "kept"
