"""Owns encoding with the `tokenizers` library: a tokenizer.json, or one rebuilt from what a GGUF or .apr carries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from model_contracts.anatomy.tokenizers.tokenizer_kinds import adds
from model_contracts.anatomy.tokenizers.tokenizer_sections import canonical
from model_contracts.artifact import Artifact
from model_contracts.runtimes.interface import Refused
from model_contracts.runtimes.text.rebuilding import rebuilt
from model_contracts.vocabulary import AddedToken, Tokenizer

#: What files of an architecture have where an .apr does not name its pre-tokenizer (apr writes none).
_USUAL = {"qwen2": "qwen2", "llama": "llama-bpe", "mistral": "llama-bpe"}


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
    if artifact.form.beside:
        engine = _from_file(tokenizer.origin)
        # What tokenizer.json puts around a text, unless tokenizer_config.json says otherwise.
        opens, closes = _around(tokenizer, *_framed(tokenizer, engine))
        return Encoder(engine, opens, closes, tokenizer.origin.name)
    said = [adds(artifact, tokenizer, flag) for flag in ("add_bos", "add_eos")]
    opens, closes = _around(replace(tokenizer, add_bos=said[0], add_eos=said[1]), (), ())
    whole, assumed = completed(artifact, tokenizer)
    return Encoder(rebuilt(whole), opens, closes, f"rebuilt from {tokenizer.origin.name}", assumed)


def completed(artifact: Artifact, tokenizer: Tokenizer) -> tuple[Tokenizer, tuple[str, ...]]:
    """A tokenizer with what an .apr does not carry taken as usual, and what was assumed, in words.

    apr writes neither the name of a pre-tokenizer nor types of tokens, and its own reader goes by the same looks.
    """
    assumed: list[str] = []
    if not artifact.form.bare_tokenizer or tokenizer.algorithm != "BPE":
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


def _from_file(path: Path) -> Any:
    from tokenizers import Tokenizer as Engine

    try:
        engine = Engine.from_file(str(path))
    except Exception as error:  # the library raises bare exceptions
        raise Refused(f"{path.name} is refused by the tokenizers library: {error}") from None
    engine.no_truncation()
    engine.no_padding()
    return engine


def _framed(tokenizer: Tokenizer, engine: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What the post-processor puts before and behind a text; one that is no template opens texts only."""
    template = canonical("post_processor", (tokenizer.sections or {}).get("post_processor"))
    if not isinstance(template, dict) or template.get("type") != "template":
        return tuple(engine.encode("", add_special_tokens=True).ids), ()
    single = template["single"]
    at = next((number for number, piece in enumerate(single) if piece[0] == "A"), len(single))
    before, behind = (
        tuple(one for piece in pieces if isinstance(piece[0], list) for one in piece[0] if isinstance(one, int))
        for pieces in (single[:at], single[at + 1 :])
    )
    return before, behind


def _around(
    tokenizer: Tokenizer, opens: tuple[int, ...], closes: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Ids before and behind a text, where flags say otherwise than the template."""
    bos, eos = (tokenizer.special_ids.get(name, (None, ""))[0] for name in ("bos", "eos"))
    if tokenizer.add_bos is not None and (tokenizer.add_bos is False or bos is not None):
        opens = (int(bos),) if tokenizer.add_bos and bos is not None else ()
    if tokenizer.add_eos is not None and (tokenizer.add_eos is False or eos is not None):
        closes = (int(eos),) if tokenizer.add_eos and eos is not None else ()
    return opens, closes
