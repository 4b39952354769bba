"""Owns questions to a server of a model on loopback: completion and chat, whole and streamed, and two at once.

The forms are OpenAI's, as llama.cpp's server, `apr serve run` and ours take them. What each question came to is told
for itself: a route that a server lacks is Refused there, and the other questions are asked all the same. Nothing is
left behind: every connection is closed and every thread has ended when `serve_exchange` comes back.

    with runtime("llamacpp").open(path, limits) as session:
        answers = serve_exchange(session.address(), "2 + 2 =", [{"role": "user", "content": "2 + 2?"}], 16, 60.0,
                                 session.routes)
        for question, answer in answers.asked():   # answer: ServedAnswer, or the RuntimeFailure that came instead
            ...
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

from model_contracts.runtime import ServerRoute, ServerRoutes
from model_contracts.runtimes.http.events import Piece, pieces, whole
from model_contracts.runtimes.http.exchange import Deadline, Reply, exchange
from model_contracts.runtimes.interface import Refused, RuntimeFailure

#: Of a server here nobody asks for the name of its model.
_MODEL = "m"
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\]):([0-9]{1,5})/?")

Question = Literal["completion", "completion_streamed", "chat", "chat_streamed"]


@dataclass(frozen=True, slots=True)
class ServedAnswer:
    """What a server answered to one question. Token counts are those that it told itself (None: it told none)."""

    text: str
    completion_tokens: int | None
    prompt_tokens: int | None
    #: Seconds from the question to the first piece that holds text; None where it was not streamed, or held none.
    first_token_seconds: float | None
    #: Seconds from the question to the end of the answer.
    seconds: float
    #: Events that held text (1 where it was not streamed).
    pieces: int


#: An answer, or why there is none: Refused (the route is not declared, 4xx, 501), WrongAnswer (another 5xx, or a body
#: that is no answer), Crashed (nobody answers, or it broke off), TimedOut.
Answered = ServedAnswer | RuntimeFailure


@dataclass(frozen=True, slots=True)
class Together:
    """One of two questions that were asked at the same moment, and which of the four it repeats."""

    question: Question
    answer: Answered


@dataclass(frozen=True, slots=True)
class ServedAnswers:
    """What came of every question; `at_once` repeats two that were answered (or one twice), none where none was."""

    completion: Answered
    completion_streamed: Answered
    chat: Answered
    chat_streamed: Answered
    at_once: tuple[Together, ...]

    def asked(self) -> Iterator[tuple[str, Answered]]:
        """Every question by name, those at once as `completion_at_once` …, and what came of it."""
        for name in ("completion", "completion_streamed", "chat", "chat_streamed"):
            yield name, getattr(self, name)
        for place, together in enumerate(self.at_once, 1):
            yield f"{together.question}_at_once_{place}", together.answer


def serve_exchange(
    address: str,
    prompt: str,
    messages: Sequence[Mapping[str, str]],
    max_tokens: int,
    seconds: float,
    routes: ServerRoutes | None = None,
) -> ServedAnswers:
    """Ask a server (`http://127.0.0.1:PORT`) everything, greedily, within `seconds` for all of it together.

    `routes` are those of `session.routes`; OpenAI's, streaming, where none are given. Raises Refused for an address
    that is not on loopback; every other failure stands in the answer that it took the place of.
    """
    place = _LOOPBACK.fullmatch(address)
    if place is None or not 0 < int(place[2]) < 1 << 16:
        raise Refused(f"{address[:200]} is no address of a server on loopback")
    routes = routes or ServerRoutes(
        completions=ServerRoute(route="/v1/completions"), chat=ServerRoute(route="/v1/chat/completions")
    )
    common = {"model": _MODEL, "max_tokens": max_tokens, "temperature": 0}
    chat = {"messages": [dict(message) for message in messages], **common}
    asking = _Asking(place[1].strip("[]"), int(place[2]), Deadline(seconds))
    asked: dict[Question, Callable[[], Answered]] = {
        "completion": lambda: asking.one("completion", routes.completions, {"prompt": prompt, **common}, False),
        "completion_streamed": lambda: asking.one("completion", routes.completions, {"prompt": prompt, **common}, True),
        "chat": lambda: asking.one("chat", routes.chat, chat, False),
        "chat_streamed": lambda: asking.one("chat", routes.chat, chat, True),
    }
    told = {question: ask() for question, ask in asked.items()}
    answered = [question for question in ("completion", "chat") if isinstance(told[question], ServedAnswer)]
    twice = (answered * 2)[:2] if len(answered) < 2 else answered
    with ThreadPoolExecutor(2) as threads:
        both = list(threads.map(lambda question: Together(question, asked[question]()), twice))
    return ServedAnswers(**told, at_once=tuple(both))


@dataclass(frozen=True, slots=True)
class _Asking:
    """One server, and when the time is up."""

    host: str
    port: int
    deadline: Deadline

    def one(self, kind: str, route: ServerRoute | None, body: dict[str, Any], streamed: bool) -> Answered:
        """One question and what came of it."""
        if route is None:
            return Refused(f"no route for a {kind} is declared")
        if streamed and not route.streams:
            return Refused(f"{route.route} is declared not to stream")
        # `stream: false` is what no member says: a body of the fewest members is understood by most servers.
        asked = body | {"stream": True} if streamed else body
        try:
            with exchange(self.host, self.port, route.route, asked, self.deadline) as reply:
                return _heard(reply, kind, streamed)
        except RuntimeFailure as failure:
            return failure


def _heard(reply: Reply, kind: str, streamed: bool) -> ServedAnswer:
    texts: list[str] = []
    first: float | None = None
    counts = Piece("", None, None)
    for piece in pieces(reply, kind) if streamed else (whole(reply, kind),):
        if piece.text:
            texts.append(piece.text)
            if streamed and first is None:
                first = time.monotonic() - reply.began
        counts = Piece(
            "",
            counts.completion_tokens if piece.completion_tokens is None else piece.completion_tokens,
            counts.prompt_tokens if piece.prompt_tokens is None else piece.prompt_tokens,
        )
    seconds = time.monotonic() - reply.began
    return ServedAnswer("".join(texts), counts.completion_tokens, counts.prompt_tokens, first, seconds, len(texts))
