"""Questions to a server: every way to answer them badly is told apart, and nobody is waited for beyond the time."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable

import pytest

from model_contracts.runtime import ServerRoute, ServerRoutes
from model_contracts.runtimes.http import exchange
from model_contracts.runtimes.http.asking import ServedAnswer, ServedAnswers, serve_exchange
from model_contracts.runtimes.interface import Crashed, Refused, RuntimeFailure, TimedOut, WrongAnswer

CHAT = [{"role": "user", "content": "hello"}]
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
Answer = bytes | Callable[[socket.socket], None]


def said(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def streamed(*events: bytes, done: bytes = b"data: [DONE]\n\n") -> bytes:
    return b"HTTP/1.1 200 OK\r\n\r\n" + b"".join(b"data: " + event + b"\n\n" for event in events) + done


def event(text: str | None, kind: str = "completion", **more: object) -> bytes:
    choice = {"text": text} if kind == "completion" else {"delta": {"content": text}}
    return json.dumps({"choices": [choice], **more}).encode()


WELL: dict[tuple[str, bool], Answer] = {
    ("/v1/completions", False): said(json.dumps({"choices": [{"text": "a b"}], "usage": USAGE}).encode()),
    ("/v1/completions", True): streamed(event("a"), event(" b"), event("", usage=USAGE)),
    ("/v1/chat/completions", False): said(
        json.dumps({"choices": [{"message": {"content": "c"}}], "usage": USAGE}).encode()
    ),
    ("/v1/chat/completions", True): streamed(event(None, "chat"), event("c", "chat"), event(None, "chat")),
}


class Scripted:
    """A server that sends what it is told to, byte for byte, and keeps what it was asked."""

    def __init__(self, answers: dict[tuple[str, bool], Answer]) -> None:
        self.answers, self.asked = {**WELL, **answers}, []
        self.ends = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._listening.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._answer, args=(caller,), daemon=True))
            self._threads[-1].start()

    def _answer(self, caller: socket.socket) -> None:
        with caller, caller.makefile("rb") as stream:
            route, length = stream.readline().split()[1].decode(), 0
            while line := stream.readline().strip():
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            body = json.loads(stream.read(length))
            self.asked.append((route, body))
            answer = self.answers.get((route, body.get("stream", False)), said(b"{}", "404 Not Found"))
            try:
                answer(caller) if callable(answer) else caller.sendall(answer)
            except OSError:
                return

    def close(self) -> None:
        self.ends.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join(10)


@pytest.fixture
def serves():
    """Starts a scripted server; after the test, no thread that the questions started is left."""
    before, servers = set(threading.enumerate()), []

    def one(**answers: Answer) -> Scripted:
        names = {"completion": ("/v1/completions", False), "completion_streamed": ("/v1/completions", True)}
        names |= {"chat": ("/v1/chat/completions", False), "chat_streamed": ("/v1/chat/completions", True)}
        servers.append(Scripted({names[name]: answer for name, answer in answers.items()}))
        return servers[-1]

    yield one
    for server in servers:
        server.close()
    assert set(threading.enumerate()) - before == set()


def ask(server: Scripted, seconds: float = 20.0, routes: ServerRoutes | None = None) -> ServedAnswers:
    return serve_exchange(server.address, "hello", CHAT, 2, seconds, routes)


def failed(answer: object) -> RuntimeFailure:
    assert isinstance(answer, RuntimeFailure), answer
    return answer


def test_every_question_is_asked_and_answered(serves):
    server = serves()
    told = ask(server)
    answers = dict(told.asked())
    assert list(answers) == [
        "completion",
        "completion_streamed",
        "chat",
        "chat_streamed",
        "completion_at_once_1",
        "chat_at_once_2",
    ]
    assert all(isinstance(answer, ServedAnswer) for answer in answers.values())
    assert [answer.text for answer in answers.values()] == ["a b", "a b", "c", "c", "a b", "c"]
    assert [answer.pieces for answer in answers.values()] == [1, 2, 1, 1, 1, 1]
    assert (told.completion.completion_tokens, told.completion.prompt_tokens) == (2, 3)
    assert (told.completion_streamed.completion_tokens, told.chat_streamed.completion_tokens) == (2, None)
    assert told.completion.first_token_seconds is None
    assert 0 < told.completion_streamed.first_token_seconds <= told.completion_streamed.seconds
    route, body = server.asked[0]
    assert (route, body) == (
        "/v1/completions",
        {"model": "m", "prompt": "hello", "max_tokens": 2, "temperature": 0},
    )


def test_two_questions_are_open_at_the_same_moment(serves):
    both = threading.Barrier(2, timeout=10)
    answer = WELL["/v1/completions", False]
    assert isinstance(answer, bytes)
    seen = []

    def waits(caller: socket.socket) -> None:
        seen.append(1)
        if len(seen) > 1:
            both.wait()
        caller.sendall(answer)

    told = ask(serves(completion=waits, chat=said(b"{}", "404 Not Found")))
    assert [(one.question, one.answer.text) for one in told.at_once] == [("completion", "a b")] * 2


def test_llama_cpp_tells_counts_of_a_streamed_chat_as_timings(serves):
    timings = {"cache_n": 20, "prompt_n": 1, "predicted_n": 4}
    told = ask(serves(chat_streamed=streamed(event("c", "chat"), event(None, "chat", timings=timings))))
    assert (told.chat_streamed.completion_tokens, told.chat_streamed.prompt_tokens) == (4, 21)


def test_what_a_model_thought_before_it_spoke_is_part_of_its_answer(serves):
    message = {"reasoning_content": "hm. ", "content": "4"}
    told = ask(serves(chat=said(json.dumps({"choices": [{"message": message}]}).encode())))
    assert (told.chat.text, told.chat.completion_tokens) == ("hm. 4", None)


def test_events_may_be_cut_anywhere_and_end_their_lines_as_they_like(serves):
    raw = b": a comment\r\nevent: x\r\ndata:" + event("é") + b"\r\n\r\ndata: [DONE]\r\n\r\n"
    chunks = b"".join(b"1\r\n" + raw[at : at + 1] + b"\r\n" for at in range(len(raw))) + b"0\r\n\r\n"
    told = ask(serves(completion_streamed=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks))
    assert told.completion_streamed.text == "é"


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (said(b'{"error": "no such\\nroute"}', "404 Not Found"), Refused, "answers 404 to /v1/completions: .*no such"),
        (said(b"not recorded", "501 Not Implemented"), Refused, "answers 501 .*: not recorded"),
        (said(b"", "422 Unprocessable"), Refused, "answers 422 .*: nothing"),
        (said(b"x", "302 Found"), WrongAnswer, "answers 302"),
        (said(b"abort", "500 Internal Server Error"), WrongAnswer, "answers 500 .*: abort"),
        (said(b"four"), WrongAnswer, "no JSON: b'four'"),
        (said(b"[" * 100_000), WrongAnswer, "no JSON"),
        (said(b"{}"), WrongAnswer, "without a text"),
        (said(b'{"choices": [{"text": null}]}'), WrongAnswer, "without a text"),
        (said(b'{"choices": [{"text": "a"}], "usage": {"completion_tokens": -1}}'), WrongAnswer, "with -1 tokens"),
        (said(b'{"choices": [{"text": "a"}], "usage": {"completion_tokens": true}}'), WrongAnswer, "with True tokens"),
        (b"\x00\x01\x02 hello\r\n\r\n", WrongAnswer, "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{", Crashed, "broke off"),
        (b"", Crashed, "does not answer /v1/completions"),
    ],
)
def test_one_bad_answer_is_told_where_it_came_and_the_others_are_asked(serves, answer, kind, words):
    told = ask(serves(completion=answer))
    failure = failed(told.completion)
    assert type(failure) is kind
    assert failure.reason.count("\n") == 0
    with pytest.raises(kind, match=words):
        raise failure
    assert [told.completion_streamed.text, told.chat.text, told.chat_streamed.text] == ["a b", "c", "c"]
    assert [one.question for one in told.at_once] == ["chat", "chat"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (streamed(event("a"), done=b""), r"ended without \[DONE\]"),
        (streamed(event("a"), b'{"error": {"message": "NaN"}}'), "error: .*NaN"),
        (streamed(b"a b"), "no JSON: b'a b'"),
        (WELL["/v1/completions", False], r"ended without \[DONE\]"),
    ],
)
def test_a_stream_that_does_not_end_as_one_is_a_wrong_answer(serves, answer, words):
    with pytest.raises(WrongAnswer, match=words):
        raise failed(ask(serves(completion_streamed=answer)).completion_streamed)


def test_an_empty_answer_is_an_answer_of_no_text_for_a_gate_to_judge(serves):
    told = ask(serves(completion=said(b'{"choices": [{"text": ""}]}'), completion_streamed=streamed()))
    assert [(one.text, one.pieces, one.completion_tokens) for one in (told.completion, told.completion_streamed)] == [
        ("", 0, None)
    ] * 2
    assert told.completion_streamed.first_token_seconds is None


def test_more_than_is_read_is_a_wrong_answer(serves, monkeypatch):
    monkeypatch.setattr(exchange, "MOST_BYTES", 1000)
    with pytest.raises(WrongAnswer, match="more than 1,000 bytes"):
        raise failed(ask(serves(completion=said(b" " * 2000))).completion)


@pytest.mark.parametrize("way", ["silent", "drips", "drips_events", "drips_headers"])
def test_time_is_up_for_whoever_goes_on_and_what_was_not_asked_says_so(serves, way):
    begins = {"silent": b"", "drips": b"HTTP/1.1 200 OK\r\n\r\n", "drips_headers": b"HTTP/1.1 200 OK\r\nX: "}
    begin, piece = begins.get(way, b"HTTP/1.1 200 OK\r\n\r\n"), b": x\n" if way == "drips_events" else b" "

    def goes_on(caller: socket.socket) -> None:
        caller.sendall(begin)
        while not server.ends.wait(0.01):
            if way != "silent":
                caller.sendall(piece)

    server = serves(completion_streamed=goes_on)
    told = ask(server, seconds=0.4)
    assert told.completion.text == "a b"
    for answer in (told.completion_streamed, told.chat, told.chat_streamed):
        with pytest.raises(TimedOut, match=r"within the time of the exchange \(0.4 s\)"):
            raise failed(answer)
    assert [type(one.answer) for one in told.at_once] == [TimedOut, TimedOut]


def test_a_route_that_is_not_declared_is_not_asked(serves):
    server = serves()
    told = ask(server, routes=ServerRoutes(completions=ServerRoute(route="/v1/completions", streams=False)))
    assert "declared not to stream" in failed(told.completion_streamed).reason
    assert {type(told.chat), type(told.chat_streamed)} == {Refused}
    assert {(route, body.get("stream")) for route, body in server.asked} == {("/v1/completions", None)}


def test_nobody_there_is_a_crash_of_every_question():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    told = serve_exchange(f"http://127.0.0.1:{port}", "x", CHAT, 2, 5.0)
    assert {type(answer) for _, answer in told.asked()} == {Crashed}
    assert told.at_once == ()


@pytest.mark.parametrize(
    "address", ["http://192.0.2.1:80", "http://127.0.0.1:0", "https://127.0.0.1:1", "http://127.0.0.1:80@192.0.2.1:80"]
)
def test_only_loopback_is_asked(address):
    with pytest.raises(Refused, match="no address of a server on loopback"):
        serve_exchange(address, "x", CHAT, 2, 1.0)
