"""A real `apr`, replayed, as a runtime: its three framings of one prompt are told by their counts of tokens."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from model_contracts.runtimes import runtime
from model_contracts.runtimes.http.asking import serve_exchange
from model_contracts.runtimes.interface import Limits, NotInstalled, Refused
from support import apr_serving
from support.shared_models import APR_FILES, MODELS, needs_apr_files

PROMPT = "What is 2+2?"
#: What its own tokenizer makes of the prompt; Hugging Face's makes 57 74 278 of its first word.
IDS = (57, 1267, 86, 319, 223, 20, 13, 20, 33)
LIMITS = Limits(seconds=20, start_seconds=20, memory_mb=1_000)

pytestmark = needs_apr_files


@pytest.fixture
def apr(tmp_path: Path, monkeypatch):
    folder = tmp_path / "bin"
    folder.mkdir()
    apr_serving.install(folder)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return runtime("apr")


@pytest.mark.parametrize(
    ("path", "framed", "begins"),
    [
        (MODELS / "tiny-qwen2", 31, (265, 312, 553, 81)),
        (MODELS / "tiny-qwen2-Q8_0.gguf", 21, (265, 312, 553, 306)),
        (APR_FILES / "q.apr", 9, (14, 223, 18, 18)),
    ],
    ids=["safetensors", "gguf", "apr"],
)
def test_apr_run_says_how_many_tokens_it_made_of_the_prompt(apr, path, framed, begins):
    with apr.open(path, LIMITS) as session:
        answer = session.complete(PROMPT, 8)
    assert answer.prompt_tokens == framed
    assert answer.tokens[:4] == begins


def test_its_server_takes_the_prompt_as_it_is(apr):
    with apr.open(MODELS / "tiny-qwen2", LIMITS) as session:
        assert session.ways == ("run", "generate", "completions")
        assert tuple(session.tokens(PROMPT)) == IDS
        answer = session.complete(PROMPT, 16, way="generate")
        assert (answer.prompt, answer.prompt_tokens) == (IDS, 9)
        assert answer.tokens == (14, 223, *[18] * 14)
        completion = session.complete(PROMPT, 16, way="completions")
        assert (completion.text, completion.prompt_tokens) == (answer.text, 9)
        with pytest.raises(Refused, match="cannot be asked for logits"):
            session.logits(IDS)


def test_a_question_that_was_not_recorded_has_no_answer(apr):
    with apr.open(MODELS / "tiny-qwen2", LIMITS) as session:
        with pytest.raises(NotInstalled, match="has no answer to this question: not recorded: apr run"):
            session.complete("a prompt that nobody asked", 8)
        with pytest.raises(Refused, match="answers 501 to /tokenize"):
            session.tokens("a text that nobody asked")


def test_its_server_answers_completion_and_chat_and_what_was_not_recorded_is_refused(apr):
    with apr.open(MODELS / "tiny-qwen2", LIMITS) as session:
        chat = [{"role": "user", "content": PROMPT}]
        told = serve_exchange(session.address(), PROMPT, chat, 16, 20.0, session.routes)
    assert told.completion.text.startswith(", 000000")
    assert (told.completion.prompt_tokens, told.completion.completion_tokens) == (9, 16)
    assert (told.chat.prompt_tokens, told.chat.completion_tokens) == (20, 16)
    assert [(one.question, one.answer.text) for one in told.at_once] == [
        ("completion", told.completion.text),
        ("chat", told.chat.text),
    ]
    for answer in (told.completion_streamed, told.chat_streamed):
        assert (type(answer), answer.reason.endswith(": not recorded")) == (Refused, True)
