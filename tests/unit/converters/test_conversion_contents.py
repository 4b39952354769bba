"""What a conversion writes: keys, types and rows by llama.cpp's and aprender's conventions, and rebuilt documents."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model_contracts.artifact import Tensor
from model_contracts.converters.types import Types
from model_contracts.definitions import load_recipes
from model_contracts.formats.opening import open_artifact
from support.apr_models import apr_of
from support.conversions import interleaved, tensors_of
from support.converting import CARRIED, assert_same_directory, convert, decided, needs_ggml, read_json
from support.gguf_models import gguf_of, read_gguf_model
from support.mutations import copied, json_of, safetensors_of, stored
from support.shared_models import APR_FILES, DATA, MODELS, needs_apr_files, needs_models

QWEN2, LLAMA = DATA / "tiny-qwen2", DATA / "tiny-llama"
#: What llama.cpp's converter writes of tiny-llama that has to be the same in ours.
SAME_KEYS = (
    "general.architecture", "general.file_type", "llama.block_count", "llama.context_length",
    "llama.embedding_length", "llama.feed_forward_length", "llama.attention.head_count",
    "llama.attention.head_count_kv", "llama.rope.freq_base", "llama.attention.layer_norm_rms_epsilon",
    "llama.attention.key_length", "llama.attention.value_length", "llama.vocab_size", "llama.rope.dimension_count",
    "tokenizer.ggml.model", "tokenizer.ggml.pre", "tokenizer.ggml.tokens", "tokenizer.ggml.token_type",
    "tokenizer.ggml.merges", "tokenizer.ggml.eos_token_id", "tokenizer.ggml.unknown_token_id",
    "tokenizer.ggml.padding_token_id", "tokenizer.chat_template",
)  # fmt: skip


def stripped(path: Path) -> Path:
    """A GGUF or .apr as another converter would have left it: without what ours carries."""
    if path.name.endswith(".gguf"):
        with gguf_of(path) as model:
            for key in [key for key in model.keys if key.startswith(CARRIED)]:
                del model[key]
    else:
        with apr_of(path) as apr:
            for key in [key for key in apr.metadata if key.startswith(CARRIED) or key == "hf_config"]:
                del apr.metadata[key]
    return path


@needs_models
def test_our_gguf_has_the_keys_and_bytes_of_llama_cpp_s_own(tmp_path: Path) -> None:
    convert(LLAMA, tmp_path / "m.gguf")
    ours, theirs = read_gguf_model(tmp_path / "m.gguf"), read_gguf_model(MODELS / "tiny-llama-f16.gguf")
    assert {key: ours[key] for key in SAME_KEYS} == {key: theirs[key] for key in SAME_KEYS}
    assert {key: ours.keys[key].code for key in SAME_KEYS} == {key: theirs.keys[key].code for key in SAME_KEYS}
    assert ours.tensors == theirs.tensors


@needs_models
@pytest.mark.parametrize("dtype", ["Q8_0", "Q4_K_M", "Q6_K", "Q5_K_M", "Q3_K_M", "Q2_K", "Q4_0", "IQ4_XS"])
def test_our_quantised_tensors_are_those_of_llama_quantize(dtype: str, tmp_path: Path) -> None:
    needs_ggml()
    convert(QWEN2, tmp_path / "m.gguf", dtype=dtype)
    ours, theirs = read_gguf_model(tmp_path / "m.gguf"), read_gguf_model(MODELS / f"tiny-qwen2-{dtype}.gguf")
    types = {name: (tensor.dtype, theirs.tensors[name].dtype) for name, tensor in ours.tensors.items()}
    assert {name: pair for name, pair in types.items() if pair[0] != pair[1]} == {}
    different = [name for name, tensor in ours.tensors.items() if tensor.data != theirs.tensors[name].data]
    assert different == []


def test_q_and_k_rows_are_interleaved_with_their_own_head_counts(tmp_path: Path) -> None:
    convert(LLAMA, tmp_path / "m.gguf")
    tensors, source = read_gguf_model(tmp_path / "m.gguf").tensors, tensors_of(LLAMA)
    for role, projection, heads in (("attn_q", "q_proj", 8), ("attn_k", "k_proj", 2)):
        expected = interleaved(source[f"model.layers.2.self_attn.{projection}.weight"].values, heads)
        assert np.array_equal(tensors[f"blk.2.{role}.weight"].values, expected)


def test_the_tied_head_is_an_entry_without_bytes_in_apr_and_absent_elsewhere(tmp_path: Path) -> None:
    for target in ("m.apr", "m.gguf", "out"):
        convert(QWEN2, tmp_path / target)
    apr = open_artifact(tmp_path / "m.apr")
    head = apr.tensors["lm_head.weight"]
    assert (head.placeholder, head.nbytes, head.dtype, head.shape) == (True, 0, "F32", (2000, 256))
    assert apr.metadata["tied_embeddings"] is True
    assert "output.weight" not in open_artifact(tmp_path / "m.gguf").tensors
    assert "lm_head.weight" not in open_artifact(tmp_path / "out").tensors


def test_apr_metadata_has_canonical_keys_only(tmp_path: Path) -> None:
    convert(LLAMA, tmp_path / "m.apr")
    metadata = open_artifact(tmp_path / "m.apr").metadata
    expected = {"hidden_size": 256, "num_layers": 3, "num_heads": 8, "num_kv_heads": 2, "rope_theta": 500000.0}
    assert {key: metadata[key] for key in expected} == expected
    assert not {"num_hidden_layers", "num_attention_heads", "n_vocab", "max_seq_len"} & metadata.keys()
    assert metadata["hf_config"] == read_json(LLAMA / "config.json")


@pytest.mark.parametrize("source", [QWEN2, LLAMA], ids=["qwen2", "llama"])
@pytest.mark.parametrize("middle", ["m.gguf", "m.apr"])
def test_documents_are_rebuilt_from_the_keys_alone(source: Path, middle: str, tmp_path: Path) -> None:
    convert(source, tmp_path / middle)
    done = convert(stripped(tmp_path / middle), tmp_path / "out")
    assert decided(done) == ("kept", ())
    assert any("put together from the arrays" in note for note in done.written.notes)
    ours, theirs = (read_json(folder / "tokenizer.json") for folder in (tmp_path / "out", source))
    for part in ("added_tokens", "normalizer"):
        assert ours[part] == theirs[part]
    assert ours["model"]["vocab"] == theirs["model"]["vocab"]
    assert ours["model"]["merges"] == theirs["model"]["merges"]
    config, published = read_json(tmp_path / "out" / "config.json"), read_json(source / "config.json")
    for key in ("architectures", "hidden_size", "num_key_value_heads", "rms_norm_eps", "tie_word_embeddings"):
        assert config[key] == published[key]
    assert config["rope_theta"] == published["rope_parameters"]["rope_theta"]


def with_llama3(folder: Path) -> Path:
    source = copied(LLAMA, folder)
    with json_of(source / "config.json") as config:
        scaling = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
        config["rope_parameters"] |= {**scaling, "original_max_position_embeddings": 8192}
    return source


def test_llama3_scaling_travels_as_factors_and_comes_back_without_the_config(tmp_path: Path) -> None:
    source = with_llama3(tmp_path)
    assert decided(convert(source, tmp_path / "m.gguf")) == ("kept", ())
    factors = read_gguf_model(tmp_path / "m.gguf").tensors["rope_freqs.weight"].values
    assert factors.shape == (16,)
    assert (factors[0], round(float(factors[-1]), 5)) == (1.0, 8.0)
    stripped(tmp_path / "m.gguf")
    for before, after in (("m.gguf", "m.apr"), ("m.apr", "again.gguf"), ("again.gguf", "out")):
        assert decided(convert(tmp_path / before, tmp_path / after)) == ("kept", ())
    scaling = read_json(tmp_path / "out" / "config.json")["rope_scaling"]
    assert (scaling["rope_type"], scaling["factor"]) == ("llama3", 8.0)


def test_llama3_scaling_in_a_published_config_survives_the_chain(tmp_path: Path) -> None:
    source = with_llama3(tmp_path)
    for before, after in ((source, "1.apr"), (tmp_path / "1.apr", "2.gguf"), (tmp_path / "2.gguf", "3")):
        assert decided(convert(before, tmp_path / after)) == ("kept", ())
    assert_same_directory(tmp_path / "3", source)


@pytest.mark.parametrize("kind", ["linear", "yarn"])
def test_scaling_by_key_survives_the_chain(kind: str, tmp_path: Path) -> None:
    source = copied(QWEN2, tmp_path)
    with json_of(source / "config.json") as config:
        config["rope_parameters"] |= {"rope_type": kind, "factor": 4.0, "original_max_position_embeddings": 512}
    assert decided(convert(source, tmp_path / "1.gguf")) == ("kept", ())
    assert read_gguf_model(tmp_path / "1.gguf")["qwen2.rope.scaling.original_context_length"] == 512
    for before, after in (("1.gguf", "2.apr"), ("2.apr", "3")):
        assert decided(convert(tmp_path / before, tmp_path / after)) == ("kept", ())
    assert_same_directory(tmp_path / "3", source)


def test_a_head_that_a_publisher_saved_beside_its_tied_embedding_survives(tmp_path: Path) -> None:
    source = copied(QWEN2, tmp_path)
    with safetensors_of(source / "model.safetensors") as tensors:
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
    for before, after in ((source, "1.apr"), (tmp_path / "1.apr", "2.gguf"), (tmp_path / "2.gguf", "3")):
        convert(before, tmp_path / after)
    assert_same_directory(tmp_path / "3", source)


@needs_apr_files
@pytest.mark.parametrize("target", ["m.gguf", "out"])
def test_a_file_of_apr_with_a_copied_head_and_k_quants_is_converted(target: str, tmp_path: Path) -> None:
    done = convert(APR_FILES / "q-Q4_K_M.apr", tmp_path / target)
    assert decided(done) == ("kept", ())
    expected = {"Q4_K": 24, "Q6_K": 5, "F32": 21} if target == "m.gguf" else {"F32": 50}
    assert dict(done.written.types) == expected


@needs_models
@pytest.mark.parametrize("name", ["tiny-qwen2-IQ4_XS.gguf", "tiny-qwen2-Q4_0.gguf", "tiny-qwen2-Q4_K_M.gguf"])
@pytest.mark.parametrize("target", ["m.apr", "out"])
def test_block_types_without_a_place_in_the_target_are_all_decoded_and_said(name, target, tmp_path: Path) -> None:
    done = convert(MODELS / name, tmp_path / target)
    assert decided(done) == ("kept", ())
    held = {"Q4_K": 24, "Q6_K": 5, "F32": 21} if (name, target) == ("tiny-qwen2-Q4_K_M.gguf", "m.apr") else {"F32": 50}
    assert dict(done.written.types) == held
    assert any("decoded to F32" in note for note in done.written.notes) == (len(held) == 1)


def test_matrices_beside_block_types_that_a_folder_does_not_hold_get_the_one_type_that_its_config_names(
    tmp_path: Path,
) -> None:
    """Lossless: half-width ones are widened as the blocks are decoded, and config.json is right of all of them."""
    convert(QWEN2, tmp_path / "1.gguf")
    model = read_gguf_model(tmp_path / "1.gguf")
    for name in [name for name in model.tensors if "ffn_down" in name]:
        model.tensors[name] = model.tensors[name].cast("Q8_0")
    done = convert(model.write(tmp_path / "2.gguf"), tmp_path / "3")
    assert decided(done) == ("kept", ())
    assert set(dict(done.written.types)) == {"F32"}
    assert any("BF16" in note and "decoded to F32" in note for note in done.written.notes)


@pytest.mark.parametrize("target", ["m.gguf", "m.apr"])
def test_an_architecture_without_a_family_is_written_and_not_proven(target: str, tmp_path: Path) -> None:
    source = copied(QWEN2, tmp_path)
    with json_of(source / "config.json") as config:
        config |= {"architectures": ["ChameleonForCausalLM"], "model_type": "chameleon"}
    done = convert(source, tmp_path / target)
    word, gates = decided(done)
    assert word == "not proven"
    assert "G0-TENSOR-001" in gates
    assert [o.gate_id for o in done.evidence if o.outcome.value == "Falsified"] == []


@needs_apr_files
def test_rows_in_gguf_order_inside_apr_are_known_by_their_names(tmp_path: Path) -> None:
    assert decided(convert(APR_FILES / "imp-q4k.apr", tmp_path / "m.apr", tokenizer=QWEN2)) == ("kept", ())
    assert "model.layers.0.self_attn.q_proj.weight" in open_artifact(tmp_path / "m.apr").tensors


def test_rows_of_no_whole_number_of_blocks_fall_back_and_are_said() -> None:
    types = Types.asked("Q4_K_M", "gguf", load_recipes(), 4, tied=False)
    tensor = Tensor("w", "BF16", (64, 96), Path("m"), 0, 64 * 96 * 2)
    assert types.of(tensor, "blk.1.attn_q.weight") == "Q5_0"
    assert types.conclude() == ("1 tensors are Q5_0: their rows are no whole number of Q4_K blocks",)


def test_quantised_rows_of_apr_are_padded_one_by_one(tmp_path: Path) -> None:
    needs_ggml()
    source = narrow(tmp_path)
    done = convert(source, tmp_path / "m.apr", dtype="Q4_K_M")
    assert decided(done) == ("kept", ())
    tensor = open_artifact(tmp_path / "m.apr").tensors["model.layers.0.mlp.down_proj.weight"]
    assert (tensor.shape, tensor.dtype, tensor.row_bytes) == ((256, 480), "Q4_K", 288)
    again = convert(tmp_path / "m.apr", tmp_path / "again.gguf", dtype="Q8_0")
    assert decided(again) == ("kept", ())


def narrow(folder: Path) -> Path:
    """tiny-qwen2 with an MLP of 480, which K-quants do not divide."""
    source = copied(QWEN2, folder)
    with safetensors_of(source / "model.safetensors") as tensors:
        for name, tensor in list(tensors.items()):
            if "mlp.down" in name:
                tensors[name] = stored(tensor.values[:, :480], "BF16")
            elif "mlp." in name:
                tensors[name] = stored(tensor.values[:480], "BF16")
    with json_of(source / "config.json") as config:
        config["intermediate_size"] = 480
    return source


def test_fallbacks_in_gguf_keep_the_label_s_promise(tmp_path: Path) -> None:
    needs_ggml()
    done = convert(narrow(tmp_path), tmp_path / "m.gguf", dtype="Q4_K_M")
    assert decided(done) == ("kept", ())
    assert any("no whole number of Q4_K blocks" in note for note in done.written.notes)
