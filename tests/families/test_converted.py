"""Our GGUF of each folder of ../shared/families is llama.cpp's, tensor by tensor and key by key; so is the way back."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_contracts.converters import builtin
from model_contracts.converters.interface import ConversionRefused
from model_contracts.engine.plan import CheckRequest
from model_contracts.engine.run import check
from model_contracts.formats.opening import open_artifact
from support.converting import convert, decided
from support.family_files import FOLDER, safetensors_values

NAMES = sorted(
    path.parent.name for path in FOLDER.glob("*/config.json") if (FOLDER / f"{path.parent.name}.gguf").is_file()
)
#: Folders of which no GGUF is written as llama.cpp's converter does, and why.
NOT_WRITTEN = {
    "gpt_oss": "its experts are packed (MXFP4): ours are unpacked, llama.cpp's stay packed",
}
WRITTEN = [name for name in NAMES if name not in NOT_WRITTEN]
#: Folders whose GGUF is not made a folder again, and what is said of it.
NOT_BACK = {"bitnet": "nothing undoes ternarise"}
#: Folders that llama.cpp computes otherwise, whatever a GGUF says and carries along: what is declared is not proven.
OTHERWISE = {"mistral_window", "bitnet", "gpt_oss", "llama4_text"}
KEPT, UNPROVEN = ("kept", ()), ("not proven", ("F-CONTRACT-I3-005",))
#: Names of older files, which are written as today's class has them.
RENAMED = {"inner_attn_ln": "attn_sub_norm", "ffn_layernorm": "ffn_sub_norm"}
#: Keys on which the two GGUF files differ (ours has it, theirs has it, or both with other values), where, and why.
DIFFERENCES = (
    ("general.name", "*", "a name for people: ours is that of the file"),
    ("general.size_label", "*", "a word for people, which no reader asks for"),
    ("general.quantization_version", "*", "no tensor is quantised"),
    ("general.file_type", "gpt_neox mpt", "what most tensors are: these classes of theirs forget it"),
    ("model_contracts.*", "*", "what GGUF has no key for, carried for the way back"),
    ("*.rope.freq_base", "falcon_* gemma gemma2 gpt_neox phi stablelm", "declared by the folder: theirs loses it"),
    ("llama.attention.sliding_window", "mistral_window", "declared by the folder: theirs loses it"),
    ("llama.attention.*_length", "mixtral", "what readers assume without it, said"),
    ("deepseek2.expert_gating_func", "deepseek_v3", "the sigmoid of its class: silence is softmax to readers"),
    ("mamba2.ssm.dt_b_c_rms", "mamba2", "that it has no such norms, said"),
    ("falcon.tensor_data_layout", "falcon_*", "no reader of llama.cpp asks for it"),
    ("bitnet.rope.scaling.*", "bitnet", "linear scaling by 1, which scales nothing"),
    ("t5.attention.layer_norm_epsilon", "t5", "its reader asks for that of RMSNorm, which both have"),
    ("tokenizer.ggml.add_*os_token", "*", "no token is put before or behind a text: ours says so"),
    ("tokenizer.ggml.add_space_prefix", "ernie4_5 granitemoe llama_bias", "no reader of these tokenizers asks for it"),
    ("tokenizer.ggml.eo[mt]_token_id", "gemma glm4*", "llama.cpp knows these tokens by their text"),
    ("tokenizer.ggml.bos_token_id", "glm4*", "the folder names none"),
    ("tokenizer.ggml.unknown_token_id", "glm4* nemotron", "the folder names none, or another"),
    ("tokenizer.ggml.padding_token_id", "nemotron", "the folder names none"),
    ("tokenizer.ggml.pre", "bert nomic_bert", "WordPiece is cut in one way whatever the name"),
    ("tokenizer.ggml.pre", "llama32 llama4_text", "theirs was told a name; this one merges within words"),
    ("tokenizer.ggml.token_type", "gemma* phi3*", "tokenizer.json says which are special: theirs does not ask"),
    ("tokenizer.ggml.scores", "phi3*", "of added tokens, which are found whole"),
    ("tokenizer.ggml.token*", "xlm_roberta", "theirs loses <mask>: its row becomes padding"),
    ("tokenizer.ggml.scores", "xlm_roberta", "theirs loses <mask>"),
)  # fmt: skip
#: Tensors that the way back does not give as the folder has them, where, and why.
LOST = (
    ("pooler.*", "bert roberta xlm_roberta", "llama.cpp has no place for it"),
    ("embeddings.position_embeddings.weight", "roberta xlm_roberta", "cut rows are lost: the GGUF is that of a BERT"),
    ("lm_head.weight", "*", "a tied head is written once"),
)

#: What is changed by a step that rounds, on the way there as on the way back: equal as nearly as F32 allows.
ROUNDED = "*A_log"

needs_families = pytest.mark.skipif(not NAMES, reason="no folder ../shared/families beside the repository")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the conversions of this module lie, each made once."""
    return tmp_path_factory.mktemp("converted")


def written(name: str, folder: Path) -> Path:
    """Our GGUF of a folder."""
    target = folder / f"{name}.gguf"
    if not target.exists():
        builtin.convert(open_artifact(FOLDER / name), folder, target)
    return target


@cache
def reader(path: Path) -> Any:
    """A GGUF as the reference package reads it."""
    return pytest.importorskip("gguf").GGUFReader(path)


def explained(key: str, name: str, reasons: tuple[tuple[str, str, str], ...]) -> bool:
    """Whether a difference stands in a list."""
    said = ((pattern, where.split()) for pattern, where, _ in reasons)
    return any(fnmatchcase(key, pattern) and any(fnmatchcase(name, one) for one in where) for pattern, where in said)


@needs_families
@pytest.mark.parametrize("name", WRITTEN)
def test_each_tensor_is_that_of_llama_cpp_s_own_file(name: str, folder: Path) -> None:
    """Names, shapes, types and bytes."""
    ours, theirs = (
        {one.name: (one.tensor_type.name, one.shape.tolist(), one.data.tobytes()) for one in reader(path).tensors}
        for path in (written(name, folder), FOLDER / f"{name}.gguf")
    )
    assert ours.keys() == theirs.keys()
    assert {one: (ours[one][:2], theirs[one][:2]) for one in ours if ours[one][:2] != theirs[one][:2]} == {}
    assert [one for one in ours if ours[one] != theirs[one]] == []


@needs_families
@pytest.mark.parametrize("name", WRITTEN)
def test_each_key_is_that_of_llama_cpp_s_own_file(name: str, folder: Path) -> None:
    """Types and values, but for the list of differences."""
    ours, theirs = (
        {key: ([kind.name for kind in field.types], field.contents()) for key, field in reader(path).fields.items()}
        for path in (written(name, folder), FOLDER / f"{name}.gguf")
    )
    keys = [key for key in ours.keys() | theirs.keys() if not key.startswith("GGUF.")]
    different = {key: (ours.get(key), theirs.get(key)) for key in keys if ours.get(key) != theirs.get(key)}
    assert {key: both for key, both in different.items() if not explained(key, name, DIFFERENCES)} == {}


@needs_families
def test_no_difference_is_listed_that_is_none(folder: Path) -> None:
    """Each line of the list has a file that it is about."""
    found = set()
    for name in WRITTEN:
        ours, theirs = (
            {key: field.contents() for key, field in reader(path).fields.items()}
            for path in (written(name, folder), FOLDER / f"{name}.gguf")
        )
        found |= {(key, name) for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)}
    idle = [line for line in DIFFERENCES if not any(explained(key, name, (line,)) for key, name in found)]
    assert idle == []


@needs_families
@pytest.mark.parametrize("name", WRITTEN)
def test_our_gguf_is_kept_against_its_folder(name: str, folder: Path) -> None:
    """By the default contract, as a person checks it."""
    _, run = check(CheckRequest(paths=(written(name, folder),), against=FOLDER / name))
    found = (run.decision.word, run.decision.decided_by if run.decision.exit_code else ())
    assert found == (UNPROVEN if name in OTHERWISE else KEPT)


@needs_families
@pytest.mark.parametrize("name", [name for name in WRITTEN if name not in NOT_BACK])
def test_llama_cpp_s_own_gguf_goes_back_to_the_tensors_of_the_folder(name: str, tmp_path: Path) -> None:
    """Bit for bit, F32 rounded to the BF16 that the folder has."""
    torch = pytest.importorskip("torch")
    convert(FOLDER / f"{name}.gguf", tmp_path / "back", tokenizer=FOLDER / name, check=False)
    ours, theirs = safetensors_values(tmp_path / "back"), safetensors_values(FOLDER / name)
    if not any(one in ours for one in theirs):  # a GPT-2 of old, saved without the prefix of its names
        ours = {one.removeprefix("transformer."): values for one, values in ours.items()}
    there = {one for one in ours.keys() | theirs.keys() if not explained(one, name, LOST)}
    assert {one for one in there if one not in ours or one not in theirs} == set()
    rounded = {one: torch.from_numpy(ours[one]).bfloat16().float().numpy() for one in there}
    assert [one for one in sorted(there) if not np.array_equal(rounded[one], theirs[one])] == []


@needs_families
@pytest.mark.parametrize("through", ["gguf", "apr"])
@pytest.mark.parametrize("name", WRITTEN)
def test_there_and_back_is_kept_on_both_ways(name: str, through: str, tmp_path: Path) -> None:
    """Our own check holds what is written, and what comes back has the bytes of the folder."""
    there = convert(FOLDER / name, tmp_path / f"m.{through}")
    assert decided(there) == (UNPROVEN if through == "gguf" and name in OTHERWISE else KEPT)
    if through == "gguf" and name in NOT_BACK:
        with pytest.raises(ConversionRefused, match=NOT_BACK[name]):
            convert(tmp_path / "m.gguf", tmp_path / "back")
        return
    back = convert(tmp_path / f"m.{through}", tmp_path / "back")
    assert decided(back) == KEPT
    ours, theirs = safetensors_values(tmp_path / "back"), safetensors_values(FOLDER / name)
    if not any(one in ours for one in theirs):
        ours = {one.removeprefix("transformer."): values for one, values in ours.items()}
    for old, new in RENAMED.items():
        theirs = {one.replace(f".{old}.", f".{new}."): values for one, values in theirs.items()}
    kept = [one for one in theirs if through == "apr" or not explained(one, name, LOST)]
    assert [one for one in kept if one not in ours] == []
    rounded = [one for one in kept if through == "gguf" and fnmatchcase(one, ROUNDED)]
    assert [one for one in kept if one not in rounded and not np.array_equal(ours[one], theirs[one])] == []
    assert [one for one in rounded if not np.allclose(ours[one], theirs[one], rtol=1e-6, atol=1e-6)] == []


@pytest.mark.skipif("gpt_oss" not in NAMES, reason="no folder ../shared/families/gpt_oss")
@pytest.mark.parametrize("through", ["gguf", "apr", ""])
def test_packed_experts_come_back_as_transformers_unpacks_them(through: str, tmp_path: Path) -> None:
    """Through a GGUF, an .apr and a folder, and out of llama.cpp's own file, which keeps them packed."""
    unpack = pytest.importorskip("transformers.integrations.mxfp4").convert_moe_packed_tensors
    there = tmp_path / (f"m.{through}" if through else "m")
    made = [convert(FOLDER / "gpt_oss", there), convert(there, tmp_path / "back")]
    made.append(convert(FOLDER / "gpt_oss.gguf", tmp_path / "theirs", tokenizer=FOLDER / "gpt_oss"))
    assert [decided(one) for one in made] == [UNPROVEN if through == "gguf" else KEPT, KEPT, KEPT]
    stored = pytest.importorskip("safetensors.torch").load_file(FOLDER / "gpt_oss" / "model.safetensors")
    ours, theirs = safetensors_values(tmp_path / "back"), safetensors_values(tmp_path / "theirs")
    experts = [one.removesuffix("_blocks") for one in stored if one.endswith("_blocks")]
    assert len(experts) == 4
    for name in experts:
        values = unpack(stored[f"{name}_blocks"], stored[f"{name}_scales"]).float().numpy()
        assert np.array_equal(ours[name], values)
        assert np.array_equal(theirs[name], values)


@pytest.mark.skipif("gpt_oss" not in NAMES, reason="no folder ../shared/families/gpt_oss")
def test_llama_cpp_s_own_gguf_of_packed_experts_lacks_one_setting_alone() -> None:
    """It has no key for YaRN's `truncate`; every tensor is compared, and holds."""
    _, run = check(CheckRequest(paths=(FOLDER / "gpt_oss.gguf",), against=FOLDER / "gpt_oss"))
    assert (run.decision.word, run.decision.decided_by) == ("not proven", ("F-CONTRACT-I3-005",))
