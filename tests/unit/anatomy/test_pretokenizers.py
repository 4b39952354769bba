"""Pre-tokenizers by llama.cpp's names: recognised by their expressions, and held to llama.cpp on made-up texts."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from model_contracts.anatomy.tokenizers.pretokenizers import cut_alike, cuts_of, name_of, named, patterns_of
from model_contracts.definitions import load_pretokenizers
from model_contracts.tokenization import PreTokenizer, PreTokenizers
from model_contracts.vocabulary import Tokenizer
from support.gguf_models import GgufModel
from support.mutations import Stored

ALL = load_pretokenizers().pretokenizers
BYTE_LEVEL = [one for one in ALL if one.byte_level]
#: How much the two are compared by; a text that shows a difference is usually one of the first hundred.
_TEXTS, _VOCABULARY = 250, 2_000
#: Digits of more than one alphabet in a run.
_DIGITS = ("01٣४", "0123٣४.", "12٣", "0123٣", "2301४ 10")
_SIGNS = "abcABCzZ'’sStTlLreé\u0301ñßſЖжПΩω中文한กा 0123٣४.,!?-_/$+<=>^~|`#([{\"  \t\n\r\u00a0\u3000\u2028\ufeff😀"


def split(regex: str, behavior: str = "Isolated", invert: bool = False) -> dict[str, Any]:
    return {"type": "Split", "pattern": {"Regex": regex}, "behavior": behavior, "invert": invert}


def level(use_regex: bool = False) -> dict[str, Any]:
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": use_regex}


def sequence(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Sequence", "pretokenizers": list(parts)}


def tokenizer(section: Any, whole: bool = False) -> Tokenizer:
    sections = {"pre_tokenizer": section, "model": {"type": "BPE", "ignore_merges": whole}}
    return Tokenizer(Path("tokenizer.json"), "BPE", ["a"], [], sections=sections)


@pytest.mark.parametrize("one", BYTE_LEVEL, ids=lambda one: one.names[0])
def test_each_way_of_cutting_is_recognised_in_a_tokenizer_json(one: PreTokenizer) -> None:
    expressions = load_pretokenizers().expressions
    for cuts in (one.cuts, *one.also):
        section = sequence(*(split(expressions[name]) for name in cuts), level())
        found = name_of(tokenizer(section, one.whole_words))
        assert found is not None and cut_alike(found, one.names[0])
        assert named(found).whole_words == one.whole_words  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("section", "name"),
    [
        (level(use_regex=True), "gpt-2"),
        ({"type": "ByteLevel"}, "gpt-2"),
        (sequence({"type": "Digits", "individual_digits": True}, level(use_regex=True)), "starcoder"),
        (
            sequence(sequence(sequence({"type": "Digits", "individual_digits": True})), level(use_regex=True)),
            "starcoder",
        ),
        (
            sequence(
                {"type": "Punctuation", "behavior": "Contiguous"},
                level(use_regex=True),
                {"type": "Digits", "individual_digits": False},
                split("[0-9][0-9][0-9]"),
            ),
            "falcon",
        ),
        (sequence(split(r"\p{N}{1,9}|\s+"), level()), None),
        (sequence({"type": "Whitespace"}, level()), None),
        (sequence({"type": "Metaspace"}), None),
        (None, None),
    ],
)
def test_parts_that_stand_for_an_expression_are_read_as_it(section: Any, name: str | None) -> None:
    assert name_of(tokenizer(section)) == name


def test_spellings_that_mean_the_same_are_one() -> None:
    usual = patterns_of(named("qwen2") or ALL[0])[0]
    other = usual.replace("(?i:'s|'t|'re|'ve|'m|'ll|'d)", "'(?i:[sdmt]|ll|ve|re)").replace("]?\\p{L}+", "]?+\\p{L}+")
    assert other != usual
    for section in (split(other), split(other, "Removed", True), split(other.replace("\\r\\n", "\r\n"))):
        assert name_of(tokenizer(sequence(section, level()))) == "qwen2"
    for behavior, invert in (("Removed", False), ("Isolated", True), ("MergedWithPrevious", False)):
        assert cuts_of(sequence(split(other, behavior, invert), level())) is None


def test_words_that_are_tokens_tell_two_names_apart() -> None:
    section = sequence(*(split(regex) for regex in patterns_of(named("dbrx") or ALL[0])), level())
    assert name_of(tokenizer(section, whole=True)) == "llama-bpe"
    assert name_of(tokenizer(section, whole=False)) == "dbrx"


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [("qwen2", "megrez", True), ("qwen2", "llama-bpe", False), ("qwen2", "no-such-cut", None), ("x", "x", True)],
)
def test_two_names_cut_alike_or_not_or_nobody_knows(one: str, other: str, alike: bool | None) -> None:
    assert cut_alike(one, other) is alike


def test_a_table_that_contradicts_itself_is_refused() -> None:
    table = {"id": "pretokenizers", "title": "x", "expressions": {"a": "a"}}
    with pytest.raises(ValueError, match="named twice: x"):
        PreTokenizers.model_validate(table | {"pretokenizers": [{"names": ["x"], "cuts": ["a"]}] * 2})
    with pytest.raises(ValueError, match="no such expressions: b"):
        PreTokenizers.model_validate(table | {"pretokenizers": [{"names": ["x"], "cuts": ["b"]}]})


def strings(seed: int, count: int) -> list[str]:
    """Short texts of letters, digits, signs and spaces that one way of cutting or another treats by themselves."""
    chosen = random.Random(seed)
    return ["".join(chosen.choices(_SIGNS, k=chosen.randint(2, 9))) for _ in range(count)]


@pytest.fixture(scope="module")
def vocabulary() -> dict[str, Any]:
    """A BPE that merges across all that could be cut, so that another cut is other ids."""
    library = pytest.importorskip("tokenizers", reason="the tokenizers library is not installed")
    corpus = strings(7, 4_000)
    engine = library.Tokenizer(library.models.BPE())
    engine.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    alphabet = library.pre_tokenizers.ByteLevel.alphabet()
    trainer = library.trainers.BpeTrainer(vocab_size=_VOCABULARY, initial_alphabet=alphabet, show_progress=False)
    engine.train_from_iterator(corpus, trainer)
    model: dict[str, Any] = json.loads(engine.to_str())["model"]
    return model


@pytest.fixture(scope="module")
def made_up() -> list[str]:
    from hypothesis import HealthCheck, Phase, given, settings

    from model_contracts.strategies.texts import texts

    found: list[str] = []

    @settings(
        max_examples=_TEXTS,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(texts((), ()))
    def make(text: str) -> None:
        found.append(text)

    make()
    # llama.cpp takes these for the end of a sequence wherever a vocabulary has them.
    return [text for text in (*found, *strings(8, _TEXTS), *_DIGITS) if "</s>" not in text]


def stored(model: dict[str, Any], name: str, path: Path) -> Path:
    """A Llama of one small layer with a vocabulary and the name of its pre-tokenizer."""
    file = GgufModel()
    values: dict[str, Any] = {
        "general.architecture": "llama",
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": name,
        "tokenizer.ggml.tokens": list(model["vocab"]),
        "tokenizer.ggml.token_type": [1] * len(model["vocab"]),
        "tokenizer.ggml.merges": [" ".join(pair) for pair in model["merges"]],
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.eos_token_id": 0,
        "tokenizer.ggml.add_bos_token": False,
    }
    sizes = ("block_count", "attention.head_count", "attention.head_count_kv")
    values |= {f"llama.{size}": 1 for size in sizes} | {
        f"llama.{size}": 32 for size in ("embedding_length", "context_length")
    }
    values |= {"llama.feed_forward_length": 32, "llama.rope.dimension_count": 32}
    for key, value in values.items():
        file[key] = value
    shapes: dict[str, tuple[int, ...]] = {"token_embd": (len(model["vocab"]), 32), "output_norm": (32,)}
    shapes |= {f"blk.0.{part}_norm": (32,) for part in ("attn", "ffn")}
    shapes |= {f"blk.0.attn_{part}": (32, 32) for part in ("q", "k", "v", "output")}
    shapes |= {f"blk.0.ffn_{part}": (32, 32) for part in ("gate", "up", "down")}
    for part, shape in shapes.items():
        size = 4 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        file.tensors[f"{part}.weight"] = Stored("F32", shape, bytes(size))
    return file.write(path)


def ids_of(model: dict[str, Any], one: PreTokenizer, texts: Sequence[str]) -> list[list[int]]:
    """The ids that the tokenizers library gives by the expressions of a way of cutting."""
    from tokenizers import Tokenizer as Engine

    parts = [*(split(regex) for regex in patterns_of(one)), level()]
    document = {"version": "1.0", "added_tokens": [], "pre_tokenizer": sequence(*parts)}
    document["model"] = {**model, "ignore_merges": one.whole_words}
    engine = Engine.from_str(json.dumps(document))
    return [encoding.ids for encoding in engine.encode_batch(list(texts))]


@pytest.mark.parametrize("one", BYTE_LEVEL, ids=lambda one: one.names[0])
def test_llama_cpp_cuts_under_each_name_as_its_expressions_do(
    one: PreTokenizer, vocabulary: dict[str, Any], made_up: list[str], tmp_path: Path
) -> None:
    pytest.importorskip("xllamacpp", reason="xllamacpp is not installed")
    from model_contracts.runtimes.llama_cpp.libllama import LlamaModel

    expected = ids_of(vocabulary, one, made_up)
    for name in one.names:
        model = LlamaModel(stored(vocabulary, name, tmp_path / "m.gguf"))
        found = [model.tokens(text, add_special=False) for text in made_up]
        other = [text for text, ours, theirs in zip(made_up, expected, found, strict=True) if ours != theirs]
        if one.apart is None:
            assert other == [], name
        else:  # where it is said to cut otherwise it does, and the rest alike
            assert 0 < len(other) < len(made_up) / 2, name
