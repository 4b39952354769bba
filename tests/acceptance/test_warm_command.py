"""A command that is run by a fork sees and leaves what one does that was started: the tests stand on that."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from support.command import CONTRACTS, contracts
from support.warm import Warm

pytestmark = pytest.mark.skipif(
    not (hasattr(os, "fork") and hasattr(socket, "send_fds")), reason="this system does not fork"
)
TINY = Path(__file__).resolve().parents[1] / "data" / "tiny-qwen2"


@pytest.mark.parametrize(
    "words",
    [
        ["list", "gates"],
        ["check", TINY, "--only", "G0-CONTAINER-*", "--no-color"],
        ["check", "no-such-file"],
        ["no-such-command"],
        ["--version"],
        [],
    ],
)
def test_it_is_answered_as_a_command_of_its_own_is(words: list[str | Path], tmp_path: Path) -> None:
    done = subprocess.run([CONTRACTS, *words], capture_output=True, text=True, cwd=tmp_path, check=False)
    ours = contracts(*words, cwd=tmp_path)
    assert (ours.code, ours.stderr) == (done.returncode, done.stderr)
    # The last line says how long it took.
    assert ours.stdout.splitlines()[:-1] == done.stdout.splitlines()[:-1]


def test_one_run_knows_nothing_of_the_last(tmp_path: Path) -> None:
    assert [contracts("inspect", "tiny", cwd=folder).code for folder in (TINY.parent, tmp_path)] == [2, 2]
    assert [contracts("inspect", TINY.name, cwd=folder).code for folder in (TINY.parent, tmp_path)] == [0, 2]


def test_another_environment_is_not_that_of_the_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    warm = Warm()
    try:
        assert warm.serves
        monkeypatch.setenv("NO_COLOR", "another")
        assert not warm.serves
    finally:
        warm.end()
    monkeypatch.undo()
    assert not warm.serves


def test_a_run_that_takes_too_long_is_ended() -> None:
    warm = Warm()
    with pytest.raises(subprocess.TimeoutExpired):
        warm.run(["list"], None, 0.001)
    assert not warm.serves
