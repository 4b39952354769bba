"""Completion, the catalogue, the doctor, examples under --help, and what differs between two artifacts."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from model_contracts.cli.examples import EXAMPLES
from model_contracts.cli.main import COMMANDS
from model_contracts.definitions import catalogue
from support import catalogue as generated
from support.command import contracts

DATA = Path(__file__).parents[2] / "data"
QUANT, SOURCE = DATA / "tiny-qwen2-Q4_K_M.gguf", DATA / "tiny-qwen2"


def test_the_catalogue_is_that_of_the_definitions():
    again = "run `python -m support.catalogue` in tests/"
    assert generated.FILE.read_text("utf-8") == generated.text(), again


def test_a_catalogue_of_other_definitions_is_not_believed(monkeypatch):
    monkeypatch.setattr(catalogue, "_digest", lambda: "crc32:other")
    catalogue._kept.cache_clear()
    assert catalogue._kept() is None
    assert "default" in [row[0] for row in catalogue.listed("contracts")]
    catalogue._kept.cache_clear()


@pytest.mark.parametrize(
    "line, offered",
    [
        ("contracts explain G0-TOKENIZER-00", "G0-TOKENIZER-003"),
        ("contracts check --only F-GOLDEN", "F-GOLDEN-RULE-001"),
        ("contracts check --dtype Q4_K", "Q4_K_M"),
        ("contracts check --contract inf", "inference"),
        ("contracts dia", None),
        ("contracts doc", "doctor"),
    ],
)
def test_a_shell_is_offered_what_begins_so(line, offered, tmp_path):
    answer = tmp_path / "answer"
    told = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n", "COMP_LINE": line, "COMP_POINT": str(len(line))}
    told |= {"_ARGCOMPLETE_STDOUT_FILENAME": str(answer)}
    subprocess.run([sys.executable, "-m", "model_contracts.cli.main"], env=os.environ | told, check=False, timeout=60)
    names = [name.strip() for name in answer.read_text().split("\n")]
    assert offered in names if offered is not None else names == [""]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(shell):
    done = contracts("completion", shell)
    assert done.code == 0
    assert "contracts" in done.stdout and "_ARGCOMPLETE" in done.stdout


def test_the_doctor_says_what_is_here():
    told = json.loads(contracts("doctor", "--format", "json").stdout)
    assert told["libraries"]["numpy"] and told["cores"] >= 1
    assert set(told["extras"]) == {"transformers", "llamacpp"}
    assert contracts("doctor").code == 0


def test_every_command_has_examples_that_it_understands():
    assert EXAMPLES.keys() == COMMANDS.keys()
    for command, lines in EXAMPLES.items():
        assert "examples:" in contracts(command, "--help").stdout
        for line in lines:
            words = shlex.split(line.removeprefix("source <(").rstrip(")").partition(" | ")[0])
            assert words[:2] == ["contracts", command]


def test_an_artifact_does_not_differ_from_itself():
    done = contracts("diff", QUANT, QUANT, "--level", "header", "--level", "tokenizer", "--level", "values")
    assert (done.code, done.stdout.count("the same")) == (0, 3)


def test_a_quant_and_its_source_differ_in_types_and_not_in_numbers():
    done = contracts("diff", QUANT, SOURCE, "--format", "json")
    told = json.loads(done.stdout)
    assert done.code == 1
    assert {"what": "format", "a": "gguf", "b": "safetensors"} in told["header"]
    assert "rms_norm_eps" not in [line["what"] for line in told["config"]]
    assert {(line["a"], line["b"]) for line in told["tensors"]} == {("F32", "BF16"), ("Q4_K", "BF16"), ("Q6_K", "BF16")}


def test_values_that_differ_are_told_the_worst_first(tmp_path):
    from gguf import GGUFReader

    data = bytearray(QUANT.read_bytes())
    tensor = next(one for one in GGUFReader(QUANT).tensors if one.name == "blk.1.attn_q.weight")
    start, half = tensor.data_offset, tensor.n_bytes // 2
    data[start : start + half] = data[start + half : start + 2 * half]
    other = tmp_path / "other.gguf"
    other.write_bytes(bytes(data))
    done = contracts("diff", other, QUANT, "--level", "values")
    assert done.code == 1
    assert "values: 1 difference\n  blk.1.attn_q.weight:" in done.stdout


@pytest.mark.parametrize(
    "said, coloured", [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)]
)
def test_colours_are_forced_and_refused(said, coloured):
    command = [sys.executable, "-m", "model_contracts.cli.main", "explain", "G0-TOKENIZER-001"]
    kept = {key: value for key, value in os.environ.items() if key not in ("FORCE_COLOR", "NO_COLOR")}
    done = subprocess.run(command, env=kept | said, capture_output=True, text=True, check=True, timeout=60)
    assert ("\x1b[" in done.stdout) is coloured
