"""Owns the HTTP server of a transformers session: OpenAI's routes on loopback, greedy, one generation at a time.

`GET /health`; `POST /v1/completions`, `/v1/chat/completions` (whole, or as server-sent events) and `/tokenize`.
No body that is larger than MOST_BODY is read, and a connection that says nothing for IDLE seconds is closed.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, islice
from socket import socket
from typing import Any, ClassVar, Protocol

from model_contracts.runtimes.interface import RuntimeFailure, WrongAnswer
from model_contracts.runtimes.transformers.bodies import Asked, BadBody, Chat, CompletionBody, Tokenize, held

#: Bytes of a body, connections at once, seconds a connection may be silent.
MOST_BODY, MOST_CONNECTIONS, IDLE = 4 << 20, 32, 30.0


class Generating(Protocol):
    """What a server needs of a loaded model. Methods raise RuntimeFailure; `lock` is held by whoever generates."""

    lock: threading.Lock
    context: int | None

    def tokens(self, text: str, add_special: bool) -> list[int]:
        """Token ids."""
        ...

    def text(self, tokens: list[int]) -> str:
        """The text of ids."""
        ...

    def render(self, messages: list[Any], add_generation_prompt: bool, tools: list[Any] | None) -> str:
        """The chat template's prompt."""
        ...

    def greedy(self, tokens: list[int], count: int) -> Iterator[int]:
        """Likeliest tokens one by one, `count` at most; fewer where one ends the text."""
        ...


class OpenAiServer:
    """A server on a free port of loopback; its threads are daemons and end with the process at the latest."""

    def __init__(self, model: Generating) -> None:
        handler = type("Handler", (_Handler,), {"model": model})
        self._http = _Http(("127.0.0.1", 0), handler)
        self.address = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer nobody any more."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Http(ThreadingHTTPServer):
    daemon_threads, block_on_close, request_queue_size = True, False, MOST_CONNECTIONS

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """Whoever asked went away: that is said to nobody."""


class _Handler(BaseHTTPRequestHandler):
    model: ClassVar[Generating]
    timeout = IDLE
    server_version, sys_version = "model-contracts", ""

    def do_GET(self) -> None:
        """Ready, once there is a server: the model was loaded before."""
        if self.path == "/health":
            self._say(200, {"status": "ok"})
        else:
            self._say(404, _error(404, f"there is no {self.path[:200]}"))

    def do_POST(self) -> None:
        """An answer, or a status that says why there is none."""
        routes = {
            "/v1/completions": self._completion,
            "/v1/chat/completions": self._chat,
            "/tokenize": self._tokenize,
        }
        try:
            if (answer := routes.get(self.path)) is None:
                raise BadBody(404, f"there is no {self.path[:200]}")
            answer(self._body())
        except BadBody as refused:
            self._say(refused.status, _error(refused.status, refused.said))
        except RuntimeFailure as failure:
            status = 500 if isinstance(failure, WrongAnswer) else 501
            self._say(status, _error(status, failure.reason))

    def _body(self) -> Any:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or len(length) > 12:
            raise BadBody(411, "a body of a stated length is expected")
        if int(length) > MOST_BODY:
            raise BadBody(413, f"a body of {int(length):,} bytes; {MOST_BODY:,} are read")
        try:
            return json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            raise BadBody(400, "the body is no JSON") from None

    def _tokenize(self, body: Any) -> None:
        asked = held(Tokenize, body)
        self._say(200, {"tokens": self.model.tokens(asked.content, asked.add_special)})

    def _completion(self, body: Any) -> None:
        asked = held(CompletionBody, body)
        prompt = self.model.tokens(asked.prompt, True) if isinstance(asked.prompt, str) else asked.prompt
        self._answer(asked, prompt, "text_completion", lambda text, _: {"text": text})

    def _chat(self, body: Any) -> None:
        asked = held(Chat, body)
        rendered = self.model.render([message.model_dump() for message in asked.messages], True, None)

        def shown(text: str, part: bool) -> dict[str, Any]:
            return {"delta" if part else "message": {"role": "assistant", "content": text}}

        kind = "chat.completion.chunk" if asked.stream else "chat.completion"
        self._answer(asked, self.model.tokens(rendered, False), kind, shown)

    def _answer(self, asked: Asked, prompt: list[int], kind: str, shown: Any) -> None:
        if self.model.context is not None and len(prompt) + asked.max_tokens > self.model.context:
            said = (
                f"{len(prompt):,} and {asked.max_tokens:,} tokens are more than the {self.model.context:,} of the model"
            )
            raise BadBody(400, said)
        made: list[int] = []

        def part(text: str, reason: str | None = None) -> dict[str, Any]:
            choice = {"index": 0, **shown(text, asked.stream), "finish_reason": reason}
            return {"object": kind, "created": int(time.time()), "model": asked.model, "choices": [choice]}

        def last(text: str) -> dict[str, Any]:
            counts = {"prompt_tokens": len(prompt), "completion_tokens": len(made)}
            usage = counts | {"total_tokens": len(prompt) + len(made)}
            return part(text, "length" if len(made) == asked.max_tokens else "stop") | {"usage": usage}

        with self.model.lock:
            answer = self.model.greedy(prompt, asked.max_tokens)
            if asked.stream:
                self._stream(answer, made, part, last)
            else:
                made += answer
                self._say(200, last(self.model.text(made)))

    def _stream(self, answer: Iterator[int], made: list[int], part: Any, last: Any) -> None:
        first = list(islice(answer, 1))  # what is refused is refused before the first byte of a 200
        self._begin(200, "text/event-stream")
        try:
            for text in _texts(self.model, _kept(chain(first, answer), made)):
                self._event(part(text))
        except RuntimeFailure as failure:
            self._event(_error(500, failure.reason))
            return
        self._event(last(""))
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, value: Any) -> None:
        self.wfile.write(b"data: " + json.dumps(value).encode() + b"\n\n")
        self.wfile.flush()

    def _begin(self, status: int, kind: str, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _say(self, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self._begin(status, "application/json", len(body))
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Requests are no facts of a run."""


def _error(status: int, said: str) -> dict[str, Any]:
    return {"error": {"code": status, "message": said}}


def _kept(tokens: Iterator[int], made: list[int]) -> Iterator[int]:
    for token in tokens:
        made.append(token)
        yield token


def _texts(model: Generating, tokens: Iterator[int]) -> Iterator[str]:
    """The text that each token adds; bytes of a character that is not whole yet wait for the rest of it.

    A window of the tokens is decoded twice, without and with the new one: a decoder may treat the first token of a text
    in its own way (SentencePiece drops its space), and to decode all of them each time takes the square of the time.
    """
    window: list[int] = []
    known = 0
    for token in tokens:
        window.append(token)
        before, after = model.text(window[:known]), model.text(window)
        if len(after) > len(before) and not after.endswith("\N{REPLACEMENT CHARACTER}"):
            yield after[len(before) :]
            window, known = window[known:], len(window) - known
    if (left := model.text(window)[len(model.text(window[:known])) :]) != "":
        yield left
