"""Owns a tokenizer.json and tokenizer_config.json put together from arrays alone, where no file was carried."""

from __future__ import annotations

from typing import Any

from model_contracts.anatomy.pretokenizers import patterns_of
from model_contracts.artifact import Tokenizer
from model_contracts.converters.interface import ConversionRefused
from model_contracts.converters.tokenizer_arrays import CONTROL, UNKNOWN, UNUSED, USER_DEFINED, Arrays

#: Pre-tokenizers whose published tokenizer.json normalises, or takes a whole word that is a token unmerged.
_NORMALISED = {"qwen2": "NFC"}
_WHOLE_WORDS = ("llama-bpe",)


def arrays_of_tokenizer(tokenizer: Tokenizer) -> Arrays:
    """The arrays of a GGUF or .apr tokenizer as they are stored."""
    types = list(tokenizer.token_types or [1] * tokenizer.size)
    merges = [f"{left} {right}" for left, right in tokenizer.merges or ()]
    return Arrays(list(tokenizer.tokens), types, merges)


def rebuilt(tokenizer: Tokenizer) -> dict[str, Any]:
    """A tokenizer.json that splits and merges as the arrays and the name of the pre-tokenizer say."""
    if tokenizer.algorithm != "BPE":
        raise ConversionRefused(
            f"{tokenizer.origin.name}: no tokenizer.json can be put together from a {tokenizer.algorithm} vocabulary "
            "alone; give the published one with --tokenizer PATH"
        )
    patterns = patterns_of(tokenizer.pre) if tokenizer.pre is not None else None
    if patterns is None:
        raise ConversionRefused(
            f"{tokenizer.origin.name}: how the pre-tokenizer {tokenizer.pre!r} splits is not known here; "
            "give the published tokenizer.json with --tokenizer PATH"
        )
    arrays = arrays_of_tokenizer(tokenizer)
    normaliser = _NORMALISED.get(tokenizer.pre or "")
    splits = [
        {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False} for regex in patterns
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": _added(arrays),
        "normalizer": {"type": normaliser} if normaliser else None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [*splits, _byte_level(use_regex=False)]},
        "post_processor": _post_processor(tokenizer),
        "decoder": _byte_level(use_regex=True),
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": tokenizer.pre in _WHOLE_WORDS,
            "vocab": _vocabulary(arrays),
            "merges": [merge.split(" ", 1) for merge in arrays.merges],
        },
    }


def rebuilt_config(tokenizer: Tokenizer, context: object) -> dict[str, Any]:
    """A tokenizer_config.json with the special tokens and flags that the container declares."""
    config: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
    if isinstance(context, int):
        config["model_max_length"] = context
    for role, (at, _) in tokenizer.special_ids.items():
        if role in ("bos", "eos", "unk", "pad", "sep", "cls", "mask") and 0 <= at < tokenizer.size:
            config[f"{role}_token"] = tokenizer.tokens[at]
    for flag in ("add_bos", "add_eos"):
        if (value := getattr(tokenizer, flag)) is not None:
            config[f"{flag}_token"] = value
    return config


def _byte_level(*, use_regex: bool) -> dict[str, Any]:
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": use_regex}


def _added(arrays: Arrays) -> list[dict[str, Any]]:
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return [
        {"id": at, "content": token, **flags, "special": kind != USER_DEFINED}
        for at, (token, kind) in enumerate(zip(arrays.tokens, arrays.types, strict=False))
        if token is not None and kind in (UNKNOWN, CONTROL, USER_DEFINED)
    ]


def _vocabulary(arrays: Arrays) -> dict[str, int]:
    """Tokens by id up to the last that can be merged to; added tokens behind them stand in their own list."""
    last = max(
        (at for at, kind in enumerate(arrays.types) if kind not in (UNKNOWN, CONTROL, USER_DEFINED, UNUSED)), default=-1
    )
    pairs = enumerate(zip(arrays.tokens[: last + 1], arrays.types, strict=False))
    return {token: at for at, (token, kind) in pairs if token is not None and kind != UNUSED}


def _post_processor(tokenizer: Tokenizer) -> dict[str, Any]:
    ends = [(tokenizer.add_bos, "bos"), (tokenizer.add_eos, "eos")]
    found = {role: tokenizer.special_ids[role][0] for said, role in ends if said and role in tokenizer.special_ids}
    if not found:
        return _byte_level(use_regex=True)
    special = {role: {"SpecialToken": {"id": tokenizer.tokens[at], "type_id": 0}} for role, at in found.items()}
    sequence = [[special[role]] if role in special else [] for role in ("bos", "eos")]
    text = {name: {"Sequence": {"id": name, "type_id": number}} for number, name in enumerate("AB")}
    single = [*sequence[0], text["A"], *sequence[1]]
    return {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, *sequence[0], text["B"], *sequence[1]],
        "special_tokens": {
            tokenizer.tokens[at]: {"id": tokenizer.tokens[at], "ids": [at], "tokens": [tokenizer.tokens[at]]}
            for at in found.values()
        },
    }
