"""Converters of others, through the installed command: a real one replayed, and ones that fail on purpose."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support import apr_stand_in
from support.command import CONTRACTS, Result
from support.shared_models import APR_FILES, DATA, MODELS, needs_apr_files, needs_models, shared

QWEN2 = MODELS / "tiny-qwen2"


def convert(*arguments: str | Path, path: Path | None = None, cwd: Path | None = None) -> Result:
    """`contracts convert …` with a folder at the head of PATH, and nothing else of ours in it."""
    environment = {**os.environ, "PATH": f"{path}:/usr/bin:/bin" if path else "/usr/bin:/bin"}
    words = [str(CONTRACTS), "convert", *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, env=environment, cwd=cwd, check=False)
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def apr(tmp_path: Path) -> Path:
    """A folder with the stand-in for `apr`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    apr_stand_in.install(folder)
    return folder


def falsified(folder: Path) -> set[str]:
    return {e["gate_id"] for e in json.loads((folder / "evidence.json").read_text()) if e["outcome"] == "Falsified"}


@needs_models
@needs_apr_files
def test_the_lossless_conversion_of_apr_is_kept(apr: Path, tmp_path: Path) -> None:
    result = convert(QWEN2, tmp_path / "q.apr", "--converter", "apr", path=apr)
    assert result.code == 0, result.stdout + result.stderr
    assert "converter: converters/apr" in result.stdout
    shared(APR_FILES / "q.apr")
    assert (tmp_path / "q.apr").stat().st_size == (APR_FILES / "q.apr").stat().st_size


@needs_models
@needs_apr_files
def test_the_silent_quantisation_of_apr_is_falsified_and_taken_away(apr: Path, tmp_path: Path) -> None:
    evidence = tmp_path / "evidence"
    result = convert(QWEN2, tmp_path / "q.gguf", "--converter", "apr", "-o", evidence, path=apr)
    assert result.code == 1
    assert {"G0-CONTAINER-001", "F-CONTRACT-I3-004"} <= falsified(evidence)
    assert not (tmp_path / "q.gguf").exists()


@needs_models
@needs_apr_files
def test_a_falsified_output_is_kept_under_a_name_that_says_so(apr: Path, tmp_path: Path) -> None:
    result = convert(QWEN2, tmp_path / "q.gguf", "--converter", "apr", "--keep", path=apr)
    assert result.code == 1
    assert {path.name for path in tmp_path.iterdir()} == {"bin", "q.gguf.falsified"}


@needs_models
@needs_apr_files
@pytest.mark.parametrize("tokenizer", [(), ("--tokenizer", QWEN2 / "tokenizer.json")])
def test_apr_refuses_a_gguf_without_tokenizer_and_its_last_words_are_shown(tokenizer, apr, tmp_path: Path) -> None:
    result = convert(APR_FILES / "weights-only.gguf", tmp_path / "w.apr", "--converter", "apr", *tokenizer, path=apr)
    assert result.code == 1
    assert "converters/apr ended with exit code 5" in result.stderr
    words = "Missing vocab_size (0)" if tokenizer else "no embedded tokenizer vocabulary"
    assert words in result.stderr
    assert not (tmp_path / "w.apr").exists()


@needs_apr_files
def test_what_was_not_recorded_is_skipped(apr: Path, tmp_path: Path) -> None:
    result = convert(DATA / "tiny-qwen2", tmp_path / "q.gguf", "--converter", "apr", "--dtype", "F16", path=apr)
    assert result.code in (1, 3)
    if (MODELS / "tiny-qwen2").is_dir():
        result = convert(DATA / "tiny-qwen2-Q4_K_M.gguf", tmp_path / "never-asked", "--converter", "apr", path=apr)
    assert result.code == 3
    assert "skipped" in result.stderr and "not recorded" in result.stderr


def test_a_program_that_is_not_installed_is_skipped_with_the_way_to_get_it(tmp_path: Path) -> None:
    result = convert(DATA / "tiny-qwen2", tmp_path / "q.apr", "--converter", "apr")
    assert (result.code, result.stdout) == (3, "")
    assert result.stderr == "contracts: skipped: apr is not installed: cargo install aprender\n"


def definition(folder: Path, program: str, seconds: float = 60.0) -> Path:
    """A converter of one's own: a Python program given `{source}` and `{target}`."""
    script = folder / "own.py"
    script.write_text(f"import os, signal, sys, time\nsource, target = sys.argv[1:]\n{program}\n")
    path = folder / "own.yaml"
    path.write_text(
        f"id: own\ntitle: a converter of one's own\nprogram: {sys.executable}\n"
        f'arguments: [{script}, "{{source}}", "{{target}}"]\nsources: [safetensors]\ntargets: [gguf]\n'
        f"seconds: {seconds}\nhow_to_get: it is there\n"
    )
    return path


@pytest.mark.parametrize(
    ("program", "seconds", "said"),
    [
        ("os.kill(os.getpid(), signal.SIGABRT)", 60, "own was ended by SIGABRT"),
        ("time.sleep(600)", 0.5, "own did not end within 0.5 s"),
        ("sys.exit('the tensor is crooked')", 60, "own ended with exit code 1\n  | the tensor is crooked"),
        ("pass", 60, "own ended well and wrote no m.gguf"),
    ],
)
def test_a_converter_that_ends_badly_is_said_and_leaves_nothing(program, seconds, said, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    result = convert(DATA / "tiny-qwen2", out / "m.gguf", "--converter", definition(tmp_path, program, seconds))
    assert result.code == 1
    assert said in result.stderr
    assert list(out.iterdir()) == []


def test_what_a_converter_started_ends_with_it(tmp_path: Path) -> None:
    program = (
        "child = os.fork()\n"
        "if not child: time.sleep(600)\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child))\n"
        "sys.exit(1)"
    )
    convert(DATA / "tiny-qwen2", tmp_path / "m.gguf", "--converter", definition(tmp_path, program))
    child = int((tmp_path / "pid").read_text())
    stat = Path(f"/proc/{child}/stat")
    assert not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] in "ZX"


def test_an_end_from_outside_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    program = "open(target, 'w').write('half')\nos.kill(os.getppid(), signal.SIGTERM)\ntime.sleep(600)"
    result = convert(DATA / "tiny-qwen2", out / "m.gguf", "--converter", definition(tmp_path, program))
    assert result.code == 130
    assert list(out.iterdir()) == []


def test_a_path_stays_one_argument(tmp_path: Path) -> None:
    folder = tmp_path / "a folder; touch oops"
    folder.mkdir()
    program = f"open({str(tmp_path / 'seen')!r}, 'w').write(target)\nsys.exit(1)"
    convert(DATA / "tiny-qwen2", folder / "m $(id).gguf", "--converter", definition(tmp_path, program), cwd=tmp_path)
    assert (tmp_path / "seen").read_text().endswith("/m $(id).gguf")
    assert not (tmp_path / "oops").exists()
