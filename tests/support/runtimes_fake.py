"""Programs and child modules that misbehave in one way each: run as a program, or served by a session's child."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

#: Width of the rows that the fakes give.
VOCABULARY = 8


def _eat() -> None:
    held = []
    while True:
        held.append(bytearray(os.urandom(1 << 20) * 16))


def _hang() -> None:
    import signal

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        signal.pause()


def _abort() -> None:
    print("GGML_ASSERT(n_head > 0) failed", file=sys.stderr, flush=True)
    os.abort()


def _leave_a_child() -> None:
    """A program whose own child would outlive it."""
    if os.fork() == 0:
        _hang()
    _hang()


class Served:
    """A session's other side; `mode` says what it does when it is asked for tokens."""

    QUESTIONS = ("tokens", "logits", "complete")
    STREAMS = ("rows", "hidden_states")

    def __init__(self, mode: str) -> None:
        self._mode = mode

    def about(self) -> dict[str, Any]:
        return {"vocabulary": VOCABULARY, "questions": self.QUESTIONS}

    def tokens(self, text: str, add_special: bool) -> list[int]:
        breaks = {"abort": _abort, "hang": _hang, "eat": _eat, "children": _leave_a_child}
        if self._mode in breaks:
            breaks[self._mode]()
        if self._mode == "print":
            os.write(1, b"a line that native code prints\n")
        if self._mode == "raise":
            raise ValueError("a text that it does not like")
        if self._mode == "none":
            return []
        if self._mode == "words":
            return ["a"]  # type: ignore[list-item]
        return [len(word) for word in text.split()]

    def logits(self, tokens: list[int], top: int | None) -> Any:
        import numpy as np

        ids = np.tile(np.arange(VOCABULARY, dtype=np.int32), (len(tokens), 1))
        values = np.full(ids.shape, -np.log(VOCABULARY), np.float32)
        if self._mode == "short":
            ids, values = ids[:-1], values[:-1]
        if self._mode == "nan":
            values[2] = np.nan
        if self._mode == "outside":
            ids += 1
        if self._mode == "mass":
            values += 1
        return {"vocabulary": VOCABULARY}, (ids, values)

    def rows(self, emit: Any, tokens: list[int], start: int) -> None:
        import numpy as np

        for _ in tokens[start:]:
            emit(None, np.full((1, VOCABULARY), -np.log(VOCABULARY), np.float32))

    def hidden_states(self, emit: Any, tokens: list[int]) -> None:
        import numpy as np

        for layer in range(1_000_000 if self._mode == "endless" else 3):
            emit(f"layers.{layer}", np.full((len(tokens), 4), layer, np.float32))


def serve(mode: str) -> Served:
    """What the child asks for. Some modes fail while they load."""
    if mode == "abort_at_start":
        _abort()
    if mode == "hang_at_start":
        _hang()
    return Served(mode)


def _logits(tokens: str, *, drop: int = 0, value: float = 0.0) -> str:
    count = len(tokens.split(",")) - drop
    return json.dumps({"logits": [[value, *range(VOCABULARY - 1)] for _ in range(count)]})


def _serve_http(port: int) -> None:
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Handler(BaseHTTPRequestHandler):
        def _say(self, value: Any, code: int = 200) -> None:
            body = json.dumps(value).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self._say({"status": "ok"})

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path == "/die":
                _abort()
            ids = [len(word) for word in asked.get("text", asked.get("prompt", "")).split()]
            if self.path == "/tokenize":
                self._say({"token_ids": ids})
            elif self.path == "/generate":
                self._say({"token_ids": [*ids, *[7] * asked["max_tokens"]], "text": "seven"})
            else:
                self._say({"error": "no such route"}, 404)

        def log_message(self, *_: Any) -> None:
            return

    HTTPServer(("127.0.0.1", port), Handler).serve_forever()


def _serve_no_one(port: int, way: str) -> None:
    """A server that is never ready: no port, 503 for ever, silence, or something that is no HTTP."""
    import socket

    print("loading the model", flush=True)
    if way in ("closed", "forks"):
        _hang()
    listening = socket.create_server(("127.0.0.1", port))
    silent = []
    while True:
        caller, _ = listening.accept()
        if way == "silent":
            silent.append(caller)
            continue
        caller.recv(1 << 16)
        says = {"503": b"HTTP/1.1 503 Loading\r\nContent-Length: 0\r\n\r\n", "noise": b"\x00\x01 hello\r\n\r\n"}
        caller.sendall(says[way])
        caller.close()


def _program(mode: str, rest: list[str]) -> int:
    breaks = {"abort": _abort, "hang": _hang, "eat": _eat, "children": _leave_a_child}
    if mode in breaks:
        breaks[mode]()
    elif mode == "banner":
        print("loading took 12 ms\nAnswer:\nloaded\nAnswer:\nforty two\nCompleted in 0.04s")
    elif mode == "json":
        prompt = rest[0]
        print(json.dumps({"text": "x", "tokens": [1, 2], "prompt_tokens": len(prompt.split()) + 3}))
    elif mode == "no_json":
        print("I am sorry")
    elif mode == "logits":
        print(_logits(rest[0]))
    elif mode == "nan":
        print(_logits(rest[0], value=float("nan")))
    elif mode == "positions":
        print(_logits(rest[0], drop=1))
    elif mode == "serve":
        _serve_http(int(rest[0]))
    elif mode == "unready":
        way = Path(rest[2]).read_text()
        Path(rest[1]).write_text(str(os.getpid()))
        if way == "forks" and os.fork() == 0:
            os.setsid()
            Path(rest[1]).write_text(str(os.getpid()))
            _hang()
        _serve_no_one(int(rest[0]), way)
    elif mode == "pid":
        Path(rest[0]).write_text(str(os.getpid()))
        _hang()
    elif mode.isdigit():
        print(f"error: it ends with {mode}", file=sys.stderr)
        return int(mode)
    return 0


if __name__ == "__main__":
    sys.exit(_program(sys.argv[1], sys.argv[2:]))
