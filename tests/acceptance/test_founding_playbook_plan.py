"""A playbook of the founding system through the installed command: planned as it is, and the rest said by name."""

from __future__ import annotations

from pathlib import Path

from support.command import contracts
from support.founding_playbooks import FULL, MVP

TINY = Path(__file__).parents[1] / "data" / "tiny-qwen2"


def test_it_is_planned_with_what_we_have_and_the_rest_is_said_by_name(tmp_path):
    (tmp_path / "some.playbook.yaml").write_text(MVP, "utf-8")
    done = contracts("qualify", tmp_path / "some.playbook.yaml", "--model-path", TINY, "--no-gpu", "--plan")
    assert done.code == 0, done.stderr
    for gate in ("F-A1-001", "F-A6-001", "F-CONV-S-G", "F-CONTRACT-I2-001", "F-GOLDEN-RULE-001"):
        assert f"must    {gate}" in done.stdout
    assert "must    F-PERF-001" in done.stdout and "should  F-PERF-002" in done.stdout
    assert "test_matrix.scenario_count  every prompt is asked once" in done.stdout


def test_its_lock_is_told_apart_and_a_broken_one_is_refused_at_its_line(tmp_path):
    path = tmp_path / "some.playbook.yaml"
    path.write_text(FULL, "utf-8")
    assert "locked" in contracts("qualify", path, "--lock").stdout
    path.write_text(FULL.replace("Qwen/Qwen2.5-7B-Instruct", "[Qwen2.5-7B-Instruct]"), "utf-8")
    done = contracts("qualify", path, "--model-path", TINY, "--plan")
    assert done.code == 2 and len(done.stderr.splitlines()) == 1
    assert f"{path}:5:12: expected `organisation/name`" in done.stderr
