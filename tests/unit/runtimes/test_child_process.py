"""A session's child: each way to fail has a class and words of its own, and nothing of it is left behind."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from model_contracts.runtimes.interface import Crashed, Limits, Refused, RuntimeFailure, TimedOut, WrongAnswer
from model_contracts.runtimes.session.session import ChildSession
from model_contracts.system import processes

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc to count processes by")

TESTS = Path(__file__).resolve().parents[2]
FAKE = "support.runtimes_fake"
QUICK = Limits(seconds=0.5, start_seconds=20, memory_mb=300)
PATIENT = Limits(seconds=20, start_seconds=20, memory_mb=300)


@pytest.fixture(autouse=True)
def fakes_can_be_imported(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(TESTS), prepend=os.pathsep)


@pytest.fixture
def opened():
    """Opens sessions of the fake in a mode, and sees that no process of any of them is left."""
    sessions: list[ChildSession] = []

    def open_one(mode: str, limits: Limits = PATIENT) -> ChildSession:
        sessions.append(ChildSession("fake", FAKE, {"mode": mode}, limits))
        return sessions[-1]

    yield open_one
    for session in sessions:
        session.close()
        assert in_group(session.pid) == []


def in_group(group: int) -> list[int]:
    """Processes of a group that run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and processes.alive(int(entry.name)):
            try:
                if os.getpgid(int(entry.name)) == group:
                    found.append(int(entry.name))
            except ProcessLookupError:
                continue
    return found


def test_an_answer_comes_back(opened):
    session = opened("well")
    assert session.tokens("one three seven") == [3, 5, 5]
    assert session.logits([1, 2, 3]).positions == 3
    assert [rows.shape for rows in session.rows([1, 2, 3], start=1)] == [(1, 8), (1, 8)]
    assert [name for name, _ in session.hidden_states([1])] == ["layers.0", "layers.1", "layers.2"]


def test_an_abort_is_a_crash_with_its_signal_and_last_line(opened):
    session = opened("abort")
    with pytest.raises(Crashed, match="ended by SIGABRT") as caught:
        session.tokens("x")
    assert caught.value.signal == signal.SIGABRT
    assert caught.value.tail.splitlines()[-1] == "GGML_ASSERT(n_head > 0) failed"
    assert in_group(session.pid) == []


def test_a_session_that_crashed_stays_crashed(opened):
    session = opened("abort")
    for _ in range(2):
        with pytest.raises(Crashed, match="SIGABRT"):
            session.tokens("x")


def test_a_hang_is_timed_out_and_ended(opened):
    session = opened("hang", QUICK)
    with pytest.raises(TimedOut, match=r"no answer within its time \(0.5 s\)"):
        session.tokens("x")
    assert in_group(session.pid) == []


def test_a_child_of_the_child_ends_with_it(opened):
    session = opened("children", QUICK)
    with pytest.raises(TimedOut):
        session.tokens("x")
    assert in_group(session.pid) == []


def test_memory_beyond_the_limit_is_a_crash(opened):
    session = opened("eat")
    with pytest.raises(Crashed, match="more than its 300 MB of memory"):
        session.tokens("x")
    assert in_group(session.pid) == []


def test_a_crash_while_it_loads_is_told_at_once():
    with pytest.raises(Crashed, match="SIGABRT"):
        ChildSession("fake", FAKE, {"mode": "abort_at_start"}, PATIENT)


def test_loading_has_a_time_of_its_own():
    with pytest.raises(TimedOut, match=r"\(0.75 s\)"):
        ChildSession("fake", FAKE, {"mode": "hang_at_start"}, Limits(seconds=20, start_seconds=0.75, memory_mb=300))


def test_what_native_code_prints_is_no_answer(opened):
    assert opened("print").tokens("one") == [3]


def test_an_error_that_it_tells_is_refused_and_the_session_goes_on(opened):
    session = opened("raise")
    with pytest.raises(Refused, match="ValueError: a text that it does not like"):
        session.tokens("x")
    assert session.logits([1]).positions == 1


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("short", "gave 3 positions for 4 tokens"),
        ("nan", "NaN at 1 of 4 positions, first at 2"),
        ("outside", "outside its vocabulary of 8"),
        ("mass", "make 2.71828 at position 0"),
    ],
)
def test_logits_that_cannot_be_are_a_wrong_answer(opened, mode, said):
    with pytest.raises(WrongAnswer, match=said):
        opened(mode).logits([1, 2, 3, 4])


@pytest.mark.parametrize(("mode", "said"), [("none", "made no tokens"), ("words", "something else than token ids")])
def test_tokens_that_cannot_be_are_a_wrong_answer(opened, mode, said):
    with pytest.raises(WrongAnswer, match=said):
        opened(mode).tokens("one")


def test_a_stream_that_is_left_early_ends_its_work(opened):
    session = opened("endless")
    states = session.hidden_states([1, 2])
    assert next(states)[0] == "layers.0"
    states.close()
    assert session.tokens("one") == [3]


def test_a_closed_session_refuses(opened):
    session = opened("well")
    session.close()
    with pytest.raises(Refused, match="was closed"):
        session.tokens("x")
    assert in_group(session.pid) == []


@pytest.mark.parametrize("how", ["os.kill(os.getpid(), 9)", "pass"], ids=["killed", "ends"])
def test_the_child_ends_with_whoever_started_it(how, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # one that is killed cannot tidy up
    program = (
        "import os\nfrom model_contracts.runtimes.interface import Limits\n"
        "from model_contracts.runtimes.session.session import ChildSession\n"
        f"session = ChildSession('fake', {FAKE!r}, {{'mode': 'well'}}, Limits())\n"
        f"print(session.pid, flush=True)\ninput()\n{how}\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None and parent.stdin is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.stdin.write("\n")
        parent.stdin.close()
        try:
            assert select.select([child], [], [], 20)[0] == [child]
        finally:
            os.close(child)


def test_a_failure_says_which_signal():
    assert processes.signal_name(6) == "SIGABRT"
    assert processes.signal_name(250) == "signal 250"
    assert issubclass(Crashed, RuntimeFailure)
