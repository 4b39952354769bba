"""Vocabularies padded to more rows than tokens: honest under each converter's names of padding, and broken ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cases.gates import MERGES, SAME_TOKENS, VOCABULARY
from cases.interface import CheckArguments, Make, Variant, broken, seen
from support.conversions import to_apr, to_gguf
from support.padded_models import ROWS, TOKENS, padded

_TOKENS, _TYPES, _APR = "tokenizer.ggml.tokens", "tokenizer.ggml.token_type", "tokenizer.vocabulary"
_Edit = Callable[[Any], object]


def _gguf(edit: _Edit = bool) -> Make:
    """A GGUF of the padded model, edited, against it."""

    def make(folder: Path) -> CheckArguments:
        source = padded(folder)
        model = to_gguf(source, "Q8_0")
        edit(model)
        return CheckArguments(model.write(folder / "padded-qwen2-Q8_0.gguf"), source)

    return make


def _apr(edit: _Edit = bool) -> Make:
    """An .apr of the padded model, edited, against it."""

    def make(folder: Path) -> CheckArguments:
        source = padded(folder)
        model = to_apr(source)
        edit(model.metadata[_APR])
        return CheckArguments(model.write(folder / "padded-qwen2.apr"), source)

    return make


def _apr_to_gguf(folder: Path) -> CheckArguments:
    source = padded(folder)
    model = to_gguf(source, "BF16")
    del model["tokenizer.ggml.padding_token_id"]  # `apr import` keeps none
    return CheckArguments(
        model.write(folder / "padded-qwen2-BF16.gguf"), to_apr(source).write(folder / "padded-qwen2.apr")
    )


def _gguf_to_apr(folder: Path) -> CheckArguments:
    backwards = _apr_to_gguf(folder)
    assert backwards.against is not None
    return CheckArguments(backwards.against, backwards.path)


def _gguf_to_directory(folder: Path) -> CheckArguments:
    source = padded(folder)
    return CheckArguments(source, to_gguf(source, "BF16").write(folder / "padded-qwen2-BF16.gguf"))


def _names(pattern: str, kind: int, start: int = 0) -> _Edit:
    """Other names of padding: of each, its number from `start` on, and its type."""

    def edit(model: Any) -> None:
        for at in range(TOKENS, ROWS):
            model[_TOKENS][at], model[_TYPES][at] = pattern.format(start + at - TOKENS), kind

    return edit


def _set(at: int, text: str, kind: int) -> _Edit:
    def edit(model: Any) -> None:
        model[_TOKENS][at], model[_TYPES][at] = text, kind

    return edit


def _again(kind: int) -> _Edit:
    return lambda model: _set(2010, model[_TOKENS][600], kind)(model)


HONEST: dict[str, Make] = {
    "padded-gguf": _gguf(),
    "padded-gguf-named-from-1": _gguf(_names("[PAD{}]", 5, start=1)),
    "padded-gguf-named-by-apr": _gguf(_names("<|pad_{}|>", 1)),
    "padded-gguf-named-otherwise-and-unused": _gguf(_names("<filler {}>", 5)),
    "padded-apr": _apr(),
    "padded-apr-to-gguf": _apr_to_gguf,
    "padded-gguf-to-apr": _gguf_to_apr,
    "padded-gguf-to-directory": _gguf_to_directory,
}

VARIANTS: tuple[Variant, ...] = (
    broken(
        "padding-in-place-of-a-token",
        _gguf(_set(1500, "[PAD1500]", 5)),
        seen(MERGES, "merge_rebuilds_token"),
        seen(SAME_TOKENS, "token_at_id", token=1500, observed="[PAD1500]"),
    ),
    broken(
        "padding-in-place-of-the-last-token",
        _gguf(_set(1999, "[PAD1999]", 5)),
        seen(MERGES, "merge_rebuilds_token"),
        seen(SAME_TOKENS, "token_at_id", token=1999, observed="[PAD1999]"),
    ),
    broken(
        "token-renamed-to-padding",
        _gguf(_set(1999, "[PAD1999]", 1)),
        seen(MERGES, "merge_rebuilds_token"),
        seen(SAME_TOKENS, "token_at_id", token=1999, observed="[PAD1999]"),
    ),
    broken(
        "apr-padding-in-place-of-the-last-token",
        _apr(lambda tokens: tokens.__setitem__(1999, "<unk>")),
        seen(MERGES, "merge_rebuilds_token"),
        seen(SAME_TOKENS, "token_at_id", token=1999, observed="<unk>"),
    ),
    broken(
        "padding-named-as-a-token",
        _gguf(_again(5)),
        seen(VOCABULARY, "token_unique", token=2010),
        seen(SAME_TOKENS, "token_at_id", token=2010, expected=None, words="no token at this id"),
    ),
    broken(
        "padding-became-a-token",
        _gguf(_set(2010, "<|new|>", 3)),
        seen(SAME_TOKENS, "token_at_id", token=2010, expected=None, observed="<|new|>", words="no token at this id"),
    ),
    broken(
        "apr-padding-became-a-token",
        _apr(lambda tokens: tokens.__setitem__(ROWS - 1, "<|new|>")),
        seen(SAME_TOKENS, "token_at_id", token=ROWS - 1, expected=None, observed="<|new|>"),
    ),
)
