"""What a conversion refuses, in one line, and that the target and the source are then as they were."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from model_contracts.converters import quantise
from model_contracts.converters.interface import ConversionRefused
from model_contracts.definitions import load_families
from support.converting import convert, decided
from support.gguf_models import gguf_of
from support.made_pairs import MadePair
from support.mutations import copied, json_of, safetensors_of, stored
from support.shared_models import DATA

QWEN2 = DATA / "tiny-qwen2"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return copied(QWEN2, tmp_path)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def put(source: Path, value: float) -> None:
    """One value of one matrix."""
    with safetensors_of(source / "model.safetensors") as tensors:
        name = "model.layers.1.mlp.up_proj.weight"
        values = tensors[name].values.copy()
        values[3, 5] = value
        tensors[name] = stored(values, "BF16")


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("NaN", r"config\.json: expected a number that a 64-bit float holds, found NaN at rope_theta"),
        ("1e400", r"config\.json: expected a number .*, found a greater one at rope_theta"),
        ("9" * 5000, r"config\.json: expected a number .*, found a greater one at rope_theta"),
        ("-1", r"^config\.json · rope_theta: GGUF holds a positive number of 32 bits, not -1"),
        ("1e300", r"^config\.json · rope_theta: GGUF holds a positive number of 32 bits, not 1e\+300"),
    ],
    ids=["NaN", "1e400", "many-digits", "negative", "huge"],
)
def test_a_hostile_number_is_told_by_file_and_key(number: str, said: str, source: Path, tmp_path: Path) -> None:
    with json_of(source / "config.json") as config:
        config["rope_theta"] = "@"
    path = source / "config.json"
    path.write_text(path.read_text("utf-8").replace('"@"', number), "utf-8")
    with pytest.raises(ConversionRefused, match=said):
        convert(source, tmp_path / "m.gguf")
    assert names(tmp_path) == {"tiny-qwen2"}


def test_a_folder_without_configuration_is_told_so(source: Path, tmp_path: Path) -> None:
    (source / "config.json").unlink()
    with pytest.raises(ConversionRefused, match=r"there is no config\.json beside the weights"):
        convert(source, tmp_path / "m.gguf")


@pytest.mark.parametrize("dtype", ["BF16", "F32"])
def test_f16_refuses_what_it_cannot_hold_by_tensor_and_value(dtype: str, source: Path, tmp_path: Path) -> None:
    put(source, -70144.0)
    if dtype == "F32":
        with safetensors_of(source / "model.safetensors") as tensors:
            tensors |= {name: tensor.cast("F32") for name, tensor in tensors.items()}
    with pytest.raises(ConversionRefused, match=r"blk\.1\.ffn_up\.weight: -70144 is beyond F16's largest .*65504"):
        convert(source, tmp_path / "m.gguf", dtype="F16")
    assert names(tmp_path) == {"tiny-qwen2"}


def test_f16_writes_infinity_where_that_is_allowed_and_its_check_says_what_it_is(source: Path, tmp_path: Path) -> None:
    put(source, 70144.0)
    done = convert(source, tmp_path / "m.gguf", dtype="F16", allow_overflow=True)
    assert done.written.notes == (
        "blk.1.ffn_up.weight: 1 values beyond 65504 were written as infinity, as was allowed",
    )
    assert decided(done)[0] == "falsified"


@pytest.mark.parametrize("value", [65280.0, -65280.0])
def test_f16_takes_the_largest_bf16_that_it_holds(value: float, source: Path, tmp_path: Path) -> None:
    put(source, value)
    assert convert(source, tmp_path / "m.gguf", dtype="F16", check=False).target == tmp_path / "m.gguf"


def test_an_existing_target_stays_unless_it_is_forced(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "m.gguf"
    target.write_bytes(b"before")
    with pytest.raises(ConversionRefused, match="it exists already; --force"):
        convert(source, target)
    assert target.read_bytes() == b"before"
    assert decided(convert(source, target, force=True)) == ("kept", ())


@pytest.mark.parametrize("place", [".", "model.safetensors", "sub"])
def test_a_source_is_never_written_over(place: str, source: Path) -> None:
    before = {path.name: path.read_bytes() for path in source.iterdir()}
    with pytest.raises(ConversionRefused, match="nothing is written over a source"):
        convert(source, source / place, force=True)
    assert {path.name: path.read_bytes() for path in source.iterdir()} == before


def test_a_folder_with_other_things_in_it_is_not_written_over(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "thesis.tex").write_text("years")
    with pytest.raises(ConversionRefused, match="not written over"):
        convert(source, target, force=True)
    assert names(target) == {"thesis.tex"}


def test_a_folder_of_a_model_is_written_over_whole(source: Path, tmp_path: Path) -> None:
    target = copied(DATA / "tiny-llama", tmp_path, "out")
    assert decided(convert(source, target, force=True)) == ("kept", ())
    assert names(target) == names(source)


def test_a_full_disk_leaves_nothing(source: Path, tmp_path: Path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(ConversionRefused, match=r"m\.apr: no space left on device"):
        convert(source, tmp_path / "m.apr")
    assert names(tmp_path) == {"tiny-qwen2"}


def test_a_folder_that_cannot_be_written_is_one_line(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ConversionRefused, match="no such file or directory"):
        convert(source, tmp_path / "absent" / "m.apr")


@pytest.mark.parametrize(
    ("target", "dtype", "said"),
    [
        ("out", "Q8_0", "safetensors is written as one of F32, F16, BF16"),
        ("m.apr", "Q8_0", "apr is written as one of F32, F16, BF16, Q4_K_S, Q4_K_M, Q6_K"),
        ("m.gguf", "IQ1_S", "gguf is written as one of F32"),
        ("m.gguf", "Q9_X", "--dtype Q9_X: expected one of"),
    ],
)
def test_a_label_that_a_format_has_not_is_refused_with_those_it_has(target, dtype, said, source, tmp_path) -> None:
    with pytest.raises(ConversionRefused, match=said):
        convert(source, tmp_path / target, dtype=dtype)


def test_k_quants_without_ggml_say_what_to_install(source: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    quantise.ggml.cache_clear()
    quantise._by_ggml.cache_clear()
    with pytest.raises(ConversionRefused, match=r"pip install 'model-contracts\[llamacpp\]'"):
        convert(source, tmp_path / "m.gguf", dtype="Q4_K_M")
    assert names(tmp_path) == {"tiny-qwen2"}


def test_a_directory_without_config_is_refused(source: Path, tmp_path: Path) -> None:
    (source / "config.json").unlink()
    with pytest.raises(ConversionRefused, match=r"no config\.json"):
        convert(source, tmp_path / "m.gguf")


def test_a_tokenizer_with_more_tokens_than_rows_is_refused(source: Path, tmp_path: Path) -> None:
    with json_of(source / "tokenizer.json") as tokenizer:
        tokenizer["added_tokens"].append({"id": 2000, "content": "<|more|>", "special": True})
    with pytest.raises(ConversionRefused, match=r"'<\|more\|>' the id 2,000, and the embedding has 2,000 rows"):
        convert(source, tmp_path / "m.gguf")


def test_a_pre_tokenizer_without_a_name_is_refused_for_gguf_and_kept_for_apr(source: Path, tmp_path: Path) -> None:
    with json_of(source / "tokenizer.json") as tokenizer:
        tokenizer["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = r"\p{N}{1,9}|\s+"
    with pytest.raises(ConversionRefused, match=r"llama\.cpp has no name"):
        convert(source, tmp_path / "m.gguf")
    assert decided(convert(source, tmp_path / "m.apr")) == ("kept", ())


def test_a_tensor_that_nothing_knows_is_refused_by_name_for_gguf(source: Path, tmp_path: Path) -> None:
    with safetensors_of(source / "model.safetensors") as tensors:
        tensors["model.layers.0.mlp.extra.weight"] = stored(np.ones((2, 4)), "BF16")
    with pytest.raises(ConversionRefused, match=r"model\.layers\.0\.mlp\.extra\.weight: no family"):
        convert(source, tmp_path / "m.gguf")


def test_rope_scaling_that_gguf_has_no_key_for_is_refused(source: Path, tmp_path: Path) -> None:
    with json_of(source / "config.json") as config:
        config["rope_parameters"] = {"rope_type": "longrope", "rope_theta": 1e6, "long_factor": [1.0]}
    with pytest.raises(ConversionRefused, match="rope scaling 'longrope' has no place in GGUF"):
        convert(source, tmp_path / "m.gguf")


def test_a_carried_config_that_disagrees_with_the_keys_is_not_taken(source: Path, tmp_path: Path) -> None:
    convert(source, tmp_path / "m.gguf")
    with gguf_of(tmp_path / "m.gguf") as model:
        model["qwen2.rope.freq_base"] = 10_000.0
    done = convert(tmp_path / "m.gguf", tmp_path / "out")
    assert "disagrees on rope_theta" in done.written.notes[0]
    assert json.loads((tmp_path / "out" / "config.json").read_text())["rope_theta"] == 10_000.0
    assert decided(done) == ("kept", ())


def test_a_file_that_ends_too_soon_is_refused(source: Path, tmp_path: Path) -> None:
    weights = source / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(ConversionRefused):
        convert(source, tmp_path / "m.gguf")
    assert names(tmp_path) == {"tiny-qwen2"}


def test_a_conversion_beyond_the_file_size_limit_leaves_nothing(source: Path, tmp_path: Path) -> None:
    program = (
        "import resource, sys; from pathlib import Path\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
        "from model_contracts.cli.main import main\n"
        "sys.exit(main(['convert', sys.argv[1], sys.argv[2]]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(source), str(tmp_path / "m.gguf")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (2, "contracts: m.gguf: file too large\n")
    assert names(tmp_path) == {"tiny-qwen2"}


def test_a_family_that_llama_cpp_has_no_word_for_is_refused_by_name(tmp_path: Path) -> None:
    (family,) = (family for family in load_families() if family.id == "families/opt")
    folder = MadePair(family).folder(tmp_path / "opt")
    (folder / "tokenizer.json").write_bytes((QWEN2 / "tokenizer.json").read_bytes())
    with pytest.raises(ConversionRefused, match=r"llama\.cpp has no word for OPT"):
        convert(folder, tmp_path / "opt.gguf")
    assert names(tmp_path) == {"opt"}
