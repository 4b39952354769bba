"""The words of the reports are explained, and stand beside those of the evidence in `explain` and in the README."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_contracts.cli.main import main
from model_contracts.cli.words import WORDS, find
from model_contracts.outcome import SkipCause, Verdict

README = Path(__file__).resolve().parents[3] / "README.md"


@pytest.mark.parametrize(
    ("asked", "word"),
    [
        ("falsified", "falsified"),
        ("not-owed", "not owed"),
        ("NOT_PROVEN", "not proven"),
        ("Corroborated", "kept"),
        ("incomplete", "incomplete"),
        ("nothing_compared", "nothing was compared"),
    ],
)
def test_a_word_is_found_however_it_is_written(asked, word, capsys):
    assert main(["explain", asked]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"{word}  ") and "in the evidence: " in shown


def test_every_outcome_and_every_cause_of_a_skip_is_a_word():
    for name in (*(verdict.value for verdict in Verdict), *SkipCause.__args__):
        assert find(name) is not None, name


def test_all_words_stand_beside_those_of_the_evidence(capsys):
    assert main(["explain", "words"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["report", "evidence"] and len(lines) == 1 + len(WORDS)
    text = README.read_text("utf-8")
    assert [word.word for word in WORDS if f"| {word.word} | {word.evidence} |" not in text] == []


def test_what_is_no_word_is_said_in_one_line(capsys):
    assert main(["explain", "kept-ish"]) == 2
    assert "a word (contracts explain words)" in capsys.readouterr().err
