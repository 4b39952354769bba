"""Owns tokenizers of the `tokenizers` library put together from what a GGUF or .apr carries: one builder a kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from model_contracts.anatomy.pretokenizers import named
from model_contracts.anatomy.tokenizer_kinds import SPACE, kind_of, known
from model_contracts.artifact import Tokenizer
from model_contracts.runtimes.interface import Refused

_MOST_MERGES = 4_000_000


def rebuilt(tokenizer: Tokenizer) -> Any:
    """A `tokenizers.Tokenizer` from a vocabulary, its merges (or scores) and the name of its pre-tokenizer."""
    from tokenizers import AddedToken as Entry

    build = _BUILDERS.get(kind_of(tokenizer))
    if build is None:
        raise Refused(f"a tokenizer of the kind {tokenizer.algorithm} is not rebuilt")
    engine = build(tokenizer)
    for token in sorted(tokenizer.added.values(), key=lambda token: token.id):
        flags = {name: getattr(token, name) for name in ("lstrip", "rstrip", "normalized", "single_word")}
        entry = Entry(token.content, special=token.special, **flags)
        (engine.add_special_tokens if token.special else engine.add_tokens)([entry])
        if (at := engine.token_to_id(token.content)) != token.id and tokenizer.ids.get(token.content) == token.id:
            raise Refused(f"the added token {token.content!r} of id {token.id} came out as {at}")
    return engine


def _option(tokenizer: Tokenizer, name: str) -> Any:
    """What the container declares of how text is treated, else what its readers assume."""
    kind = known(kind_of(tokenizer))
    return tokenizer.options.get(name, getattr(kind.assumed, name) if kind is not None else None)


def _byte_level(tokenizer: Tokenizer) -> Any:
    from tokenizers import Regex, decoders, normalizers, pre_tokenizers
    from tokenizers import Tokenizer as Engine

    name = tokenizer.pre or "gpt-2"
    cut = named("gpt-2" if name == "default" else name)
    if cut is None:
        raise Refused(f"the pre-tokenizer {name!r} is not known here")
    if tokenizer.merges is None:
        raise Refused("a byte-level tokenizer without merges")
    engine = Engine(_model(tokenizer, tokenizer.merges, ignore_merges=cut.whole_words))
    if cut.nfc:
        engine.normalizer = normalizers.NFC()
    splits = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in cut.patterns]
    encode = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    engine.pre_tokenizer = pre_tokenizers.Sequence([*splits, encode])
    engine.decoder = decoders.ByteLevel()
    return engine


def _sentence_piece(tokenizer: Tokenizer) -> Any:
    """Merges in the order of the scores of what they make, as SentencePiece's BPE takes them."""
    from tokenizers import Tokenizer as Engine
    from tokenizers import decoders, normalizers

    merges = tokenizer.merges if tokenizer.merges is not None else _scored(tokenizer)
    unknown = tokenizer.special_ids.get("unk", (0, ""))[0]
    token = tokenizer.tokens[unknown] if unknown < tokenizer.size else None
    engine = Engine(_model(tokenizer, merges, byte_fallback=True, fuse_unk=True, unk_token=token))
    prefixed = bool(_option(tokenizer, "add_space_prefix"))
    before = [normalizers.Prepend(SPACE)] if prefixed else []
    engine.normalizer = normalizers.Sequence([*before, normalizers.Replace(" ", SPACE)])
    strip = [decoders.Strip(content=" ", left=1)] if prefixed else []
    engine.decoder = decoders.Sequence([decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), *strip])
    return engine


def _unigram(tokenizer: Tokenizer) -> Any:
    """Pieces with their scores, on text as the character map of the file normalises it."""
    from tokenizers import Tokenizer as Engine
    from tokenizers import decoders, normalizers, pre_tokenizers
    from tokenizers.models import Unigram

    if tokenizer.scores is None or len(tokenizer.scores) < tokenizer.size:
        raise Refused("a Unigram vocabulary without scores")
    named = ((tokenizer.stored(at) or f"[PAD{at}]", score) for at, score in enumerate(tokenizer.scores))
    pieces = list(islice(named, tokenizer.size))
    unknown = tokenizer.special_ids.get("unk", (None, ""))[0]
    scheme = "always" if _option(tokenizer, "add_space_prefix") else "never"
    try:
        engine = Engine(Unigram(pieces, unk_id=unknown, byte_fallback=False))
        if charsmap := tokenizer.options.get("precompiled_charsmap"):
            engine.normalizer = normalizers.Precompiled(bytes(charsmap))
    except Exception as error:  # the library raises bare exceptions
        raise Refused(f"the vocabulary is refused by the tokenizers library: {error}") from None
    space = pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme=scheme)
    words = [pre_tokenizers.WhitespaceSplit()] if _option(tokenizer, "remove_extra_whitespaces") else []
    engine.pre_tokenizer = pre_tokenizers.Sequence([*words, space])
    engine.decoder = decoders.Metaspace(replacement=SPACE, prepend_scheme=scheme)
    return engine


def _word_piece(tokenizer: Tokenizer) -> Any:
    """`▁x` begins a word and is called x again; what has no mark continues one."""
    from tokenizers import Tokenizer as Engine
    from tokenizers import decoders, normalizers, pre_tokenizers
    from tokenizers.models import WordPiece

    marked = tokenizer.options.get("model") is not None
    vocab = {
        (_published(token, at in tokenizer.added) if marked else token): at
        for at, token in enumerate(tokenizer.tokens)
        if token is not None
    }
    unknown = tokenizer.special_ids.get("unk", (None, ""))[0]
    text = tokenizer.tokens[unknown] if unknown is not None and unknown < tokenizer.size else None
    engine = Engine(WordPiece(vocab, unk_token=text or "[UNK]", max_input_chars_per_word=100))
    small = bool(_option(tokenizer, "lowercase"))
    engine.normalizer = normalizers.BertNormalizer(lowercase=small)
    engine.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    engine.decoder = decoders.WordPiece()
    return engine


def _published(token: str, added: bool) -> str:
    if added or (token.startswith("[") and token.endswith("]")):
        return token
    return token[1:] if token.startswith(SPACE) else f"##{token}"


_BUILDERS: dict[str | None, Callable[[Tokenizer], Any]] = {
    "byte-level": _byte_level,
    "sentencepiece": _sentence_piece,
    "sentencepiece-merges": _sentence_piece,
    "unigram": _unigram,
    "wordpiece": _word_piece,
}


def _model(tokenizer: Tokenizer, merges: Sequence[tuple[str, str]], **options: Any) -> Any:
    from tokenizers.models import BPE

    known = tokenizer.ids
    lost = next((pair for pair in merges if any(part not in known for part in (*pair, "".join(pair)))), None)
    if lost is not None:
        raise Refused(f"the merge {lost[0]!r} {lost[1]!r} has a part, or makes a token, that the vocabulary lacks")
    try:
        return BPE(vocab=dict(known), merges=list(merges), **options)
    except Exception as error:  # the library raises bare exceptions
        raise Refused(f"the vocabulary is refused by the tokenizers library: {error}") from None


def _scored(tokenizer: Tokenizer) -> list[tuple[str, str]]:
    known, scores = tokenizer.ids, tokenizer.scores
    if scores is None:
        raise Refused("a SentencePiece vocabulary with neither scores nor merges")
    found: list[tuple[float, int, int, tuple[str, str]]] = []
    for token, at in known.items():
        for split in range(1, min(len(token), 256)):
            left, right = token[:split], token[split:]
            if left in known and right in known:
                found.append((-scores[at], known[left], known[right], (left, right)))
        if len(found) > _MOST_MERGES:
            raise Refused(f"a vocabulary of more than {_MOST_MERGES:,} possible merges")
    return [pair for *_, pair in sorted(found)]
