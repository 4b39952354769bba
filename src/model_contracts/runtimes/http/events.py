"""Owns how the answer of a server in OpenAI's form is read: a JSON object, or server-sent events up to `[DONE]`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from model_contracts.runtimes.http.exchange import Reply
from model_contracts.runtimes.interface import WrongAnswer

#: No count of tokens is larger.
_MOST_TOKENS = 1 << 31


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of an answer, and the counts of tokens that came with it."""

    text: str
    completion_tokens: int | None
    prompt_tokens: int | None


def whole(reply: Reply, kind: str) -> Piece:
    """An answer in one JSON object. Raises WrongAnswer for one that holds no text."""
    value = _json(reply, b"".join(reply.data()))
    choice = _choice(value)
    text = _text(choice if kind == "completion" else choice.get("message"), kind)
    if text is None:
        raise WrongAnswer(f"the server answers {reply.route} without a text", str(value)[:2000])
    return _piece(reply, value, text)


def pieces(reply: Reply, kind: str) -> Iterator[Piece]:
    """The pieces of a streamed answer, as they come. Raises WrongAnswer for a stream without its end, or an error."""
    for data in _events(reply):
        if data == b"[DONE]":
            return
        value = _json(reply, data)
        if isinstance(value, dict) and value.get("error"):
            raise WrongAnswer(f"the server ends its stream of {reply.route} with an error: {str(value['error'])[:500]}")
        choice = _choice(value)
        yield _piece(reply, value, _text(choice if kind == "completion" else choice.get("delta"), kind) or "")
    raise WrongAnswer(f"the stream of {reply.route} ended without [DONE]")


def _events(reply: Reply) -> Iterator[bytes]:
    """The data of each server-sent event (HTML Living Standard, 9.2.6); comments and other fields are passed over."""
    held: list[bytes] = []
    for line in _lines(reply):
        field, _, value = line.partition(b":")
        if not line and held:
            yield b"\n".join(held)
            held = []
        elif field == b"data":
            held.append(value.removeprefix(b" "))
    if held:
        yield b"\n".join(held)


def _lines(reply: Reply) -> Iterator[bytes]:
    left = bytearray()
    for data in reply.data():
        seen = max(len(left) - 1, 0)
        left += data
        while (end := left.find(b"\n", seen)) >= 0:
            yield bytes(left[:end]).removesuffix(b"\r")
            del left[: end + 1]
            seen = 0
    if left:
        yield bytes(left)


def _json(reply: Reply, data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise WrongAnswer(f"the server answers {reply.route} with what is no JSON: {data[:80]!r}") from None


def _choice(value: Any) -> dict[str, Any]:
    choices = value.get("choices") if isinstance(value, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def _text(value: Any, kind: str) -> str | None:
    """What the model said; what it thought before (llama.cpp's `reasoning_content`) is part of it."""
    names = ("text",) if kind == "completion" else ("reasoning_content", "content")
    parts = [value.get(name) for name in names] if isinstance(value, dict) else []
    found = [part for part in parts if isinstance(part, str)]
    return "".join(found) if found else None


def _piece(reply: Reply, value: Any, text: str) -> Piece:
    """The counts are OpenAI's `usage`; llama.cpp streams a chat with `timings` in its place (its server's README)."""
    usage, timings = (value.get(name) if isinstance(value, dict) else None for name in ("usage", "timings"))
    usage, timings = (part if isinstance(part, dict) else {} for part in (usage, timings))
    made = usage.get("completion_tokens", timings.get("predicted_n"))
    asked = usage.get("prompt_tokens")
    if asked is None and {"cache_n", "prompt_n"} <= timings.keys():
        asked = _count(reply, timings["cache_n"]) + _count(reply, timings["prompt_n"])
    return Piece(text, *(None if number is None else _count(reply, number) for number in (made, asked)))


def _count(reply: Reply, value: Any) -> int:
    if type(value) is not int or not 0 <= value < _MOST_TOKENS:
        raise WrongAnswer(f"the server answers {reply.route} with {str(value)[:80]} tokens")
    return value
