"""The server of a transformers session, over a model that is a table: what it answers, and what it will not read."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator

import pytest

from model_contracts.runtimes.interface import Refused, WrongAnswer
from model_contracts.runtimes.transformers.server import MOST_BODY, OpenAiServer

#: One token a byte: 'é' is two of them.
ANSWER = list("né!\n".encode())


class Bytes:
    """Continues every prompt with the same bytes; counts how many generate at once."""

    context = 64

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now = self.most = 0
        self.answer, self.fails_at = ANSWER, -1

    def tokens(self, text: str, add_special: bool) -> list[int]:
        return [1] * add_special + list(text.encode())

    def text(self, tokens: list[int]) -> str:
        return bytes(tokens).decode("utf-8", "replace")

    def render(self, messages, add_generation_prompt, tools) -> str:
        if messages[0]["role"] == "tool":
            raise Refused("the chat template fails")
        return "".join(f"<{message['content']}>" for message in messages)

    def greedy(self, tokens: list[int], count: int) -> Iterator[int]:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            for at, token in enumerate(self.answer[:count]):
                if at == self.fails_at:
                    raise WrongAnswer("NaN among the logits")
                yield token
        finally:
            self.now -= 1


@pytest.fixture
def model():
    return Bytes()


@pytest.fixture
def ask(model):
    server = OpenAiServer(model)

    def one(method: str, route: str, body: object = None, **headers: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(server.address.removeprefix("http://"), timeout=10)
        sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection.request(method, route, sent, headers)
        answer = connection.getresponse()
        data = answer.read().decode()
        connection.close()
        return answer.status, data

    yield one
    server.close()


def events(data: str) -> list[str]:
    return [line.removeprefix("data: ") for line in data.split("\n\n") if line]


def test_it_is_ready_from_the_first_question_on(ask):
    assert ask("GET", "/health") == (200, '{"status": "ok"}')


def test_a_completion_tells_its_text_and_counts_its_tokens(ask):
    status, data = ask("POST", "/v1/completions", {"model": "m", "prompt": "ab", "max_tokens": 9, "temperature": 0})
    told = json.loads(data)
    assert (status, told["choices"][0]["text"], told["choices"][0]["finish_reason"]) == (200, "né!\n", "stop")
    assert told["usage"] == {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}


def test_token_ids_are_a_prompt_too_and_nothing_is_put_before_them(ask):
    told = json.loads(ask("POST", "/v1/completions", {"prompt": [5, 6], "max_tokens": 1})[1])
    assert (told["usage"]["prompt_tokens"], told["choices"][0]["finish_reason"]) == (2, "length")


def test_a_chat_is_framed_by_the_template_alone(ask):
    told = json.loads(ask("POST", "/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}]})[1])
    assert told["choices"][0]["message"] == {"role": "assistant", "content": "né!\n"}
    assert told["usage"]["prompt_tokens"] == 3


def test_a_stream_says_the_same_text_a_whole_character_at_a_time(ask):
    _, data = ask("POST", "/v1/completions", {"prompt": "ab", "max_tokens": 9, "stream": True})
    *parts, done = events(data)
    assert done == "[DONE]"
    assert [json.loads(part)["choices"][0]["text"] for part in parts] == ["n", "é", "!", "\n", ""]
    assert json.loads(parts[-1])["usage"]["completion_tokens"] == 5


def test_a_character_cut_by_the_limit_comes_as_it_is_when_it_is_not_streamed(ask):
    body = {"messages": [{"role": "user", "content": "x"}], "max_tokens": 2}
    whole = json.loads(ask("POST", "/v1/chat/completions", body)[1])["choices"][0]["message"]["content"]
    *parts, _ = events(ask("POST", "/v1/chat/completions", {**body, "stream": True})[1])
    assert whole == "n\N{REPLACEMENT CHARACTER}"
    assert "".join(json.loads(part)["choices"][0]["delta"]["content"] for part in parts) == whole


def test_tokenize_gives_ids(ask):
    assert json.loads(ask("POST", "/tokenize", {"content": "ab"})[1]) == {"tokens": [97, 98]}


def test_two_at_once_are_answered_one_after_the_other(ask, model):
    model.answer = ANSWER * 8
    answers: list[tuple[int, str]] = []
    body = {"prompt": "ab", "max_tokens": 40}
    threads = [threading.Thread(target=lambda: answers.append(ask("POST", "/v1/completions", body))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {status for status, _ in answers} == {200}
    assert (len(answers), model.most) == (6, 1)


@pytest.mark.parametrize(
    ("route", "body", "status", "said"),
    [
        ("/v1/completions", b"{", 400, "no JSON"),
        ("/v1/completions", b"[" * 100_000, 400, "no JSON"),
        ("/v1/completions", {"prompt": 7}, 422, "prompt"),
        ("/v1/completions", [], 422, "the body: "),
        ("/v1/completions", {"prompt": "x", "temperature": 0.7}, 422, "temperature: Input should be less than"),
        ("/v1/completions", {"prompt": "x", "stop": ["y"]}, 422, "stop"),
        ("/v1/completions", {"prompt": "x", "n": 2}, 422, "n: "),
        ("/v1/completions", {"prompt": "x", "max_tokens": 0}, 422, "max_tokens"),
        ("/v1/completions", {"prompt": "x", "max_tokens": 10**30}, 422, "max_tokens"),
        ("/v1/completions", {"prompt": "x" * 60}, 400, "61 and 16 tokens are more than the 64"),
        ("/v1/chat/completions", {"messages": []}, 422, "messages"),
        ("/v1/chat/completions", {"messages": [{"role": "tool", "content": ""}]}, 501, "the chat template fails"),
        ("/absent", {}, 404, "there is no /absent"),
    ],
)
def test_a_bad_question_has_a_status_and_a_reason(ask, route, body, status, said):
    got, data = ask("POST", route, body)
    told = json.loads(data)["error"]
    assert (got, told["code"]) == (status, status)
    assert said in told["message"]


def test_a_body_that_is_too_large_or_of_no_stated_length_is_not_read(ask):
    assert ask("POST", "/tokenize", None, **{"Content-Length": str(MOST_BODY + 1)})[0] == 413
    assert ask("POST", "/tokenize", None, **{"Content-Length": "-1"})[0] == 411
    assert ask("POST", "/tokenize", None, **{"Transfer-Encoding": "chunked"})[0] == 411
    assert ask("GET", "/v1/completions")[0] == 404


def test_a_model_that_gives_nan_is_a_500_and_never_a_text(ask, model):
    model.fails_at = 0
    for stream in (False, True):
        assert ask("POST", "/v1/completions", {"prompt": "x", "stream": stream})[0] == 500


def test_a_stream_that_fails_on_its_way_says_so_and_has_no_end(ask, model):
    model.fails_at = 1
    status, data = ask("POST", "/v1/completions", {"prompt": "x", "stream": True})
    assert (status, json.loads(events(data)[-1])["error"]["message"]) == (200, "NaN among the logits")


def test_the_model_is_free_again_when_an_answer_failed(ask, model):
    model.fails_at = 1
    ask("POST", "/v1/completions", {"prompt": "x", "stream": True})
    model.fails_at = -1
    assert ask("POST", "/v1/completions", {"prompt": "x"})[0] == 200
    assert model.now == 0


def test_a_closed_server_answers_nobody(model):
    server = OpenAiServer(model)
    before = threading.active_count()
    server.close()
    assert threading.active_count() == before - 1
    with pytest.raises(OSError):
        http.client.HTTPConnection(server.address.removeprefix("http://"), timeout=5).request("GET", "/health")
