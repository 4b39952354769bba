"""Each kind of tokenizer as GGUF keys, as llama.cpp's converter writes them, and back to the same tokenizer.json."""

from __future__ import annotations

import json
import shutil
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model_contracts.anatomy.view import View
from model_contracts.converters.apr_metadata import tokenizer_metadata
from model_contracts.converters.carried import carried_tokenizer
from model_contracts.converters.gather import documents_of, with_tokenizer
from model_contracts.converters.interface import ConversionRefused, Documents
from model_contracts.converters.tokenizer_keys import tokenizer_keys
from model_contracts.converters.tokenizer_rebuilt import arrays_of_tokenizer, rebuilt
from model_contracts.definitions import load_families
from model_contracts.formats.opening import open_artifact
from support.apr_models import AprModel
from support.gguf_models import GgufModel
from support.shared_models import SHARED, shared
from support.tokenizers import DATA, KIND_NAMES, seen

FAMILIES = SHARED / "families"
#: Flags that we declare where llama.cpp's converter leaves them to its readers, as those take them.
_SAID = {"tokenizer.ggml.add_bos_token": False, "tokenizer.ggml.add_eos_token": False}
_UNREAD = "nothing reads it of byte-level tokenizers"
_MATCHED_FIRST = "of added tokens, which are matched before scores decide"
_TYPES_LOST = "the converter loses the types of pieces that tokenizer.json adds"
#: What its converter writes of itself, or loses, by family and key.
_DIFFERENT: dict[str, dict[str, str]] = {
    "glm4": dict.fromkeys(("bos_token_id", "eot_token_id", "unknown_token_id"), "constants of the converter"),
    "glm4_moe": dict.fromkeys(
        ("bos_token_id", "eom_token_id", "eot_token_id", "unknown_token_id"), "constants of the converter"
    ),
    "nemotron": dict.fromkeys(("padding_token_id", "unknown_token_id"), "constants of the converter"),
    "ernie4_5": {"add_space_prefix": "tokenizer_config.json says null, which the converter takes for false"},
    "granitemoe": {"add_space_prefix": _UNREAD},
    "llama_bias": {"add_space_prefix": _UNREAD},
    "phi3": dict.fromkeys(("scores", "token_type"), _MATCHED_FIRST),
    "phi3_long": dict.fromkeys(("scores", "token_type"), _MATCHED_FIRST),
    "xlm_roberta": dict.fromkeys(("tokens", "token_type", "scores"), "the converter loses <mask>"),
    "gemma": {"token_type": _TYPES_LOST, "eot_token_id": "a constant of the converter"},
    "gemma2": {"token_type": _TYPES_LOST},
    "gemma3_spm": {"token_type": _TYPES_LOST},
}


def documents(folder: Path, config: dict[str, Any] | None = None) -> Documents:
    """What a folder says of its tokenizer; a folder of a tokenizer alone is given the configuration of one family."""
    artifact = open_artifact(folder)
    chosen = with_tokenizer(artifact if config is None else replace(artifact, config=config), None)
    return documents_of(View(chosen.artifact, load_families()), chosen, [])


def kind_folder(kind: str, folder: Path) -> Path:
    target = folder / kind
    shutil.copytree(DATA / kind, target)
    return target


def written(keys: dict[str, Any], path: Path) -> Path:
    """A GGUF of these keys and no tensor."""
    model = GgufModel({}, {})
    for key, value in {"general.architecture": "llama", **keys}.items():
        model[key] = list(value) if isinstance(value, bytes) else value
    return model.write(path)


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_the_keys_of_each_kind_are_those_that_llama_cpp_s_converter_writes(kind: str, tmp_path: Path) -> None:
    theirs = {
        key: value
        for key, value in open_artifact(DATA / f"{kind}.gguf").metadata.items()
        if key.startswith("tokenizer.")
    }
    rows = len(theirs["tokenizer.ggml.tokens"])
    ours = tokenizer_keys(
        documents(kind_folder(kind, tmp_path), {"type_vocab_size": 2} if kind == "wordpiece" else {}), rows
    )
    assert different(theirs, ours) <= {"tokenizer.ggml.pre"}  # the test's own word, which only byte-level is asked for


def different(theirs: dict[str, Any], ours: dict[str, Any]) -> set[str]:
    """Keys of the tokenizer whose values differ; scores as numbers of 32 bits."""
    found = set()
    for key in {*theirs, *(key for key in ours if key.startswith("tokenizer."))}:
        one, other = theirs.get(key, _SAID.get(key)), ours.get(key)
        if isinstance(other, bytes):
            other = list(other)
        if key.endswith("scores") and isinstance(one, list) and isinstance(other, list):
            one, other = ([struct.pack("<f", score) for score in scores] for scores in (one, other))
        if one != other:
            found.add(key)
    return found


def from_container(path: Path) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """The tokenizer.json that was carried in a file, and the one that its arrays alone make."""
    artifact = open_artifact(path)
    assert artifact.tokenizer is not None
    arrays = arrays_of_tokenizer(artifact.tokenizer)
    return carried_tokenizer(artifact.metadata, arrays), rebuilt(artifact, artifact.tokenizer)


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_what_is_written_of_each_kind_comes_back_as_it_was(kind: str, tmp_path: Path) -> None:
    folder = kind_folder(kind, tmp_path)
    keys = tokenizer_keys(documents(folder, {}), 600)
    carried, _ = from_container(written(keys, tmp_path / "x.gguf"))
    assert carried == json.loads((folder / "tokenizer.json").read_text("utf-8"))
    packed = json.loads(keys["model_contracts.huggingface.tokenizer"])
    assert not {"vocab", "merges"} & set(packed["model"])  # the arrays hold them once, or their scores do


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_apr_keeps_each_kind_as_it_was_and_a_check_sees_no_difference(kind: str, tmp_path: Path) -> None:
    folder = kind_folder(kind, tmp_path)
    metadata = {"architecture": "llama", **tokenizer_metadata(documents(folder, {}), 600)}
    path = AprModel(metadata).write(tmp_path / "x.apr")
    carried, alone = from_container(path)
    original = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    assert carried == original
    assert alone["model"]["type"] == original["model"]["type"]
    told = seen(open_artifact(path), open_artifact(folder))
    assert told and {gate: broken for gate, (broken, _) in told.items() if broken} == {}


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_a_check_sees_no_difference_in_what_is_written(kind: str, tmp_path: Path) -> None:
    folder = kind_folder(kind, tmp_path)
    path = written(tokenizer_keys(documents(folder, {}), 600), tmp_path / "x.gguf")
    told = seen(open_artifact(path), open_artifact(folder))
    assert told and {gate: broken for gate, (broken, _) in told.items() if broken} == {}


@pytest.mark.parametrize(
    ("kind", "key", "change", "gate"),
    [
        ("sentencepiece", "tokenizer.ggml.scores", lambda scores: scores.reverse(), "F-CONTRACT-I5-001"),
        ("sentencepiece", "tokenizer.ggml.token_type", lambda types: types.__setitem__(1, 1), "F-CONTRACT-I5-003"),
        ("unigram", "tokenizer.ggml.scores", lambda scores: scores.__setitem__(40, 0.5), "F-CONTRACT-I5-001"),
        ("wordpiece", "tokenizer.ggml.tokens", lambda tokens: tokens.__setitem__(60, "##x"), "F-CONTRACT-I5-001"),
    ],
)
def test_what_is_written_wrong_is_falsified(kind: str, key: str, change: Any, gate: str, tmp_path: Path) -> None:
    folder = kind_folder(kind, tmp_path)
    keys = tokenizer_keys(documents(folder, {}), 600)
    change(keys[key])
    told = seen(open_artifact(written(keys, tmp_path / "x.gguf")), open_artifact(folder))
    assert told[gate][0]


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_the_arrays_alone_make_a_tokenizer_json_that_gives_the_same_ids(kind: str, tmp_path: Path) -> None:
    engines = pytest.importorskip("tokenizers")
    from hypothesis import HealthCheck, given, settings

    from model_contracts.strategies.texts import texts, words

    _, document = from_container(DATA / f"{kind}.gguf")
    ours = engines.Tokenizer.from_str(json.dumps(document))
    theirs = engines.Tokenizer.from_file(str(DATA / kind / "tokenizer.json"))
    source = open_artifact(DATA / kind).tokenizer
    assert source is not None

    @settings(max_examples=300, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    @given(texts(words(source), ()))
    def same(text: str) -> None:
        # SentencePiece puts its space before every text, and Metaspace before one that begins with none.
        if kind != "sentencepiece" or not (text.startswith((" ", "\u2581")) or "<" in text):
            assert ours.encode(text).ids == theirs.encode(text).ids, text

    same()


def test_scores_are_made_of_merges_where_no_tokenizer_model_lies_there(tmp_path: Path) -> None:
    folder = kind_folder("sentencepiece", tmp_path)
    (folder / "tokenizer.model").unlink()
    keys = tokenizer_keys(documents(folder, {}), 480)
    document = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    tokens, scores = keys["tokenizer.ggml.tokens"], keys["tokenizer.ggml.scores"]
    place = {token: at for at, token in enumerate(tokens)}
    made = [scores[place["".join(pair)]] for pair in map(_pair, document["model"]["merges"])]
    assert made == sorted(made, reverse=True) and made[0] == 0.0
    _, back = from_container(written(keys, tmp_path / "x.gguf"))
    assert sorted(map(_pair, back["model"]["merges"])) == sorted(map(_pair, document["model"]["merges"]))


def _pair(merge: Any) -> tuple[str, str]:
    left, right = merge.split(" ") if isinstance(merge, str) else merge
    return left, right


def test_merges_that_no_scores_order_are_refused(tmp_path: Path) -> None:
    folder = kind_folder("sentencepiece", tmp_path)
    (folder / "tokenizer.model").unlink()
    edit(folder, lambda document: document["model"]["merges"].pop(3))
    with pytest.raises(ConversionRefused, match=r"no scores stand for its merges.*no merge lists them"):
        tokenizer_keys(documents(folder, {}), 480)


def test_a_tokenizer_model_of_other_pieces_is_refused(tmp_path: Path) -> None:
    folder = kind_folder("sentencepiece", tmp_path)

    def swap(document: dict[str, Any]) -> None:
        vocab = document["model"]["vocab"]
        names = list(vocab)
        vocab[names[300]], vocab[names[301]] = 301, 300

    edit(folder, swap)
    with pytest.raises(ConversionRefused, match=r"id 300 is .* in tokenizer.json and .* where its scores stand"):
        tokenizer_keys(documents(folder, {}), 480)


def edit(folder: Path, change: Any) -> None:
    path = folder / "tokenizer.json"
    document = json.loads(path.read_text("utf-8"))
    change(document)
    path.write_text(json.dumps(document), "utf-8")


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        ("wordpiece", {"normalizer": {"type": "NFKC"}}, "the normalizer NFKC of a wordpiece tokenizer"),
        ("unigram", {"normalizer": {"type": "Lowercase"}}, "the normalizer Lowercase of a unigram tokenizer"),
        ("wordpiece", {"model": {"max_input_chars_per_word": 20}}, "max_input_chars_per_word 20 of a wordpiece"),
        ("wordpiece", {"model": {"continuing_subword_prefix": "@@"}}, "continuing_subword_prefix '@@'"),
        ("sentencepiece", {"model": {"dropout": 0.1}}, "dropout 0.1 of a sentencepiece tokenizer"),
    ],
)
def test_what_gguf_has_no_place_for_is_refused_by_name(
    kind: str, change: dict[str, Any], said: str, tmp_path: Path
) -> None:
    folder = kind_folder(kind, tmp_path)

    def merge(document: dict[str, Any]) -> None:
        for key, value in change.items():
            document[key] = {**document[key], **value} if key == "model" else value

    edit(folder, merge)
    with pytest.raises(ConversionRefused, match=said):
        tokenizer_keys(documents(folder, {}), 600)


def test_every_chat_template_keeps_its_name(tmp_path: Path) -> None:
    folder = kind_folder("sentencepiece", tmp_path)
    (folder / "chat_template.jinja").write_text("plain", "utf-8")
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "tool_use.jinja").write_text("tools", "utf-8")
    told = documents(folder, {})
    keys = tokenizer_keys(told, 480)
    assert keys["tokenizer.chat_template"] == "plain" and keys["tokenizer.chat_template.tool_use"] == "tools"
    assert keys["tokenizer.chat_templates"] == ["tool_use"]
    assert told.tokenizer_config["chat_template"] == [
        {"name": "default", "template": "plain"},
        {"name": "tool_use", "template": "tools"},
    ]


@pytest.mark.parametrize(
    "name", sorted(path.stem for path in FAMILIES.glob("*.gguf") if path.with_suffix("").is_dir()) or [""]
)
def test_every_tokenizer_key_is_that_of_llama_cpp_s_converter_or_differs_for_a_reason(name: str) -> None:
    folder = shared(FAMILIES / name)
    stored = open_artifact(FAMILIES / f"{name}.gguf").metadata
    theirs = {key: value for key, value in stored.items() if key.startswith("tokenizer.")}
    config = json.loads((folder / "config.json").read_text("utf-8"))
    if "quantization_config" in config:
        pytest.skip("its folder holds quantised weights, which our converter does not read")
    told = documents(folder)
    told.pre = theirs["tokenizer.ggml.pre"]  # forced by who made the file: the vocabularies are made up
    ours = tokenizer_keys(told, len(theirs["tokenizer.ggml.tokens"]))
    reasons = _DIFFERENT.get(name, {})
    assert different(theirs, ours) == {f"tokenizer.ggml.{key}" for key in reasons}
