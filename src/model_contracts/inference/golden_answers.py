"""Owns a golden file's numbers: distributions to text and back, digests, and whether its parts fit each other."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import Any

import numpy as np

from model_contracts.golden import Answers, Golden
from model_contracts.runtimes.interface import LogProbabilities, TopLogits

#: How far probabilities of one position may be from adding up to one (32-bit floats of a long vocabulary).
_SLACK = 1e-3


def encoded(top: TopLogits) -> Answers:
    """Distributions as a golden file holds them."""
    rest = np.clip(1.0 - np.exp(top.values.astype(np.float64)).sum(axis=1), 0.0, 1.0)
    return Answers(
        positions=top.positions,
        ids=b64encode(top.ids.astype("<u4").tobytes()).decode(),
        log_probabilities=b64encode(top.values.astype("<f4").tobytes()).decode(),
        rest=b64encode(rest.astype("<f4").tobytes()).decode(),
    )


def decoded(answers: Answers, vocabulary: int) -> TopLogits:
    """What `encoded` was given. Raises ValueError where the arrays are not of one shape."""
    ids = np.frombuffer(b64decode(answers.ids, validate=True), "<u4").astype(np.int64)
    values = np.frombuffer(b64decode(answers.log_probabilities, validate=True), "<f4").astype(np.float32)
    if not ids.size or ids.size != values.size or ids.size % answers.positions:
        raise ValueError(f"{ids.size} ids and {values.size} log-probabilities for {answers.positions} positions")
    return TopLogits(ids.reshape(answers.positions, -1), values.reshape(answers.positions, -1), vocabulary)


def of_rows(rows: LogProbabilities, source: TopLogits, start: int) -> tuple[TopLogits, TopLogits]:
    """Whole rows [n, vocabulary] as the likeliest token and every token of the source's rows from `start`, and those.

    Nothing that the source lists is missing from it, so that the comparison is exact but for the tokens it lumps.
    """
    theirs = slice(start, start + rows.shape[0])
    known = TopLogits(source.ids[theirs], source.values[theirs], source.vocabulary)
    ids = np.concatenate([rows.argmax(axis=1)[:, None], known.ids], axis=1)
    return TopLogits(ids, np.take_along_axis(rows, ids, axis=1), source.vocabulary), known


def problems(golden: Golden) -> Iterator[str]:
    """How the parts of a golden file do not fit each other, each in one line."""
    if golden.top > golden.vocabulary:
        yield f"{golden.top} tokens a position of a vocabulary of {golden.vocabulary}"
    for name, digest in (("prompts", prompts_digest(golden)), ("content", content_digest(golden))):
        if digest != getattr(golden.digests, name):
            yield f"it does not match its digest of the {name}: it was edited or damaged"
    for at, prompt in enumerate(golden.prompts):
        if (prompt.framing == "chat") != bool(prompt.messages) or (prompt.framing == "chat") == (
            prompt.text is not None
        ):
            yield f"prompt {at}: a chat has messages, any other framing a text"
        if max(prompt.tokens) >= golden.vocabulary:
            yield f"prompt {at}: token {max(prompt.tokens)} of a vocabulary of {golden.vocabulary}"
        if (found := _misfit(prompt.answers, golden)) is not None:
            yield f"prompt {at}: {found}"
        if prompt.answers.positions > len(prompt.tokens):
            yield f"prompt {at}: {prompt.answers.positions} positions of {len(prompt.tokens)} tokens"


def _misfit(answers: Answers, golden: Golden) -> str | None:
    try:
        top = decoded(answers, golden.vocabulary)
        rest = np.frombuffer(b64decode(answers.rest, validate=True), "<f4")
    except ValueError as error:
        return str(error)[:200]
    if top.ids.shape[1] != golden.top or rest.size != top.positions:
        return f"{top.ids.shape[1]} tokens a position and {rest.size} rests, {golden.top} and {top.positions} said"
    if top.ids.max() >= golden.vocabulary:
        return f"token {top.ids.max()} of a vocabulary of {golden.vocabulary}"
    if (np.diff(np.sort(top.ids, axis=1), axis=1) == 0).any():
        return "a token twice at one position"
    # minus infinity is a probability of zero; NaN fails every comparison
    if not (top.values <= _SLACK).all() or not (np.diff(np.exp(top.values), axis=1) <= 0).all():
        return "log-probabilities above zero, not a number, or not likeliest first"
    if not (np.abs(np.exp(top.values.astype(np.float64)).sum(axis=1) + rest - 1.0) <= _SLACK).all():
        return "probabilities that do not add up to one"
    return None


def sealed(golden: Golden) -> Golden:
    """The same with the digests of its prompts and of its content."""
    for part, digest in (("prompts", prompts_digest), ("content", content_digest)):
        digests = golden.digests.model_copy(update={part: digest(golden)})
        golden = golden.model_copy(update={"digests": digests})
    return golden


def prompts_digest(golden: Golden) -> str:
    """Over the prompts without their answers."""
    return digest_of([prompt.model_dump(exclude={"answers"}) for prompt in golden.prompts])


def content_digest(golden: Golden) -> str:
    """Over the whole file but this digest."""
    return digest_of(golden.model_dump(exclude={"digests": {"content"}}))


def digest_of(value: Any) -> str:
    """BLAKE3 of a value as canonical JSON."""
    from blake3 import blake3

    digest = blake3()
    # Piece by piece: the numbers of a file are long, and a copy of all of them is not needed.
    for text in json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).iterencode(value):
        digest.update(text.encode())
    return f"blake3:{digest.hexdigest()}"
