"""A lock file records digests of playbooks; one that was changed since is said to be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model_contracts.engine.evidence import Unusable
from model_contracts.qualification.locking import NAME, lock
from model_contracts.qualification.playbooks import opened
from support.qualifying import playbook


def state(place: Path) -> str:
    return opened(str(place)).lock


def test_a_playbook_is_unlocked_then_locked_then_changed_then_locked_anew(tmp_path: Path) -> None:
    place = playbook(tmp_path)
    assert state(place) == "unlocked"
    assert lock(str(place)).endswith(", locked") and state(place) == "locked"
    assert lock(str(place)).endswith(", locked as before")
    playbook(tmp_path, tokens=3)
    assert state(place) == "changed"
    assert ", locked anew, it was blake3:" in lock(str(place)) and state(place) == "locked"


def test_one_lock_file_keeps_every_playbook_of_its_folder(tmp_path: Path) -> None:
    first = playbook(tmp_path)
    lock(str(first))
    second = first.rename(tmp_path / "Qwen2.5-Coder-0.5B.yaml")
    lock(str(second))
    assert set(json.loads((tmp_path / NAME).read_text("utf-8"))) == {"playbook.yaml", "Qwen2.5-Coder-0.5B.yaml"}
    assert {path.name for path in tmp_path.iterdir()} == {NAME, "Qwen2.5-Coder-0.5B.yaml"}


def test_a_shipped_playbook_needs_no_lock(tmp_path: Path) -> None:
    assert opened("tiny").lock == "unlocked" and opened("qualification/tiny").playbook.id == "qualification/tiny"


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', "{", "[" * 100_000])
def test_a_lock_file_that_is_none_is_named(text: str, tmp_path: Path) -> None:
    place = playbook(tmp_path)
    (tmp_path / NAME).write_text(text, "utf-8")
    with pytest.raises(Unusable, match=NAME):
        opened(str(place))
