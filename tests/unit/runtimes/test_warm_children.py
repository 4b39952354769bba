"""A session's process that is forked is a process of its own: it answers, is ended, and how it ended is told."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from cases.interface import QWEN2
from model_contracts.runtimes.interface import Crashed, Limits
from model_contracts.runtimes.session.child import Child
from model_contracts.system import processes
from support import warm_children

pytest.importorskip("jinja2", reason="jinja2 is not installed")
pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="no child is forked here")

SERVED = "model_contracts.runtimes.text.served"
ASKED = {"path": str(QWEN2), "tokenizer": None, "purpose": "render", "pre": None}


@pytest.fixture
def child() -> Iterator[Child]:
    one = Child(SERVED, "text", Limits(seconds=20, start_seconds=60))
    yield one
    one.close()
    assert not processes.alive(one.pid)


def test_it_answers_and_leads_a_group_of_its_own(child: Child) -> None:
    assert isinstance(child._process, warm_children.Forked)
    assert child.ask("open", ASKED).kind == "answer"
    assert os.getpgid(child.pid) == os.getsid(child.pid) == child.pid != os.getpid()


def test_how_it_ended_is_told(child: Child) -> None:
    os.kill(child.pid, signal.SIGABRT)
    with pytest.raises(Crashed, match="ended by SIGABRT"):
        child.ask("open", ASKED)


def test_one_of_another_environment_and_one_that_is_left_out_are_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def started() -> bool:
        one = Child(SERVED, "text", Limits())
        one.close()
        return not isinstance(one._process, warm_children.Forked)

    with warm_children.left_out():
        assert started()
    assert not started()
    monkeypatch.setenv("HF_HOME", "another")
    assert started()


def test_another_search_path_for_programs_is_no_other_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    other = Child(SERVED, "text", Limits())
    try:
        assert isinstance(other._process, warm_children.Forked)
    finally:
        other.close()
