"""A command runtime: what it prints is read where its YAML says, and each way to fail is told apart."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

import pytest

from model_contracts.definitions.errors import DefinitionError
from model_contracts.definitions.loading import load
from model_contracts.runtime import CommandRuntime, Exits, Reads, Server, Way
from model_contracts.runtimes import names, runtime
from model_contracts.runtimes.command.runtime import Command
from model_contracts.runtimes.interface import (
    Crashed,
    Limits,
    NotInstalled,
    Refused,
    RuntimeFailure,
    TimedOut,
    WrongAnswer,
)
from model_contracts.system import processes
from support.qualifying import ends
from support.shared_models import DATA

FAKE = str(Path(__file__).resolve().parents[2] / "support" / "runtimes_fake.py")
MODEL = DATA / "tiny-llama-Q8_0.gguf"
#: The fake's server, its process told.
SERVES = (
    "import os, pathlib, runpy, sys; fake, port, told = sys.argv[1:]; pathlib.Path(told).write_text(str(os.getpid()));"
    "runpy.run_path(fake)['_serve_http'](int(port))"
)
LIMITS = Limits(seconds=20, start_seconds=20, memory_mb=400)


def definition(**changes) -> CommandRuntime:
    """The fake as a runtime; each way is a mode of it."""

    def way(*words: str, **reads: str) -> Way:
        return Way(arguments=(FAKE, *words), reads=Reads(**reads))

    plain = {mode: way(mode) for mode in ("abort", "hang", "eat", "children", "0", "2", "5", "6", "97", "134")}
    values = {
        "id": "runtimes/fake",
        "title": "a fake",
        "program": sys.executable,
        "formats": ("gguf",),
        "exits": Exits(refused=(5,), usage=(2,), unanswered=(97,)),
        "complete": {
            **plain,
            "banner": way("banner", after="Answer:", before="Completed in"),
            "mute": way("banner", after="Done:"),
            "json": way("json", "{prompt}", text="/text", tokens="/tokens", prompt_tokens="/prompt_tokens"),
            "no_json": way("no_json", text="/text"),
            "nothing_there": way("json", "{prompt}", text="/answer/0"),
            "generate": Way(
                route="/generate",
                body={"prompt": "{prompt}", "max_tokens": "{max_tokens}"},
                reads=Reads(text="/text", tokens="/token_ids"),
                prompt_included=True,
            ),
            "die": Way(route="/die", body={"prompt": "{prompt}"}, reads=Reads(text="/text")),
            "lost": Way(route="/lost", body={}, reads=Reads(text="/text")),
        },
        "tokenize": Way(route="/tokenize", body={"text": "{prompt}"}, reads=Reads(tokens="/token_ids")),
        "logits": way("logits", "{tokens}", logits="/logits"),
        "server": Server(arguments=(FAKE, "serve", "{port}"), ready="/health"),
        "how_to_get": "make it",
    }
    return CommandRuntime(**{**values, **changes})


@pytest.fixture(scope="module")
def session():
    with Command(definition()).open(MODEL, LIMITS) as opened:
        yield opened


#: Seconds for a server to show in which way it is never ready; the next is for a machine too busy for the one before.
PATIENCE = (0.8, 3.2, 12.8, 51.2)


@pytest.fixture(scope="module")
def unready(tmp_path_factory):
    """A session whose server is never ready, the file it tells its process in, and the one that says in which way."""
    folder = tmp_path_factory.mktemp("unready")
    written, chosen = folder / "pid", folder / "way"
    server = Server(arguments=("-IS", FAKE, "unready", "{port}", str(written), str(chosen)), ready="/health")
    with Command(definition(server=server)).open(MODEL, LIMITS) as opened:
        yield opened, written, chosen


def failure(session, way: str) -> RuntimeFailure:
    with pytest.raises(RuntimeFailure) as caught:
        session.complete("x", 4, way=way)
    return caught.value


def test_the_answer_stands_behind_the_last_banner(session):
    assert session.complete("x", 4, way="banner").text == "forty two"


def test_ids_and_the_count_of_prompt_tokens_come_back(session):
    answer = session.complete("three words here", 4, way="json")
    assert (answer.tokens, answer.text, answer.prompt_tokens) == ((1, 2), "x", 6)


def test_a_prompt_stays_one_argument(session):
    assert session.complete('one; $(two) "three', 4, way="json").prompt_tokens == 6


@pytest.mark.parametrize(
    ("way", "kind", "said"),
    [
        ("abort", Crashed, "ended by SIGABRT"),
        ("134", Crashed, "ended by SIGABRT"),
        ("6", Crashed, "ended with exit code 6"),
        ("5", Refused, "refused .exit code 5.: error: it ends with 5"),
        ("2", Refused, "does not know how it was called"),
        ("97", NotInstalled, "has no answer to this question"),
        ("0", WrongAnswer, "ended well and printed nothing"),
        ("mute", WrongAnswer, "printed no line 'Done:'"),
        ("no_json", WrongAnswer, "printed no JSON"),
        ("nothing_there", WrongAnswer, "gave nothing at /answer/0"),
        ("lost", Refused, "answers 404 to /lost"),
        ("elsewhere", Refused, "is not asked by 'elsewhere' but by"),
    ],
)
def test_each_failure_has_a_class_and_words_of_its_own(session, way, kind, said):
    failed = failure(session, way)
    assert type(failed) is kind
    assert re.search(said, failed.reason), failed.reason


def test_an_abort_says_its_signal_and_last_line(session):
    failed = failure(session, "abort")
    assert failed.signal == signal.SIGABRT
    assert failed.tail.endswith("GGML_ASSERT(n_head > 0) failed")


@pytest.mark.parametrize("way", ["hang", "children"])
def test_a_hang_is_timed_out(way):
    with Command(definition()).open(MODEL, Limits(seconds=0.6, start_seconds=20, memory_mb=400)) as opened:
        assert type(failure(opened, way)) is TimedOut


def test_a_program_that_eats_memory_is_ended():
    with Command(definition()).open(MODEL, LIMITS) as opened:
        failed = failure(opened, "eat")
    assert type(failed) is Crashed
    assert "more than its 400 MB of memory" in failed.reason


def test_logits_are_normalised(session):
    known = session.logits([1, 2, 3])
    assert known.positions == 3
    assert known.ids[0].tolist() == [7, 6, 5, 4, 3, 2, 0, 1]


@pytest.mark.parametrize(
    ("mode", "said"), [("nan", "NaN at 3 of 3 positions, first at 0"), ("positions", "gave 2 positions for 3 tokens")]
)
def test_logits_that_cannot_be_are_a_wrong_answer(mode, said):
    way = Way(arguments=(FAKE, mode, "{tokens}"), reads=Reads(logits="/logits"))
    with (
        Command(definition(logits=way)).open(MODEL, LIMITS) as opened,
        pytest.raises(WrongAnswer, match=said),
    ):
        opened.logits([1, 2, 3])


def test_a_server_is_started_once_and_asked(session):
    assert session.tokens("one three") == [3, 5]
    answer = session.complete("one three", 2, way="generate")
    assert (answer.tokens, answer.prompt, answer.prompt_tokens) == ((7, 7), (3, 5), 2)
    assert session.address().startswith("http://127.0.0.1:")


def test_a_server_that_dies_is_a_crash(session):
    assert failure(session, "die").signal == signal.SIGABRT
    assert session.tokens("one") == [3], "and another one is started for the next question"


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("closed", "does not answer /health: .*refused"),
        ("forks", "does not answer /health: .*refused"),
        ("503", "answers 503 to /health"),
        ("silent", "does not answer /health: timed out"),
        ("noise", "what is no HTTP"),
    ],
)
def test_a_server_that_is_never_ready_is_timed_out_and_gone(unready, way, said):
    opened, written, chosen = unready
    chosen.write_text(way)
    for seconds in PATIENCE:
        written.unlink(missing_ok=True)
        opened._limits = Limits(start_seconds=seconds)  # of the server alone
        with pytest.raises(TimedOut, match=f"was not ready within {seconds:g} s: ") as caught:
            opened.address()
        if written.exists() and caught.value.tail and re.search(said, str(caught.value)):
            break  # else a busy machine had not brought the server as far as that
    assert re.search(said, str(caught.value))
    assert ends(int(written.read_text()))
    assert caught.value.tail == "loading the model"
    assert opened.complete("x", 4, way="banner").text == "forty two", "and what needs no server goes on"


def test_a_server_that_died_between_two_questions_is_told_once_with_its_signal(tmp_path):
    written = tmp_path / "pid"
    server = Server(arguments=("-c", SERVES, FAKE, "{port}", str(written)), ready="/health")
    with Command(definition(server=server)).open(MODEL, LIMITS) as opened:
        opened.address()
        os.kill(int(written.read_text()), signal.SIGKILL)
        opened.complete("x", 4, way="banner")
        with pytest.raises(Crashed, match="was ended by SIGKILL"):
            while True:  # a kill may take a moment
                opened.address()
        assert opened.tokens("one") == [3], "and another one is started for the next question"


def test_a_server_ends_with_its_session_and_when_another_artifact_takes_its_place(tmp_path):
    written = tmp_path / "pid"
    server = Server(arguments=("-c", SERVES, FAKE, "{port}", str(written)), ready="/health")
    with Command(definition(server=server)).open(MODEL, LIMITS) as opened:
        opened.address()
        first = int(written.read_text())
        assert processes.alive(first)
        opened.reopen(MODEL)
        assert ends(first)
        opened.address()
    assert ends(int(written.read_text()))


def test_routes_that_are_declared_are_told(session):
    assert session.routes.completions is None
    apr = load(CommandRuntime, "runtimes/apr").server
    assert apr is not None and apr.routes.chat is not None
    assert (apr.routes.chat.route, apr.routes.chat.streams) == ("/v1/chat/completions", True)


def test_what_is_not_installed_says_how_to_get_it():
    absent = Command(definition(program="no-such-program-here"))
    assert not absent.installed().available
    with pytest.raises(NotInstalled, match="no-such-program-here is not installed: make it"):
        absent.open(MODEL, LIMITS)


def test_a_format_that_it_does_not_read_is_refused():
    with pytest.raises(Refused, match="reads apr, and tiny-llama-Q8_0 is gguf"):
        Command(definition(formats=("apr",))).open(MODEL, LIMITS)


def test_the_shipped_definitions_are_runtimes():
    assert "apr" in names()
    assert runtime("apr").installed().how_to_get == "cargo install aprender"
    with pytest.raises(NotInstalled, match="no runtime is called 'nowhere'"):
        runtime("nowhere")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("complete: {run: {arguments: ['{model}']}}", "{model} in an argument"),
        ("complete: {run: {route: /x}}", "a route without a server"),
        ("complete: {run: {route: /x, arguments: [a]}}", "either arguments or a route"),
        ("exits: {refused: [0]}", "greater than or equal to 1"),
    ],
)
def test_a_definition_that_cannot_work_is_refused_with_its_line(tmp_path, line, said):
    file = tmp_path / "mine.yaml"
    file.write_text(f"id: mine\ntitle: t\nprogram: p\nformats: [gguf]\nhow_to_get: h\n{line}\n")
    with pytest.raises(DefinitionError, match=said.replace("{", r"\{")):
        load(CommandRuntime, file)
