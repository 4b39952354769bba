"""Owns what a golden file is: what one model answered to stored prompts, so that another is held to it without it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from model_contracts.outcome import Record

Digest = Annotated[str, Field(pattern="^blake3:[0-9a-f]{64}$")]
Base64 = Annotated[str, Field(pattern="^[A-Za-z0-9+/]*={0,2}$")]
TokenId = Annotated[int, Field(ge=0, lt=1 << 31)]


class Message(Record):
    """One turn of a chat."""

    role: str
    content: str


class Answers(Record):
    """Next-token distributions after each of the first `positions` tokens, the k likeliest tokens of each.

    A log-probability is natural: the logit less the log-sum-exp of the logits of the whole vocabulary, so that the
    exponentials of a position's k values and the mass of the rest add up to one.
    """

    positions: int = Field(ge=2, le=1 << 20)
    ids: Base64 = Field(description="Token ids, likeliest first: [positions, k] little-endian unsigned 32-bit.")
    log_probabilities: Base64 = Field(
        description="Natural log-probabilities, logit - log-sum-exp: [positions, k] little-endian 32-bit floats."
    )
    rest: Base64 = Field(
        description="Probability of all other tokens together: [positions] little-endian 32-bit floats."
    )


class GoldenPrompt(Record):
    """A prompt, the token ids that the model made of it, and what it answered."""

    framing: Literal["plain", "code", "chat"]
    text: str | None = Field(None, description="Of the plain and code framings.")
    messages: tuple[Message, ...] = Field((), description="Of the chat framing.")
    rendered: str = Field(description="What was encoded: the text, or what the model's template made of the messages.")
    tokens: tuple[TokenId, ...] = Field(min_length=2, description="Ids of the prompt, beginning of sequence included.")
    spaced: tuple[TokenId, ...] | None = Field(
        None,
        description="Ids of what was encoded with the spaces that SentencePiece puts before texts, where the model's "
        "tokenizer puts others; none of them: they are not known.",
    )
    answers: Answers

    @model_serializer(mode="wrap")
    def _as_before(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Files from before the field keep their digests: it stands only where it says something."""
        told: dict[str, Any] = dump(self)
        if self.spaced is None:
            told.pop("spaced", None)
        return told


class Digests(Record):
    """What the file stands on, and what it holds."""

    model: Digest = Field(description="Of the weights file; of a set, over its files' digests in order.")
    tokenizer: Digest = Field(description="Of vocabulary, merges and added tokens in order.")
    prompts: Digest = Field(description="Of every prompt without its answers, as canonical JSON.")
    content: Digest = Field(description="Of the whole file without this digest, as canonical JSON.")


class Golden(Record):
    """What a model answered. Canonical JSON: sorted keys, no spaces, non-ASCII escaped."""

    version: Literal[1] = Field(description="Of this form.")
    model: str = Field(description="Name of the model that answered.")
    format: Literal["safetensors", "gguf", "apr"]
    runtime: str = Field(description="On what it ran.")
    versions: dict[str, str] = Field(description="Of the tool, of the runtime and of libraries that change a number.")
    seed: int = Field(description="From which the prompts were generated.")
    vocabulary: int = Field(ge=1, lt=1 << 31, description="Width of the model's logits.")
    top: int = Field(ge=1, description="k: how many tokens of each position are kept.")
    prompts: tuple[GoldenPrompt, ...] = Field(min_length=1)
    digests: Digests
