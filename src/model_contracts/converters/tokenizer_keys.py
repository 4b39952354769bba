"""Owns the key-values under which a GGUF keeps a tokenizer, as llama.cpp's converter writes them for each kind."""

from __future__ import annotations

from typing import Any

from model_contracts.anatomy.tokenizers.tokenizer_kinds import NORMAL, known, marked
from model_contracts.anatomy.tokenizers.tokenizer_sections import canonical
from model_contracts.converters.carried import to_carry
from model_contracts.converters.interface import ConversionRefused, Documents
from model_contracts.converters.tokenizer_arrays import Arrays, arrays_of
from model_contracts.converters.tokenizer_refusals import refuse

Keys = dict[str, Any]
_PREFIX = "tokenizer.ggml."
#: Roles of special tokens in GGUF's words; a CLS is its BOS, for readers know no other.
_ROLES = {"bos": "bos", "eos": "eos", "unk": "unknown", "sep": "seperator", "pad": "padding", "mask": "mask"}
_STAND_IN = {"bos": "cls", "eos": "sep"}
#: Names of `Tokenizer.options` to the keys that GGUF and .apr have for them.
OPTIONS = {
    "add_space_prefix": "add_space_prefix",
    "remove_extra_whitespaces": "remove_extra_whitespaces",
    "precompiled_charsmap": "precompiled_charsmap",
    "lowercase": "normalizer.lowercase",
    "strip_accents": "normalizer.strip_accents",
}


def tokenizer_keys(documents: Documents, rows: int) -> Keys:
    """Every key of a tokenizer of so many ids, and what is carried for the way back. Raises ConversionRefused."""
    refuse(documents.tokenizer, documents.kind)
    arrays = arrays_of(documents.tokenizer, rows, documents.kind, documents.pieces)
    keys: Keys = {"model": _word(arrays.kind), "pre": _pre(documents, arrays.kind), "tokens": _tokens(arrays)}
    if arrays.scores is not None:
        keys["scores"] = arrays.scores
    keys["token_type"] = arrays.types
    if arrays.merges is not None:
        keys["merges"] = arrays.merges
    keys |= _treatment(documents, arrays.kind)
    if (count := _segments(documents, arrays.kind)) is not None:
        keys["token_type_count"] = count
    keys |= {f"{_ROLES[role]}_token_id": at for role, at in _special_ids(documents).items() if 0 <= at < rows}
    keys |= _around(documents)
    templates = _templates(documents)
    return (
        {_PREFIX + key: value for key, value in keys.items()}
        | templates
        | to_carry(documents, arrays, config=documents.published)
    )


def _word(kind: str) -> str:
    about = known(kind)
    if about is None:
        raise ConversionRefused(f"GGUF has no word for the tokenizer {kind}")
    return about.gguf[0]


def _pre(documents: Documents, kind: str) -> str:
    """The name of the pre-tokenizer, which readers ask of byte-level tokenizers only."""
    if kind != "byte-level":
        return documents.pre or "default"
    if documents.pre is None:
        raise ConversionRefused(
            "llama.cpp has no name that is known here for how this tokenizer splits text, and guessing one would split "
            "digits and spaces differently"
        )
    return documents.pre


def _tokens(arrays: Arrays) -> list[str]:
    """The tokens as GGUF spells them: pieces of WordPiece with the mark at the beginning of words."""
    filled = arrays.filled("[PAD{id}]")
    about = known(arrays.kind)
    if about is None or about.continuing is None:
        return filled
    pairs = zip(filled, arrays.types, strict=True)
    return [marked(token, about.continuing) if kind == NORMAL else token for token, kind in pairs]


def _treatment(documents: Documents, kind: str) -> Keys:
    """How text is treated; of SentencePiece what readers do not assume, as converters leave the rest to them."""
    about = known(kind)
    assumed = about.assumed.model_dump() if about is not None and kind.startswith("sentencepiece") else {}
    return {
        OPTIONS[name]: value
        for name, value in documents.options.items()
        if name in OPTIONS and (name not in assumed or assumed[name] != value)
    }


def _segments(documents: Documents, kind: str) -> int | None:
    """How many kinds of texts an encoder tells apart, by rows of their own."""
    count = documents.config.get("type_vocab_size", 1 if kind == "wordpiece" else None)
    return count if isinstance(count, int) and not isinstance(count, bool) and count > 0 else None


def _special_ids(documents: Documents) -> dict[str, int]:
    ids = documents.special_ids
    found = {role: ids.get(role, ids.get(_STAND_IN.get(role, role))) for role in _ROLES}
    return {role: at for role, at in found.items() if at is not None}


def _around(documents: Documents) -> dict[str, bool]:
    """What is put around a text, and whether something of its own stands between two."""
    flags = {
        f"{name}_token": value for name in ("add_bos", "add_eos") if (value := getattr(documents, name)) is not None
    }
    template = canonical("post_processor", documents.tokenizer.get("post_processor"))
    if not isinstance(template, dict) or template.get("type") != "template":
        return flags
    single, pair = (
        [piece[0] for piece in template[name] if isinstance(piece, list) and piece] for name in ("single", "pair")
    )
    if not single or "A" not in pair or "B" not in pair or pair.index("A") > pair.index("B"):
        return flags
    between = pair[pair.index("A") + 1 : pair.index("B")]
    if not between:
        return flags
    ends = [[documents.special_ids[role]] for role in ("sep", "eos") if role in documents.special_ids]
    closed = single[-1] != "A"
    adds = between[1] in ends if len(between) == 2 else between[0] in ends and not closed
    return flags | {"add_sep_token": adds}


def _templates(documents: Documents) -> dict[str, Any]:
    """The chat template under its key, and those that have names of their own under theirs."""
    keys: dict[str, Any] = {}
    if named := {name: text for name, text in documents.chat_templates.items() if name != "default"}:
        keys["tokenizer.chat_templates"] = sorted(named)
        keys |= {f"tokenizer.chat_template.{name}": text for name, text in named.items()}
    if documents.chat_template is not None:
        keys["tokenizer.chat_template"] = documents.chat_template
    return keys
