"""Bad input through the command: an outcome or one line that names the file; no traceback, no hang, bounded memory."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from model_contracts.engine.plan import CheckRequest
from model_contracts.engine.run import check as check_in_process
from support.command import CONTRACTS, check, contracts
from support.shared_models import DATA

TINY = DATA / "tiny-qwen2"
QUANTISED = DATA / "tiny-qwen2-Q4_K_M.gguf"

_WITH_PEAK = (
    "import resource, subprocess, sys\n"
    "done = subprocess.run(sys.argv[1:], capture_output=True, text=True)\n"
    "print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024, done.stderr[-300:])\n"
)


def zipped_pickle() -> bytes:
    """What torch.save writes: a zip with a pickle in it."""
    import io

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}))
    return buffer.getvalue()


FOREIGN = {
    "model.safetensors": (b"", "an empty file"),
    "pytorch_model.bin": (pickle.dumps({"weight": 1}), "a pickle"),
    "model.ckpt": (zipped_pickle(), "zip"),
    "model.gguf": (b"<!DOCTYPE html>\n<html><body>404</body></html>", "an HTML page"),
    "weights.safetensors": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d" * 32 + b"\nsize 988097824\n",
        "a Git LFS pointer",
    ),
    "big.gguf": (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
    "config.json": (b'{"model_type": "qwen2"}', "config.json of a model, not its weights"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_no_model_is_named_for_what_it_is(name: str, tmp_path: Path) -> None:
    data, words = FOREIGN[name]
    (tmp_path / name).write_bytes(data)
    result = check(tmp_path / "out", tmp_path / name)
    assert result.code == 1
    assert result.gates("Falsified") == {"G0-CONTAINER-001"}
    (violation,) = result.violated("G0-CONTAINER-001")
    assert words in f"{violation['observed']} {violation['note']}", violation
    assert name in str(violation["place"]["file"])


def hostile(kind: str) -> bytes:
    """Headers that ask for far more than the file holds, or hold far more than any model."""
    if kind == "ten million safetensors entries":
        text = b'{"a":{},' * 10_000_000
        return struct.pack("<Q", len(text)) + text
    if kind == "deeply nested JSON":
        text = b'{"a":' * 1_000_000
        return struct.pack("<Q", len(text)) + text
    if kind == "ten million GGUF keys":
        return b"GGUF" + struct.pack("<IQQ", 3, 0, 10_000_000) + (struct.pack("<Q", 1) + b"k" + bytes(5)) * 2_000_000
    if kind == "2^40 GGUF array elements":
        key = struct.pack("<Q", 1) + b"a" + struct.pack("<IIQ", 9, 8, 2**40)
        return b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + key + bytes(1024)
    if kind == "2^64 - 1 GGUF tensors":
        return b"GGUF" + struct.pack("<IQQ", 3, 2**64 - 1, 0) + bytes(1024)
    return b"APR\0" + struct.pack("<BBHIQIQQI", 2, 0, 0x400, 2**32 - 1, 64, 2**32 - 1, 2**63, 2**63, 0) + bytes(20)


@pytest.mark.parametrize(
    "kind",
    [
        "ten million safetensors entries", "deeply nested JSON", "ten million GGUF keys", "2^40 GGUF array elements",
        "2^64 - 1 GGUF tensors", "an .apr header of huge numbers",
    ],
)  # fmt: skip
def test_a_hostile_header_is_falsified_within_200_mb(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile.bin"
    path.write_bytes(hostile(kind))
    command = [sys.executable, "-c", _WITH_PEAK, str(CONTRACTS), "check", str(path), "--only", "G0-CONTAINER-*"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    code, peak, *rest = done.stdout.split(maxsplit=2)
    assert code == "1", done.stdout
    assert int(peak) <= 200, f"{peak} MB"
    assert "Traceback" not in " ".join(rest)


def test_a_file_that_shrinks_while_it_is_read_is_falsified_at_its_size(tmp_path: Path) -> None:
    folder = tmp_path / "tiny-qwen2"
    shutil.copytree(TINY, folder)
    weights = folder / "model.safetensors"
    size = weights.stat().st_size

    def shrink(done: int, total: int) -> None:
        os.truncate(weights, size // 2)

    outcomes, run = check_in_process(CheckRequest((folder,), progress=shrink))
    sizes = next(outcome for outcome in outcomes if outcome.gate_id == "G0-CONTAINER-002")
    assert run.decision.exit_code == 1
    assert sizes.outcome == "Falsified"
    assert {c.measure for c in sizes.comparisons if not c.holds} == {"bytes_read"}
    assert all(outcome.outcome != "Error" for outcome in outcomes)


def test_names_from_a_file_cannot_write_on_the_terminal(tmp_path: Path) -> None:
    entry = {"\x1b[31mweight\u202e": {"dtype": "F33", "shape": [1], "data_offsets": [0, 4]}}
    text = json.dumps(entry).encode()
    path = tmp_path / "escape.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(4))
    result = contracts("check", path)
    assert result.code == 1
    assert "\x1b" not in result.stdout
    assert "\u202e" not in result.stdout
    assert "F33" in result.stdout


def test_a_directory_with_two_models_is_refused_with_their_names_where_one_is_meant(tmp_path: Path) -> None:
    shutil.copy(QUANTISED, tmp_path / "a.gguf")
    shutil.copy(QUANTISED, tmp_path / "b.gguf")
    for words in (("inspect", tmp_path), ("check", QUANTISED, "--against", tmp_path)):
        result = contracts(*words)
        assert result.code == 2
        assert "a.gguf, b.gguf" in result.stderr


def test_a_suffix_that_lies_is_an_outcome(tmp_path: Path) -> None:
    shutil.copy(QUANTISED, tmp_path / "Qwen2.5-tiny.safetensors")
    result = check(tmp_path / "out", tmp_path / "Qwen2.5-tiny.safetensors")
    assert result.gates("Falsified") == {"G0-CONTAINER-001"}
    (violation,) = result.violated("G0-CONTAINER-001")
    assert violation["measure"] == "suffix_matches_content"
    assert result.gate("G0-VALIDATE-001")["outcome"] == "Corroborated"


def test_existing_evidence_survives_a_run_that_cannot_start(tmp_path: Path) -> None:
    check(tmp_path, TINY, "--only", "G0-CONTAINER-*")
    before = (tmp_path / "evidence.json").read_bytes()
    assert contracts("check", tmp_path / "nothing.gguf", "-o", tmp_path).code == 2
    assert (tmp_path / "evidence.json").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evidence.json", "run.json"]


def test_a_model_below_a_dotted_folder_keeps_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "Qwen" / "Qwen2.5-Coder-0.5B-Instruct"
    shutil.copytree(TINY, folder)
    result = check(tmp_path / "out", folder)
    assert result.code == 0
    assert {e["subject"]["name"] for e in result.evidence} == {"Qwen2.5-Coder-0.5B-Instruct"}
    assert "Qwen2.5-Coder-0.5B-Instruct" in result.stdout


def test_values_that_no_kernel_decodes_leave_the_gate_unproven(tmp_path: Path) -> None:
    header = {"weight": {"dtype": "C64", "shape": [2, 2], "data_offsets": [0, 32]}}
    text = json.dumps(header).encode()
    path = tmp_path / "complex.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(32))
    outcome = check(tmp_path / "out", path).gate("G0-VALIDATE-001")
    assert (outcome["outcome"], outcome["skip_cause"]) == ("Skipped", "incomplete")
    assert "0 of 4 compared; not compared: nothing decodes type C64 (4: " in outcome["reason"]
