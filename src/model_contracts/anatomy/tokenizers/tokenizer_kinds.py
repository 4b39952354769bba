"""Owns which kind a tokenizer is of, and what a file of another format holds of it after an honest conversion."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error
from collections.abc import Mapping, Sequence
from typing import Any

from model_contracts.anatomy.tokenizers.pretokenizers import named
from model_contracts.anatomy.tokenizers.tokenizer_sections import canonical, option_of, prefix_of, types_in
from model_contracts.artifact import Artifact
from model_contracts.definitions import load_tokenizers
from model_contracts.tokenization import TokenizerKind
from model_contracts.vocabulary import SentencePiece, Tokenizer

SPACE = "▁"
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
_MARKER = re.compile(r"<.{1,80}>|\[.{1,80}\]|\{.{1,80}\}")
UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE, NORMAL = 2, 3, 4, 5, 6, 1
#: What a kind's readers ask of how text is treated.
_OPTIONS = {
    "sentencepiece": ("add_space_prefix",),
    "sentencepiece-merges": ("add_space_prefix",),
    "unigram": ("add_space_prefix", "remove_extra_whitespaces", "precompiled_charsmap"),
    "wordpiece": ("lowercase", "strip_accents"),
}
_BY_ALGORITHM = {"SPM": "sentencepiece", "Unigram": "unigram", "WordPiece": "wordpiece"}


def kind_of(tokenizer: Tokenizer) -> str | None:
    """The name of a tokenizer's kind (contracts/tokenizers.yaml), None where none fits."""
    word = tokenizer.options.get("model")
    named = next((name for name, kind in load_tokenizers().kinds.items() if word in kind.gguf), None)
    if named is not None or tokenizer.algorithm != "BPE":
        return named or _BY_ALGORITHM.get(tokenizer.algorithm)
    if tokenizer.sections is None:
        return "byte-level"
    if any("ByteLevel" in types_of(tokenizer, section) for section in ("pre_tokenizer", "decoder")):
        return "byte-level"
    model = tokenizer.sections.get("model")
    marked = isinstance(model, dict) and model.get("byte_fallback") is True
    return "sentencepiece" if marked or "Metaspace" in types_of(tokenizer, "pre_tokenizer") else None


def known(name: str | None) -> TokenizerKind | None:
    """What is known of a kind."""
    return load_tokenizers().kinds.get(name) if name is not None else None


def types_of(tokenizer: Tokenizer, section: str) -> tuple[str, ...]:
    """The types of the parts of a section of tokenizer.json."""
    return types_in(canonical(section, (tokenizer.sections or {}).get(section)))


def is_byte(token: str | None) -> bool:
    """Whether a token is SentencePiece's name of a byte."""
    return token is not None and _BYTE.fullmatch(token) is not None


def looks_special(token: str | None) -> bool:
    """Whether a token is written as markers are: `<…>`, `[…]`, `{…}`."""
    return token is not None and _MARKER.fullmatch(token) is not None


def tokens_of(tokenizer: Tokenizer, stored: Tokenizer, kind: TokenizerKind | None) -> Sequence[str | None]:
    """The tokens as a GGUF keeps those of the kind, from a tokenizer that is kept otherwise.

    What stands in brackets has no mark in files of older converters.
    """
    if kind is None or kind.tokens == "as_they_are" or kind.continuing is None:
        return tokenizer.tokens
    return [
        token
        if token is None or at in tokenizer.added or (_in_brackets(token) and stored.stored(at) == token)
        else marked(token, kind.continuing)
        for at, token in enumerate(tokenizer.tokens)
    ]


def _in_brackets(token: str) -> bool:
    return token.startswith("[") and token.endswith("]")


def published_tokens(tokenizer: Tokenizer) -> list[str | None]:
    """The tokens of a WordPiece GGUF as Hugging Face keeps them: `▁x` is x, and x is `##x`."""
    return [
        token if token is None or at in tokenizer.added else _published(token)
        for at, token in enumerate(tokenizer.tokens)
    ]


def _published(token: str) -> str:
    if _in_brackets(token):
        return token
    return token[len(SPACE) :] if token.startswith(SPACE) else f"##{token}"


def marked(token: str, continuing: str) -> str:
    """A piece of WordPiece as GGUF spells it: what begins a word has a mark, what continues one has none."""
    return token[len(continuing) :] if token.startswith(continuing) else SPACE + token


def types_expected(tokenizer: Tokenizer, pieces: SentencePiece | None, kind: str | None, at: int) -> tuple[int, ...]:
    """The ggml types that an honest conversion may give an id of a tokenizer that Hugging Face keeps."""
    token, added = tokenizer.tokens[at], tokenizer.added.get(at)
    unknown = tokenizer.special_ids.get("unk", (None, ""))[0] == at
    piece = pieces.types[at] if pieces is not None and at < len(pieces.types) else None
    if unknown or piece == UNKNOWN:
        return (UNKNOWN, CONTROL)
    if piece == CONTROL or (added is not None and added.special):
        return (CONTROL,)
    if added is not None:
        return (CONTROL, USER_DEFINED)
    if piece in (UNUSED, BYTE):
        return (int(piece),)
    if piece is None and kind in ("sentencepiece", "sentencepiece-merges", "unigram") and is_byte(token):
        return (BYTE, NORMAL) if kind == "unigram" else (BYTE,)
    # What is written as a marker and stands in no list: converters differ.
    return (NORMAL, CONTROL, USER_DEFINED) if piece == USER_DEFINED or looks_special(token) else (NORMAL,)


def options_of(tokenizer: Tokenizer, pieces: SentencePiece | None, kind: str | None) -> dict[str, Any]:
    """How text is treated, in the words of `Tokenizer.options`; only what the tokenizer's own files say."""
    sections = tokenizer.sections
    if sections is None:
        owned = _OPTIONS.get(kind or "", ())
        return {name: value for name, value in tokenizer.options.items() if name in owned and value != b""}
    found: dict[str, Any] = {}
    if kind in ("sentencepiece", "sentencepiece-merges", "unigram"):
        found["add_space_prefix"] = prefix_of(sections)
    if kind == "unigram":
        found |= {"precompiled_charsmap": charsmap} if (charsmap := _charsmap(sections)) else {}
        if pieces is not None:
            found["remove_extra_whitespaces"] = pieces.options["remove_extra_whitespaces"]
        elif "WhitespaceSplit" in types_of(tokenizer, "pre_tokenizer"):
            found["remove_extra_whitespaces"] = True
    for name in ("lowercase", "strip_accents") if kind == "wordpiece" else ():
        if (value := option_of(sections, "normalizer", "BertNormalizer", name)) is not None:
            found[name] = value
    return found


def treatment(artifact: Artifact, tokenizer: Tokenizer) -> dict[str, Any]:
    """How text is treated, as an artifact declares it, and as readers of GGUF assume where it declares nothing."""
    kind = kind_of(tokenizer)
    declared = options_of(tokenizer, artifact.sentencepiece, kind)
    if not artifact.form.readers_assume or (about := known(kind)) is None:
        return declared
    assumed = about.assumed.model_dump(exclude={"add_bos", "add_eos"}, exclude_none=True)
    return assumed | declared


def adds(artifact: Artifact, tokenizer: Tokenizer, flag: str) -> bool | None:
    """Whether a text gets a BOS or an EOS, with what readers of GGUF assume; None: nothing says so."""
    said: bool | None = getattr(tokenizer, flag)
    kind = kind_of(tokenizer)
    about = known(kind) if said is None and artifact.form.readers_assume else None
    if about is not None:
        cut = named(tokenizer.pre) if kind == "byte-level" and tokenizer.pre is not None else None
        return bool(getattr(about.assumed, flag)) or (flag == "add_bos" and cut is not None and cut.adds_bos)
    if said is None and tokenizer.sections is None and artifact.form.beside:
        name = str((artifact.tokenizer_config or {}).get("tokenizer_class")).removesuffix("Fast")
        known_class = load_tokenizers().classes.get(name)
        return bool(getattr(known_class, flag)) if known_class is not None else None
    return said if said is not None or tokenizer.sections is None else False


def _charsmap(sections: Mapping[str, Any]) -> bytes:
    text = option_of(sections, "normalizer", "Precompiled", "precompiled_charsmap")
    try:
        return b64decode(text, validate=True) if isinstance(text, str) else b""
    except (Error, ValueError):
        return text.encode() if isinstance(text, str) else b""
