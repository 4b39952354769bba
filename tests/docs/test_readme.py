"""The README's transcript is what the program prints, and its table has every command."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from model_contracts.cli.main import COMMANDS
from support.command import contracts
from support.merged_model import merged
from support.mutations import copied
from support.shared_models import DATA

README = (Path(__file__).resolve().parents[2] / "README.md").read_text("utf-8")
_LEFT_OUT = "…"


def same(line: str) -> str:
    """A line without the seconds that it took."""
    return re.sub(r"\d+\.\d\d s$", "N s", line.rstrip())


def missing(shown: list[str], printed: list[str]) -> list[str]:
    """Lines that do not follow the ones before them as printed; after `…` any number may have been left out."""
    lines, at, anywhere = [same(line) for line in printed], 0, False
    for line in map(same, shown):
        if line.strip() == _LEFT_OUT:
            anywhere = True
            continue
        if line not in lines[at:] or (not anywhere and lines[at] != line):
            return [line]
        at, anywhere = lines.index(line, at) + 1, False
    return [] if anywhere or at == len(lines) else lines[at:]


def test_the_transcript_is_what_the_program_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "100")
    copied(DATA / "tiny-qwen2", tmp_path, "base")
    merged(tmp_path)
    (block,) = re.findall(r"^```\n\$ (contracts check .*?)^```$", README, re.MULTILINE | re.DOTALL)
    command, *shown = block.splitlines()
    done = contracts(*shlex.split(command)[1:], cwd=tmp_path)
    assert done.code == 1
    assert missing(shown, done.stdout.splitlines()) == [], done.stdout


def test_a_transcript_that_says_something_else_would_be_seen():
    printed = ["a", "b", "c", "1.23 s"]
    assert missing(["a", "…", "c", "0.50 s"], printed) == []
    assert missing(["a", "c", "…"], printed) == ["c"] and missing(["…", "d"], printed) == ["d"]
    assert missing(["a", "b"], printed) == ["c", "N s"] and missing(["…", "c", "b"], printed) == ["b"]


def test_the_table_has_every_command():
    table = "\n".join(line for line in README.splitlines() if line.startswith("| `c"))
    told = set(re.findall(r"`(?:contracts )?([a-z]+)", table))
    assert sorted(set(COMMANDS) - told) == []
