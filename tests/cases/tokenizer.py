"""Broken tokenizers, seen in one artifact alone: missing, doubled, dangling, out of range."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from cases.gates import (
    END_OF_SEQUENCE,
    FORMAT,
    GENERATION,
    LAYOUT,
    MARKED,
    MERGES,
    ONE_TEMPLATE,
    SAME_PIECES,
    SPECIAL_IDS,
    TOKENIZER,
    VOCABULARY,
)
from cases.interface import QWEN2, QWEN2_Q4_K_M, Make, Variant, broken, seen
from cases.makers import apr, config, directory, document, gguf
from support.gguf_models import GgufModel
from support.mutations import json_of

SENTENCEPIECE = QWEN2.parent / "tokenizers" / "sentencepiece" / "tokenizer.model"
TOKENS = "tokenizer.ggml.tokens"


def _tokenizer(edit: Any) -> Make:
    return document(QWEN2, "tokenizer.json", edit)


def _weights_only(model: GgufModel) -> None:
    for name in [name for name in model.keys if name.startswith("tokenizer.")]:
        del model[name]


def _token_twice(model: GgufModel) -> None:
    model[TOKENS][700] = model[TOKENS][600]


def _one_more_token(model: GgufModel) -> None:
    model[TOKENS].append("<|one_more|>")
    model["tokenizer.ggml.token_type"].append(3)


def _no_merges(document: dict[str, Any]) -> None:
    document["model"]["merges"] = []


def _dangling_merge(document: dict[str, Any]) -> None:
    document["model"]["merges"][5] = ["q", "zzz"]


def _id_twice(document: dict[str, Any]) -> None:
    document["model"]["vocab"]["ian"] = document["model"]["vocab"]["ier"]


def _added_beyond(document: dict[str, Any]) -> None:
    document["added_tokens"].append({**document["added_tokens"][0], "id": 2000, "content": "<|beyond|>"})


def _key(name: str, value: Any) -> Make:
    return gguf(QWEN2_Q4_K_M, lambda model: model.__setitem__(name, value))


def _without_file(target: Path) -> None:
    (target / "tokenizer.json").unlink()


def _cut_template(target: Path) -> None:
    """As an upload that ended early leaves it."""
    file = target / "chat_template.jinja"
    text = file.read_text("utf-8")
    file.write_text(text[: text.rindex("{{") + 5], "utf-8")


def _named_templates(target: Path) -> None:
    """A template for tools beside the plain one, and another under its name in tokenizer_config.json."""
    (target / "additional_chat_templates").mkdir()
    (target / "additional_chat_templates" / "tool_use.jinja").write_text("{{ tools }}", "utf-8")
    with json_of(target / "tokenizer_config.json") as config:
        plain = (target / "chat_template.jinja").read_text("utf-8")
        named = {"default": plain, "tool_use": "{{ messages }}"}
        config["chat_template"] = [{"name": name, "template": text} for name, text in named.items()]


VARIANTS: tuple[Variant, ...] = (
    broken(
        "a-weights-only-gguf",
        gguf(QWEN2_Q4_K_M, _weights_only),
        seen(TOKENIZER, "tokenizer_present", expected="tokenizer.ggml.tokens in the file", observed=None),
    ),
    broken(
        "a-directory-without-its-tokenizer",
        directory(QWEN2, _without_file),
        seen(TOKENIZER, "tokenizer_present", expected="tokenizer.json beside the weights", observed=None),
    ),
    broken(
        "f12-gguf-token-twice",
        gguf(QWEN2_Q4_K_M, _token_twice),
        seen(VOCABULARY, "token_unique", token=700),
        seen(MERGES, "merge_rebuilds_token"),
    ),
    broken(
        "f12-id-twice",
        _tokenizer(_id_twice),
        seen(VOCABULARY, "token_unique", token=1998),
    ),
    broken(
        "f16-one-token-more-than-rows",
        gguf(QWEN2_Q4_K_M, _one_more_token),
        seen(LAYOUT, "shape", tensor="token_embd.weight", expected=[2001, 256], observed=[2000, 256]),
        seen(VOCABULARY, "embedding_rows", tensor="token_embd.weight", expected="at least 2,001 rows", observed=2000),
    ),
    broken(
        "f16-added-token-beyond-the-embedding",
        _tokenizer(_added_beyond),
        seen(VOCABULARY, "embedding_rows", expected="at least 2,001 rows", observed=2000),
    ),
    broken(
        "merges-all-dropped",
        _tokenizer(_no_merges),
        seen(MERGES, "merges_present", file="tokenizer.json", observed=None),
    ),
    broken(
        "a-merge-that-makes-no-token",
        _tokenizer(_dangling_merge),
        seen(MERGES, "merge_rebuilds_token", key="merges[5]"),
    ),
    broken(
        "f15-gguf-end-of-sequence-out-of-range",
        _key("tokenizer.ggml.eos_token_id", 2000),
        seen(SPECIAL_IDS, "eos_token_id", key="tokenizer.ggml.eos_token_id", observed=2000),
    ),
    broken(
        "f15-ends-of-sequence-disagree",
        config(QWEN2, eos_token_id=1),
        seen(END_OF_SEQUENCE, "eos_token_id", file="config.json", expected=[2], observed=[1]),
        exit_code=0,
    ),
    broken(
        "f15-apr-end-of-sequence-out-of-range",
        apr(QWEN2, lambda model: model.metadata.update({"tokenizer.eos_token_id": 151645})),
        seen(SPECIAL_IDS, "eos_token_id", key="tokenizer.eos_token_id", observed=151645),
    ),
    broken(
        "an-end-of-sequence-that-the-vocabulary-does-not-hold",
        document(QWEN2, "tokenizer_config.json", lambda value: value.update(eos_token="<|gone|>")),
        seen(SPECIAL_IDS, "eos_token", file="tokenizer_config.json", observed=2000, words="'<|gone|>'"),
    ),
    broken(
        "turn-markers-typed-normal",
        gguf(QWEN2_Q4_K_M, lambda model: model["tokenizer.ggml.token_type"].__setitem__(1, 1)),
        seen(MARKED, "special_token_type", token=1, observed="NORMAL", words="written by the chat template"),
    ),
    broken(
        "generation-without-an-end",
        document(QWEN2, "generation_config.json", lambda value: value.pop("eos_token_id")),
        seen(GENERATION, "eos_token_id", file="generation_config.json", expected=[2], observed=None),
    ),
    broken(
        "generation-with-an-empty-list-of-ends",
        document(QWEN2, "generation_config.json", lambda value: value.update(eos_token_id=[])),
        seen(GENERATION, "eos_token_id", file="generation_config.json", expected=[2], observed=None),
    ),
    broken(
        "two-templates-in-two-homes",
        document(QWEN2, "tokenizer_config.json", lambda value: value.update(chat_template="{{ 1 }}")),
        seen(ONE_TEMPLATE, "chat_template", file="tokenizer_config.json", words="different templates"),
    ),
    broken(
        "two-named-templates-in-two-homes",
        directory(QWEN2, _named_templates),
        seen(ONE_TEMPLATE, "chat_template", file="tokenizer_config.json", key="tool_use"),
    ),
    broken(
        "sentencepiece-model-of-another-tokenizer",
        directory(QWEN2, lambda target: shutil.copy(SENTENCEPIECE, target) and None),
        seen(SAME_PIECES, "pieces", file="tokenizer.model", words="another tokenizer's"),
    ),
    broken(
        "template-cut-in-the-middle-of-a-tag",
        directory(QWEN2, _cut_template),
        seen(ONE_TEMPLATE, "template_whole", file="chat_template.jinja", observed="{{ has no counterpart"),
    ),
    broken(
        "tokenizer-not-json",
        directory(QWEN2, lambda target: (target / "tokenizer.json").write_text("{", "utf-8") and None),
        seen(FORMAT, "tokenizer_json", file="tokenizer.json"),
        seen(TOKENIZER, "tokenizer_present", observed=None),
    ),
)
