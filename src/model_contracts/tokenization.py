"""Owns what is known of tokenizers, as data: what a conversion keeps of each kind, and how each name cuts text."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, JsonValue, model_validator

from model_contracts.invariant import Definition
from model_contracts.outcome import Record


class Assumed(Record):
    """What a reader of the container takes where it declares nothing; null: the question does not arise."""

    add_bos: bool = Field(description="A beginning of sequence is put before a text.")
    add_eos: bool = Field(description="An end of sequence is put behind a text.")
    add_space_prefix: bool | None = Field(None, description="A space is put before a text.")
    remove_extra_whitespaces: bool | None = Field(None, description="Runs of spaces become one.")
    lowercase: bool | None = Field(None, description="Letters become small.")


class TokenizerKind(Record):
    """One kind of tokenizer, and what its conversion does to tokens, merges and scores."""

    gguf: tuple[str, ...] = Field(description="`tokenizer.ggml.model`.")
    tokens: Literal["as_they_are", "marked_words"] = Field(
        "as_they_are", description="marked_words: `##x` becomes `x`, and `x` becomes `▁x`; added tokens stay."
    )
    continuing: str | None = Field(None, description="What a piece that continues a word begins with.")
    merges: Literal["kept", "from_scores", "none"] = Field(
        "none", description="from_scores: the scores of tokens order what merges list."
    )
    scores: Literal["kept", "none"] = "none"
    assumed: Assumed
    normalizers: tuple[str, ...] = Field(description="Normalizers that a conversion of this kind may leave unsaid.")


class PreTokenizer(Record):
    """One way of cutting text before it is merged, and the names that llama.cpp gives it."""

    names: tuple[str, ...] = Field(min_length=1, description="`tokenizer.ggml.pre`; the first is the usual one.")
    cuts: tuple[str, ...] = Field(min_length=1, description="Names of the expressions that cut, one after another.")
    also: tuple[tuple[str, ...], ...] = Field((), description="Other expressions that publishers write for it.")
    nfc: bool = Field(False, description="Its publishers compose text first.")
    whole_words: bool = Field(False, description="A word that is a token is taken unmerged (ignore_merges).")
    adds_bos: bool = Field(False, description="Its readers put a BOS before a text where the file does not say.")
    byte_level: bool = Field(True, description="False: characters are merged, not letters that stand for bytes.")
    apart: str | None = Field(None, description="Texts that llama.cpp itself cuts otherwise than the expressions do.")


class Spelling(Record):
    """Two spellings of one part of an expression."""

    spelled: str = Field(min_length=1)
    means: str = Field(min_length=1)


class PreTokenizers(Definition):
    """Every way of cutting text that llama.cpp has a name for."""

    title: str
    expressions: dict[str, str] = Field(description="Regular expressions as the tokenizers library takes them.")
    spellings: tuple[Spelling, ...] = ()
    pretokenizers: tuple[PreTokenizer, ...]

    @model_validator(mode="after")
    def _told_once(self) -> Self:
        """Every name stands once, and what cuts is one of the expressions."""
        names = [name for one in self.pretokenizers for name in one.names]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"pre-tokenizers named twice: {', '.join(twice)}")
        cuts = {name for one in self.pretokenizers for names in (one.cuts, *one.also) for name in names}
        if unknown := sorted(cuts - set(self.expressions)):
            raise ValueError(f"no such expressions: {', '.join(unknown)}")
        return self


class Ignored(Record):
    """An option (or, where it is null, a whole part) of tokenizer.json that changes nothing, and why."""

    section: str
    type: str
    option: str | None
    reason: str = Field(min_length=1)


class Filled(Record):
    """Special ids that the converter of an architecture writes of itself, and why they decide nothing."""

    architectures: tuple[str, ...] = Field(min_length=1, description="`general.architecture`.")
    ids: tuple[str, ...] = Field(min_length=1, description="bos, unk, pad …")
    reason: str = Field(min_length=1)


class IdSetting(Record):
    """A key of tokenizer_config.json that changes the ids of a text, and what readers assume where it is absent."""

    key: str
    assumed: JsonValue = Field(description="Null says the same.")
    kinds: tuple[str, ...] = Field((), description="Kinds of tokenizers of which an absent key means that.")


class Tokenizers(Definition):
    """Every kind of tokenizer that is understood, and what tokenizer.json leaves unsaid."""

    title: str
    kinds: dict[str, TokenizerKind]
    classes: dict[str, Assumed] = Field(default_factory=dict, description="Class of tokenizer_config.json to its ways.")
    filled: tuple[Filled, ...] = ()
    settings: tuple[IdSetting, ...] = ()
    defaults: dict[str, dict[str, JsonValue]] = Field(description="Type of a part to its options and what they are.")
    ignored: tuple[Ignored, ...]
