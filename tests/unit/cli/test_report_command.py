"""`contracts report` as a bug report and against another run: the exit code is that of the directory's own decision."""

from __future__ import annotations

import json

import pytest

from model_contracts.cli.main import main
from model_contracts.engine.evidence import write
from support.outcomes import outcome, record
from support.qualified import qualified, without_tokenizer


@pytest.fixture
def runs(tmp_path):
    """A directory with a broken run and one with a mended run."""
    broken, mended = (outcome("Falsified", "G-A-1"),), (outcome("Corroborated", "G-A-1"),)
    for name, seen in (("broken", broken), ("mended", mended)):
        write(tmp_path / name, seen, record(seen))
    return tmp_path


@pytest.mark.parametrize(("new", "old", "code"), [("mended", "broken", 0), ("broken", "mended", 1)])
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_run_against_another_exits_as_its_own_decision_says(runs, capsys, new, old, code, form):
    assert main(["report", str(runs / new), "--against", str(runs / old), "--format", form]) == code
    shown = capsys.readouterr().out
    if form == "json":
        assert json.loads(shown)["decision"]["new"]["exit_code"] == code
    else:
        assert shown.startswith("Gates: 1 changed; ") and shown.endswith(f"exit {code}\n")


def test_a_difference_is_no_bug_report(runs, capsys):
    words = ["report", str(runs / "mended"), "--against", str(runs / "broken"), "--format", "issue"]
    assert main(words) == 2
    assert capsys.readouterr().err == "contracts: --against is written as text or json, not as issue\n"


def test_an_old_run_that_is_not_there_is_one_line(runs, capsys):
    assert main(["report", str(runs / "mended"), "--against", str(runs / "none")]) == 2
    seen = capsys.readouterr()
    assert seen.err == f"contracts: {runs / 'none' / 'evidence.json'}: no such file or directory\n" and seen.out == ""


def test_a_qualification_read_from_disk_is_reported_by_causes_and_as_a_bug_report(tmp_path, capsys):
    seen = (outcome(), *without_tokenizer())
    write(tmp_path, seen, qualified(seen))
    assert main(["report", str(tmp_path)]) == 1
    assert capsys.readouterr().out.startswith("1 of 8 hold; 1 cause\n")
    assert main(["report", str(tmp_path), "--format", "issue"]) == 1
    assert capsys.readouterr().out.startswith("# Qwen2.5-0.5B: the GGUF has no tokenizer")
