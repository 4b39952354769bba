"""Owns a tokenizer.json and tokenizer_config.json put together from arrays alone, where no file was carried."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from model_contracts.anatomy.tokenizers.rebuilt_tokenizers import NotRebuilt, document_of
from model_contracts.anatomy.tokenizers.tokenizer_kinds import adds, kind_of, published_tokens
from model_contracts.artifact import Artifact
from model_contracts.converters.interface import ConversionRefused, Pieces
from model_contracts.converters.tokenizer_arrays import Arrays
from model_contracts.vocabulary import Tokenizer


def stored_pieces(tokenizer: Tokenizer) -> Pieces:
    """What a container, or a file that is no tokenizer.json, says of each id."""
    return Pieces(tokenizer.tokens, tokenizer.scores, tokenizer.token_types)


def arrays_of_tokenizer(tokenizer: Tokenizer) -> Arrays:
    """The arrays of a GGUF or .apr tokenizer as they are stored, WordPiece as Hugging Face spells it."""
    types = list(tokenizer.token_types or [1] * tokenizer.size)
    merges = [f"{left} {right}" for left, right in tokenizer.merges] if tokenizer.merges is not None else None
    kind = kind_of(tokenizer) or tokenizer.algorithm
    tokens = published_tokens(tokenizer) if tokenizer.options.get("model") == "bert" else list(tokenizer.tokens)
    return Arrays(tokens, types, merges, list(tokenizer.scores) if tokenizer.scores is not None else None, kind)


def rebuilt(artifact: Artifact, tokenizer: Tokenizer) -> dict[str, Any]:
    """A tokenizer.json that cuts and merges as the arrays say. Raises ConversionRefused."""
    if tokenizer.pre is None and artifact.form.bare_tokenizer and kind_of(tokenizer) == "byte-level":
        reason = "it does not name how its tokenizer splits text"
    else:
        opens, closes = (adds(artifact, tokenizer, flag) for flag in ("add_bos", "add_eos"))
        try:
            document = document_of(replace(tokenizer, add_bos=opens, add_eos=closes))
            if (merges := document["model"].get("merges")) is not None:
                document["model"]["merges"] = list(map(list, merges))
            return document
        except NotRebuilt as none:
            reason = str(none)
    raise ConversionRefused(
        f"{tokenizer.origin.name}: {reason}; give the published tokenizer.json with --tokenizer PATH"
    )


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
