"""Owns encoding with the `tokenizers` library: a tokenizer.json, or one rebuilt from what a GGUF or .apr carries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from model_contracts.artifact import AddedToken, Artifact, Tokenizer
from model_contracts.runtimes.interface import Refused

_START = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_END = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
#: What files of an architecture have where an .apr does not name its pre-tokenizer (apr writes none).
_USUAL = {"qwen2": "qwen2", "llama": "llama-bpe", "mistral": "llama-bpe"}
_SPACE = "\u2581"
_MOST_MERGES = 4_000_000


@dataclass(frozen=True, slots=True)
class _Cut:
    """How a named pre-tokenizer treats text before merges: what splits it, one after another, and what changes it."""

    patterns: tuple[str, ...]
    nfc: bool = False
    #: A word that is a token is taken as it is, whatever its merges would make of it.
    whole_words: bool = False


#: llama.cpp's names (llama-vocab.cpp) as model publishers write them in tokenizer.json.
CUTS: dict[str, _Cut] = {
    "qwen2": _Cut((_START + r"\p{N}" + _END,), nfc=True),
    "deepseek-r1-qwen": _Cut((_START + r"\p{N}" + _END,), nfc=True),
    "llama-bpe": _Cut((_START + r"\p{N}{1,3}" + _END,), whole_words=True),
    "llama3": _Cut((_START + r"\p{N}{1,3}" + _END,), whole_words=True),
    "smaug-bpe": _Cut((_START + r"\p{N}{1,3}" + _END,)),
    "gpt-2": _Cut((_GPT2,)),
    "phi-2": _Cut((_GPT2,)),
    "starcoder": _Cut((r"\p{N}", _GPT2)),
    "refact": _Cut((r"\p{N}", _GPT2)),
    "smollm": _Cut((r"\p{N}", _GPT2)),
    "command-r": _Cut((r"\p{N}", _GPT2), nfc=True),
    "codeshell": _Cut((r"\p{N}", _GPT2)),
}


class Encoder:
    """Token ids of a text, and back, for one artifact."""

    def __init__(
        self,
        engine: Any,
        opens: tuple[int, ...],
        closes: tuple[int, ...],
        origin: str,
        assumed: tuple[str, ...] = (),
    ) -> None:
        self._engine, self._opens, self._closes = engine, opens, closes
        #: Where the tokenizer came from, for people; and what the artifact left to be assumed.
        self.origin, self.assumed = origin, assumed

    @property
    def engine(self) -> Any:
        """The `tokenizers.Tokenizer` itself."""
        return self._engine

    @property
    def size(self) -> int:
        """One more than the highest id that the engine knows."""
        return 1 + max(self._engine.get_vocab(with_added_tokens=True).values(), default=-1)

    def encode(self, text: str, add_special: bool = False) -> list[int]:
        """Token ids; `add_special` puts BOS before and EOS behind where the artifact says so."""
        ids: list[int] = self._engine.encode(text, add_special_tokens=False).ids
        return [*self._opens, *ids, *self._closes] if add_special else ids

    def encode_many(self, texts: Sequence[str], add_special: bool = False) -> list[list[int]]:
        """Token ids of many texts, as of `encode`."""
        many = [encoding.ids for encoding in self._engine.encode_batch(list(texts), add_special_tokens=False)]
        return [[*self._opens, *ids, *self._closes] for ids in many] if add_special else many

    def decode_many(self, many: Sequence[Sequence[int]]) -> list[str]:
        """The texts of many lists of ids."""
        return [str(text) for text in self._engine.decode_batch([list(ids) for ids in many], skip_special_tokens=False)]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids, special tokens included."""
        return str(self._engine.decode(list(ids), skip_special_tokens=False))


def encoder(artifact: Artifact) -> Encoder:
    """The encoder of an artifact. Raises Refused where it has no tokenizer, or one that cannot be rebuilt."""
    tokenizer = artifact.tokenizer
    if tokenizer is None:
        raise Refused(f"{artifact.name} has no tokenizer")
    if artifact.format == "safetensors":
        engine = _from_file(tokenizer.origin)
        # What tokenizer.json puts around a text, unless tokenizer_config.json says otherwise.
        around = engine.encode("", add_special_tokens=True).ids
        opens, closes = _around(tokenizer, around)
        return Encoder(engine, opens, closes, tokenizer.origin.name)
    opens, closes = _around(tokenizer, [])
    whole, assumed = completed(artifact, tokenizer)
    return Encoder(rebuilt(whole), opens, closes, f"rebuilt from {tokenizer.origin.name}", assumed)


def completed(artifact: Artifact, tokenizer: Tokenizer) -> tuple[Tokenizer, tuple[str, ...]]:
    """A tokenizer with what an .apr does not carry taken as usual, and what was assumed, in words.

    apr writes neither the name of a pre-tokenizer nor types of tokens, and its own reader goes by the same looks.
    """
    assumed: list[str] = []
    if artifact.format != "apr" or tokenizer.algorithm != "BPE":
        return tokenizer, ()
    if tokenizer.pre is None:
        name = _USUAL.get(str(artifact.metadata.get("architecture")), "gpt-2")
        tokenizer = replace(tokenizer, pre=name)
        assumed.append(f"no pre-tokenizer is named: taken for {name}, as its architecture usually has")
    if not tokenizer.added and tokenizer.token_types is None:
        special = [
            at for at, token in enumerate(tokenizer.tokens) if token and token[:2] == "<|" and token[-2:] == "|>"
        ]
        added = {at: AddedToken(at, str(tokenizer.tokens[at]), special=True) for at in special[:10_000]}
        tokenizer = replace(tokenizer, added=added)
        assumed.append(f"no token is marked as added: {len(added)} of the form <|…|> are taken for such")
    return tokenizer, tuple(assumed)


def rebuilt(tokenizer: Tokenizer) -> Any:
    """A `tokenizers.Tokenizer` from a vocabulary, its merges (or scores) and the name of its pre-tokenizer."""
    from tokenizers import AddedToken as Entry

    if tokenizer.algorithm == "BPE":
        engine = _byte_level(tokenizer)
    elif tokenizer.algorithm == "SPM":
        engine = _sentence_piece(tokenizer)
    else:
        raise Refused(f"a tokenizer of the kind {tokenizer.algorithm} is not rebuilt")
    for token in sorted(tokenizer.added.values(), key=lambda token: token.id):
        flags = {name: getattr(token, name) for name in ("lstrip", "rstrip", "normalized", "single_word")}
        entry = Entry(token.content, special=token.special, **flags)
        (engine.add_special_tokens if token.special else engine.add_tokens)([entry])
        if (at := engine.token_to_id(token.content)) != token.id and tokenizer.ids.get(token.content) == token.id:
            raise Refused(f"the added token {token.content!r} of id {token.id} came out as {at}")
    return engine


def _from_file(path: Path) -> Any:
    from tokenizers import Tokenizer as Engine

    try:
        engine = Engine.from_file(str(path))
    except Exception as error:  # the library raises bare exceptions
        raise Refused(f"{path.name} is refused by the tokenizers library: {error}") from None
    engine.no_truncation()
    engine.no_padding()
    return engine


def _around(tokenizer: Tokenizer, template: list[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Ids before and behind a text."""
    bos, eos = (tokenizer.special_ids.get(name, (None, ""))[0] for name in ("bos", "eos"))
    cut = len(template) if not template or template[-1] != eos else len(template) - 1
    opens, closes = tuple(template[:cut]), tuple(template[cut:])
    if tokenizer.add_bos is not None and (tokenizer.add_bos is False or bos is not None):
        opens = (int(bos),) if tokenizer.add_bos and bos is not None else ()
    if tokenizer.add_eos is not None and (tokenizer.add_eos is False or eos is not None):
        closes = (int(eos),) if tokenizer.add_eos and eos is not None else ()
    return opens, closes


def _byte_level(tokenizer: Tokenizer) -> Any:
    from tokenizers import Regex, decoders, normalizers, pre_tokenizers
    from tokenizers import Tokenizer as Engine

    name = tokenizer.pre or "gpt-2"
    cut = CUTS.get("gpt-2" if name == "default" else name)
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
    engine.normalizer = normalizers.Sequence([normalizers.Prepend(_SPACE), normalizers.Replace(" ", _SPACE)])
    space, strip = decoders.Replace(_SPACE, " "), decoders.Strip(content=" ", left=1)
    engine.decoder = decoders.Sequence([space, decoders.ByteFallback(), decoders.Fuse(), strip])
    return engine


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
