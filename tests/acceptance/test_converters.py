"""What must hold of conversions, through the installed command: six directions, chains, labels, weights alone."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from support.command import check, contracts
from support.converting import assert_same_directory, in_type, needs_ggml
from support.shared_models import APR_FILES, DATA, needs_apr_files

MODELS = ("tiny-qwen2", "tiny-llama")


@pytest.fixture(scope="module", params=MODELS)
def formats(request, tmp_path_factory) -> dict[str, Path]:
    """One model as a directory, and what ours made of it: GGUF and .apr."""
    folder = tmp_path_factory.mktemp(request.param)
    source = DATA / request.param
    found = {"safetensors": source, "gguf": folder / f"{source.name}.gguf", "apr": folder / f"{source.name}.apr"}
    for target in ("gguf", "apr"):
        result = contracts("convert", source, found[target])
        assert result.code == 0, result.stderr
        assert "kept" in result.stdout
    return found


@pytest.mark.parametrize("source", ["safetensors", "gguf", "apr"])
@pytest.mark.parametrize("target", ["safetensors", "gguf", "apr"])
def test_every_direction_checks_clean_against_its_source(formats, source: str, target: str, tmp_path: Path) -> None:
    if source == target:
        pytest.skip("no direction: source and target are of one format")
    output = tmp_path / (f"out.{target}" if target != "safetensors" else "out")
    converted = contracts("convert", formats[source], output)
    assert converted.code == 0, converted.stdout + converted.stderr
    result = check(tmp_path / "evidence", output, "--against", formats[source])
    assert result.gates("Falsified") == set(), result.stdout
    assert result.code == 0


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
@pytest.mark.parametrize("name", MODELS)
def test_a_chain_through_both_formats_ends_with_the_same_bytes(name: str, dtype: str, tmp_path: Path) -> None:
    source = in_type(DATA / name, tmp_path, dtype)
    steps = [source, *(tmp_path / step for step in ("1.apr", "2.gguf", "3.apr", "4"))]
    for before, after in pairwise(steps):
        result = contracts("convert", before, after)
        assert result.code == 0, result.stdout + result.stderr
    assert_same_directory(steps[-1], source)


@pytest.mark.parametrize(
    ("name", "dtype"), [("tiny-qwen2", "Q8_0"), ("tiny-qwen2", "Q4_K_M"), ("tiny-llama", "Q4_K_M")]
)
def test_a_quantised_gguf_keeps_what_its_label_promises(name: str, dtype: str, tmp_path: Path) -> None:
    if dtype != "Q8_0":
        needs_ggml()
    target = tmp_path / f"{name}-{dtype}.gguf"
    assert contracts("convert", DATA / name, target, "--dtype", dtype, "--no-check").code == 0
    result = check(tmp_path / "evidence", target, "--against", DATA / name, "--dtype", dtype)
    assert result.code == 0, result.stdout
    assert result.gate("F-CONTRACT-I3-003")["outcome"] == "Corroborated"


@pytest.mark.parametrize(("name", "dtype"), [("tiny-qwen2", "BF16"), ("tiny-llama", "Q4_K_M")])
def test_llama_cpp_loads_our_gguf(name: str, dtype: str, tmp_path: Path) -> None:
    needs_ggml()
    target = tmp_path / "model.gguf"
    assert contracts("convert", DATA / name, target, "--dtype", dtype).code == 0
    program = (
        "import sys, xllamacpp\n"
        "asked = xllamacpp.CommonParams()\n"
        "asked.model.path, asked.n_ctx, asked.warmup = sys.argv[1], 64, False\n"
        "server = xllamacpp.Server(asked)\n"
        "print('answer', server.handle_completions({'prompt': 'def add', 'n_predict': 2, 'temperature': 0}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(target)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "'finish_reason': 'length'" in done.stdout


@needs_apr_files
@pytest.mark.parametrize("target", ["w.apr", "w.gguf", "w"])
def test_a_gguf_without_tokenizer_is_converted_with_the_one_that_is_given(target: str, tmp_path: Path) -> None:
    tokenizer = DATA / "tiny-qwen2" / "tokenizer.json"
    source = APR_FILES / "weights-only.gguf"
    result = contracts("convert", source, tmp_path / target, "--tokenizer", tokenizer)
    assert result.code == 0, result.stdout + result.stderr
    assert f"tokenizer: {tokenizer}, as --tokenizer says" in " ".join(result.stdout.split())
    assert check(tmp_path / "evidence", tmp_path / target).code == 0


@needs_apr_files
def test_a_gguf_without_tokenizer_is_refused_with_every_place_that_was_looked_at(tmp_path: Path) -> None:
    result = contracts("convert", APR_FILES / "weights-only.gguf", tmp_path / "w.apr")
    assert (result.code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    for place in ("files/tokenizer.json", "weights-only.tokenizer.json", "../tokenizer.json", "../safetensors/tokeni"):
        assert place in result.stderr
    assert "--tokenizer PATH" in result.stderr
    assert list(tmp_path.iterdir()) == []


@needs_apr_files
@pytest.mark.parametrize("place", ["tokenizer.json", "weights.tokenizer.json", "../tokenizer.json"])
def test_a_tokenizer_near_a_file_without_one_is_taken_and_named(place: str, tmp_path: Path) -> None:
    folder = tmp_path / "gguf"
    folder.mkdir()
    source = folder / "weights.gguf"
    source.write_bytes((APR_FILES / "weights-only.gguf").read_bytes())
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / place.replace("tokenizer.json", name)).write_bytes((DATA / "tiny-qwen2" / name).read_bytes())
    result = contracts("convert", source, tmp_path / "out.gguf", "--dtype", "Q8_0")
    assert result.code == 0, result.stdout + result.stderr
    assert f"{place}, for the source carries none" in " ".join(result.stdout.split())


def test_norms_that_hardly_vary_survive_another_half_precision(tmp_path: Path) -> None:
    """Rounding alone tilts the regression of 256 values around one; it is no change of scale."""
    result = contracts("convert", DATA / "tiny-llama", tmp_path / "bf16", "--dtype", "BF16")
    assert result.code == 0, result.stdout
    pair = check(tmp_path / "out", tmp_path / "bf16", "--against", DATA / "tiny-llama", "--dtype", "BF16")
    assert pair.gates("Falsified") == set()
    assert pair.gate("F-CONTRACT-I4-002")["compared"] > 2_000_000
