"""Conversions whose tokenizer is another than their source's, token by token, merge by merge, flag by flag."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cases.gates import (
    DECLARED,
    MARKED,
    MERGES,
    SAME_FLAGS,
    SAME_MERGES,
    SAME_TEMPLATE,
    SAME_TOKENS,
    TOKENIZER,
    VOCABULARY,
)
from cases.interface import LLAMA, LLAMA_Q8_0, QWEN2, QWEN2_Q4_K_M, CheckArguments, Make, Variant, broken, seen
from cases.makers import apr, directory, document, gguf
from support.conversions import to_gguf
from support.gguf_models import GgufModel
from support.mutations import copied, json_of

TOKENS, TYPES, MERGED, PRE, TEMPLATE = (
    f"tokenizer.{name}" for name in ("ggml.tokens", "ggml.token_type", "ggml.merges", "ggml.pre", "chat_template")
)
_TOOLS = "{% if tools %}{{ tools | tojson }}{% endif %}"


def _qwen2(edit: Callable[[GgufModel], Any]) -> Make:
    return gguf(QWEN2_Q4_K_M, edit, QWEN2)


def _swapped(key: str, a: int, b: int) -> Callable[[GgufModel], None]:
    def edit(model: GgufModel) -> None:
        values = model[key]
        values[a], values[b] = values[b], values[a]

    return edit


def _set(key: str, value: Any) -> Callable[[GgufModel], None]:
    return lambda model: model.__setitem__(key, value)


def _removed(model: GgufModel) -> None:
    """An added token whose id became padding."""
    model[TOKENS][1], model[TYPES][1] = "[PAD1]", 5


def _shifted(model: GgufModel) -> None:
    """Every id from 3 on is one higher; the last token fell off."""
    tokens = model[TOKENS]
    tokens[:] = [*tokens[:3], "[PAD3]", *tokens[3:-1]]


def _type(index: int, kind: int) -> Callable[[GgufModel], None]:
    return lambda model: model[TYPES].__setitem__(index, kind)


def _added_bos(folder: Path) -> CheckArguments:
    """The source's tokenizer adds BOS; the conversion does not say so."""
    source = copied(QWEN2, folder)
    with json_of(source / "tokenizer_config.json") as config:
        config.update(add_bos_token=True, bos_token="<|im_start|>")
    model = to_gguf(source, "Q8_0")
    model["tokenizer.ggml.bos_token_id"] = 1
    return CheckArguments(model.write(folder / "tiny-qwen2-Q8_0.gguf"), source)


def _without(*parts: str) -> Callable[[GgufModel], None]:
    def edit(model: GgufModel) -> None:
        for name in [name for name in model.keys if name.startswith(parts)]:
            del model[name]

    return edit


def _tools_branch(folder: Path) -> CheckArguments:
    """A template with a branch for tools, from which the conversion took the branch."""
    source = copied(QWEN2, folder)
    model = to_gguf(source, "Q8_0")
    template = (source / "chat_template.jinja").read_text("utf-8")
    (source / "chat_template.jinja").write_text(_TOOLS + template, "utf-8")
    return CheckArguments(model.write(folder / "tiny-qwen2-Q8_0.gguf"), source)


def _named_template(folder: Path) -> CheckArguments:
    """A template for tools under a name of its own, which is not in the folder that takes the source's place."""
    source = copied(QWEN2, folder, "source")
    (source / "additional_chat_templates").mkdir()
    (source / "additional_chat_templates" / "tool_use.jinja").write_text(_TOOLS, "utf-8")
    return CheckArguments(QWEN2, source)


def _apr_tokens(model: Any) -> None:
    tokens = model.metadata["tokenizer.vocabulary"]
    tokens[500], tokens[501] = tokens[501], tokens[500]


def _merges(edit: Callable[[list[Any]], Any]) -> Make:
    return document(QWEN2, "tokenizer.json", lambda value: edit(value["model"]["merges"]), QWEN2)


def _pattern(document: dict[str, Any]) -> None:
    split = document["pre_tokenizer"]["pretokenizers"][0]["pattern"]
    split["Regex"] = split["Regex"].replace("\\p{N}|", "\\p{N}{1,3}|")


VARIANTS: tuple[Variant, ...] = (
    broken(
        "special-tokens-split-after-saving",
        document(QWEN2, "tokenizer_config.json", lambda value: value.update(split_special_tokens=True), QWEN2),
        seen(SAME_FLAGS, "split_special_tokens", expected=False, observed=True, words="other ids"),
    ),
    broken(
        "a-space-before-every-text-after-saving",
        document(QWEN2, "tokenizer_config.json", lambda value: value.update(add_prefix_space=True), QWEN2),
        seen(SAME_FLAGS, "add_prefix_space", expected=False, observed=True, words="other ids"),
    ),
    broken(
        "f11-pre-tokenizer-changed",
        _qwen2(_set(PRE, "llama-bpe")),
        seen(SAME_FLAGS, "pre_tokenizer", key=PRE, expected="qwen2", observed="llama-bpe", words="split differently"),
    ),
    broken(
        "f11-pre-tokenizer-deleted",
        _qwen2(_without(PRE)),
        seen(SAME_FLAGS, "pre_tokenizer", key=PRE, expected="qwen2", observed=None),
    ),
    broken(
        "f11-pattern-of-another-family",
        document(QWEN2, "tokenizer.json", _pattern, QWEN2),
        seen(SAME_FLAGS, "pre_tokenizer", expected="qwen2", observed="dbrx"),  # llama-bpe would take words unmerged
    ),
    broken(
        "f12-two-ids-swapped",
        _qwen2(_swapped(TOKENS, 700, 701)),
        seen(SAME_TOKENS, "token_at_id", token=700, words="stands at 701 (+1)"),
    ),
    broken(
        "f12-apr-two-ids-swapped",
        apr(QWEN2, _apr_tokens, against=True),
        seen(SAME_TOKENS, "token_at_id", token=500, words="stands at 501 (+1)"),
    ),
    broken(
        "f12-token-twice-in-a-conversion",
        _qwen2(lambda model: model[TOKENS].__setitem__(700, model[TOKENS][600])),
        seen(VOCABULARY, "token_unique", token=700),
        seen(MERGES, "merge_rebuilds_token"),
        seen(SAME_TOKENS, "token_at_id", token=700),
    ),
    broken(
        "f13-begin-of-sequence-added",
        gguf(LLAMA_Q8_0, _set("tokenizer.ggml.add_bos_token", True), LLAMA),
        seen(SAME_FLAGS, "add_bos", expected=False, observed=True),
    ),
    broken(
        "f13-begin-of-sequence-not-added",
        _added_bos,
        seen(SAME_FLAGS, "add_bos", expected=True, observed=None),
    ),
    broken(
        "f13-end-of-sequence-added",
        gguf(LLAMA_Q8_0, _set("tokenizer.ggml.add_eos_token", True), LLAMA),
        seen(SAME_FLAGS, "add_eos", expected=False, observed=True),
    ),
    broken(
        "f16-added-token-removed",
        _qwen2(_removed),
        seen(SAME_TOKENS, "token_at_id", token=1, expected="<|im_start|>", observed="[PAD1]"),
        seen(SAME_FLAGS, "added_token", token=1, expected="<|im_start|>", observed="[PAD1]"),
    ),
    broken(
        "f16-ids-shifted-by-one",
        _qwen2(_shifted),
        seen(MERGES, "merge_rebuilds_token"),
        seen(SAME_TOKENS, "token_at_id", token=3, expected="!", observed="[PAD3]", words="stands at 4 (+1)"),
    ),
    broken(
        "f16-added-token-made-a-word",
        _qwen2(_type(2, 1)),
        seen(MARKED, "special_token_type", token=2, observed="NORMAL", words="declared as eos"),
        seen(SAME_FLAGS, "added_token_type", token=2, expected="control", observed="normal"),
    ),
    broken(
        "padding-made-a-word",
        _qwen2(_set("tokenizer.ggml.padding_token_id", 700)),
        seen(DECLARED, "pad_token_id", expected=[0], observed=700, words="takes each such token"),
    ),
    broken(
        "padding-made-a-mark-of-the-template",
        _qwen2(_set("tokenizer.ggml.padding_token_id", 1)),
        seen(DECLARED, "pad_token_id", expected=[0], observed=1, words="takes each such token"),
    ),
    broken(
        "merge-dropped",
        _merges(lambda merges: merges.pop(100)),
        seen(SAME_MERGES, "merge_at_rank", key="merges[100]"),
    ),
    broken(
        "merge-dropped-at-the-end",
        _qwen2(lambda model: model[MERGED].pop()),
        seen(SAME_MERGES, "merge_count", expected=1741, observed=1740),
    ),
    broken(
        "merges-swapped",
        _qwen2(_swapped(MERGED, 40, 41)),
        seen(SAME_MERGES, "merge_at_rank", key="merges[40]"),
    ),
    broken(
        "f17-template-deleted",
        _qwen2(_without(TEMPLATE)),
        seen(SAME_TEMPLATE, "chat_template", key="chat_template", observed=None),
    ),
    broken(
        "f17-template-deleted-from-a-directory",
        directory(LLAMA, lambda target: (target / "chat_template.jinja").unlink(), LLAMA),
        seen(SAME_TEMPLATE, "chat_template", observed=None),
    ),
    broken(
        "f17-named-template-lost",
        _named_template,
        seen(SAME_TEMPLATE, "named_chat_template", key="chat_template.tool_use", observed=None),
    ),
    broken(
        "f17-tools-branch-removed",
        _tools_branch,
        seen(SAME_TEMPLATE, "chat_template", words="first difference at character 3"),
    ),
    broken(
        "tokenizer-lost",
        _qwen2(_without("tokenizer.ggml.")),
        seen(TOKENIZER, "tokenizer_present", observed=None),
        seen(DECLARED, "eos_token_id", expected=[2], observed=None),
        seen(SAME_TOKENS, "tokenizer_present", expected="the 2,000 tokens of the source", observed=None),
    ),
)
