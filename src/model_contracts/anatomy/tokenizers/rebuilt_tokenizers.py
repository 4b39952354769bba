"""Owns a tokenizer.json put together from the arrays of a GGUF or .apr: sections and tables, one builder a kind."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Any

from model_contracts.anatomy.tokenizers.pretokenizers import named, patterns_of
from model_contracts.anatomy.tokenizers.scored_merges import Merge, NoOrder, merges_of
from model_contracts.anatomy.tokenizers.tokenizer_kinds import SPACE, kind_of, known, published_tokens
from model_contracts.vocabulary import AddedToken, Tokenizer

Section = dict[str, Any]
_FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")


class NotRebuilt(Exception):
    """Arrays of which no tokenizer.json can be put together; the message says why."""


def document_of(tokenizer: Tokenizer) -> Section:
    """A tokenizer.json that cuts and merges as the arrays, and the name of the pre-tokenizer, say. Raises NotRebuilt.

    Merges are pairs. What is put around a text is what `add_bos` and `add_eos` say, and nothing where they are None.
    """
    build = _BUILDERS.get(kind_of(tokenizer))
    if build is None:
        raise NotRebuilt(f"no tokenizer.json can be put together from a {tokenizer.algorithm} vocabulary alone")
    sections = build(tokenizer)
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_added(token) for _, token in sorted(tokenizer.added.items())],
        "normalizer": sections.get("normalizer"),
        "pre_tokenizer": sections.get("pre_tokenizer"),
        "post_processor": _post_processor(tokenizer) or sections.get("post_processor"),
        "decoder": sections["decoder"],
        "model": sections["model"],
    }


def _added(token: AddedToken) -> Section:
    return {"id": token.id, "content": token.content} | {name: getattr(token, name) for name in _FLAGS}


def _byte_level(tokenizer: Tokenizer) -> Section:
    name = tokenizer.pre or "default"
    cut = named(name)
    if cut is None or not cut.byte_level:
        raise NotRebuilt(f"how the pre-tokenizer {name!r} splits is not known here")
    if tokenizer.merges is None:
        raise NotRebuilt("a byte-level tokenizer without merges")
    splits = [
        {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}
        for regex in patterns_of(cut)
    ]
    return {
        "normalizer": {"type": "NFC"} if cut.nfc else None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [*splits, _bytes(use_regex=False)]},
        "post_processor": _bytes(use_regex=True),
        "decoder": _bytes(use_regex=True),
        "model": _merging(tokenizer, tokenizer.merges, ignore_merges=cut.whole_words),
    }


def _bytes(*, use_regex: bool) -> Section:
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": use_regex}


def _sentence_piece(tokenizer: Tokenizer) -> Section:
    """Merges in the order of the scores of what they make, as SentencePiece's BPE takes them."""
    prefixed = bool(_option(tokenizer, "add_space_prefix"))
    before: list[Section] = [{"type": "Prepend", "prepend": SPACE}] if prefixed else []
    before += [{"type": "Replace", "pattern": {"String": " "}, "content": SPACE}]
    after: list[Section] = [{"type": "Replace", "pattern": {"String": SPACE}, "content": " "}]
    after += [{"type": "ByteFallback"}, {"type": "Fuse"}]
    after += [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] if prefixed else []
    unknown = _unknown(tokenizer, 0)
    return {
        "normalizer": before[0] if len(before) == 1 else {"type": "Sequence", "normalizers": before},
        "decoder": {"type": "Sequence", "decoders": after},
        "model": _merging(tokenizer, _scored(tokenizer), unk_token=unknown, fuse_unk=True, byte_fallback=True),
    }


def _scored(tokenizer: Tokenizer) -> Sequence[Merge]:
    if tokenizer.merges is not None:
        return tokenizer.merges
    if tokenizer.scores is None or len(tokenizer.scores) < tokenizer.used:
        raise NotRebuilt("a SentencePiece vocabulary with neither scores nor merges")
    try:
        return merges_of(tokenizer.ids, tokenizer.scores)
    except NoOrder as none:
        raise NotRebuilt(str(none)) from None


def _merging(tokenizer: Tokenizer, merges: Sequence[Merge], **options: Any) -> Section:
    ids = tokenizer.ids
    lost = next((one for one in merges if one[0] not in ids or one[1] not in ids or one[0] + one[1] not in ids), None)
    if lost is not None:
        raise NotRebuilt(f"the merge {lost[0]!r} {lost[1]!r} has a part, or makes a token, that the vocabulary lacks")
    usual = dict.fromkeys(("dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"))
    flags = dict.fromkeys(("fuse_unk", "byte_fallback", "ignore_merges"), False)
    tables = {"vocab": _vocabulary(tokenizer), "merges": list(merges)}
    return {"type": "BPE", **usual, **flags, **options, **tables}


def _vocabulary(tokenizer: Tokenizer) -> dict[str, int]:
    """Tokens by id up to the last that can be merged to; added tokens behind them stand in their own list."""
    tokens, added = tokenizer.tokens, tokenizer.added
    size = next((at + 1 for at in range(tokenizer.used - 1, -1, -1) if tokens[at] is not None and at not in added), 0)
    behind = sorted(at for at in added if at >= size)
    if behind != list(range(size, size + len(behind))):
        size = tokenizer.used  # an added token keeps such an id only where the vocabulary has it
    return {token: at for at, token in enumerate(tokens[:size]) if token is not None}


def _unigram(tokenizer: Tokenizer) -> Section:
    """Pieces with their scores, on text as the character map of the file normalises it."""
    if tokenizer.scores is None or len(tokenizer.scores) < tokenizer.used:
        raise NotRebuilt("a Unigram vocabulary without scores")
    pieces = [[tokenizer.stored(at) or f"[PAD{at}]", tokenizer.scores[at]] for at in range(tokenizer.used)]
    charsmap = tokenizer.options.get("precompiled_charsmap")
    scheme = "always" if _option(tokenizer, "add_space_prefix") else "never"
    words = [{"type": "WhitespaceSplit"}] if _option(tokenizer, "remove_extra_whitespaces") else []
    space = {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": scheme, "split": True}
    unknown = tokenizer.special_ids.get("unk", (None, ""))[0]
    return {
        "normalizer": {"type": "Precompiled", "precompiled_charsmap": b64encode(bytes(charsmap)).decode()}
        if charsmap
        else None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [*words, space]},
        "decoder": space,
        "model": {"type": "Unigram", "unk_id": unknown, "vocab": pieces, "byte_fallback": False},
    }


def _word_piece(tokenizer: Tokenizer) -> Section:
    """`▁x` begins a word and is called x again; what has no mark continues one."""
    kind = known("wordpiece")
    marked = kind is not None and tokenizer.options.get("model") in kind.gguf
    tokens = published_tokens(tokenizer) if marked else tokenizer.tokens
    small = bool(_option(tokenizer, "lowercase"))
    accents = tokenizer.options.get("strip_accents")
    treatment = {"clean_text": True, "handle_chinese_chars": True, "strip_accents": accents, "lowercase": small}
    return {
        "normalizer": {"type": "BertNormalizer", **treatment},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": _unknown(tokenizer, None) or "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {token: at for at, token in enumerate(tokens) if token is not None},
        },
    }


_BUILDERS: dict[str | None, Callable[[Tokenizer], Section]] = {
    "byte-level": _byte_level,
    "sentencepiece": _sentence_piece,
    "sentencepiece-merges": _sentence_piece,
    "unigram": _unigram,
    "wordpiece": _word_piece,
}


def _option(tokenizer: Tokenizer, name: str) -> Any:
    """What the container declares of how text is treated, else what its readers assume."""
    kind = known(kind_of(tokenizer))
    return tokenizer.options.get(name, getattr(kind.assumed, name) if kind is not None else None)


def _unknown(tokenizer: Tokenizer, otherwise: int | None) -> str | None:
    at = tokenizer.special_ids.get("unk", (otherwise, ""))[0]
    return tokenizer.tokens[at] if at is not None and 0 <= at < tokenizer.size else None


def _post_processor(tokenizer: Tokenizer) -> Section | None:
    """BOS and EOS around a text; where both are there, EOS closes each of two texts, as BERT and T5 have it."""
    ends = [(tokenizer.add_bos, "bos"), (tokenizer.add_eos, "eos")]
    ids = {role: tokenizer.special_ids[role][0] for said, role in ends if said and role in tokenizer.special_ids}
    texts = {role: token for role, at in ids.items() if 0 <= at < tokenizer.size and (token := tokenizer.tokens[at])}
    if not texts:
        return None

    def around(name: str, type_id: int, roles: tuple[str, ...]) -> list[Section]:
        ends = {role: [{"SpecialToken": {"id": texts[role], "type_id": type_id}}] for role in roles if role in texts}
        return [*ends.get("bos", []), {"Sequence": {"id": name, "type_id": type_id}}, *ends.get("eos", [])]

    first = around("A", 0, ("bos", "eos"))
    second = around("B", 1, ("eos",) if "eos" in texts else ("bos",))
    return {
        "type": "TemplateProcessing",
        "single": first,
        "pair": [*first, *second],
        "special_tokens": {text: {"id": text, "ids": [ids[role]], "tokens": [text]} for role, text in texts.items()},
    }
