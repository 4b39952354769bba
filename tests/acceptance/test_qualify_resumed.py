"""A qualification that was killed goes on: only what was unfinished is done; its evidence is that of a whole run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_contracts.system.processes import descendants
from support.command import CONTRACTS, Result, contracts
from support.mutations import copied, json_of
from support.qualifying import QWEN2, ends, playbook, qualify, stands
from support.shared_models import DATA
from support.systems_fake import system

FILES = "G0-*,F-CONV-CARD-001,F-CONV-COM-001,F-CONV-IDEM-001,F-CONV-NAME-001,F-CONV-RT-*,F-PATH-001"
LLAMA = DATA / "tiny-llama-Q8_0.gguf"
LOOK = 0.002


def killed(output: Path, *words: str | Path, when: Callable[[], bool]) -> list[int]:
    """Start a qualification and kill its process group once `when` says so; the processes that it had started."""
    argv = [str(CONTRACTS), "qualify", *map(str, words), "--no-gpu", "-o", str(output)]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as child:
        while not when():
            try:
                child.wait(LOOK)
            except subprocess.TimeoutExpired:
                continue
            pytest.fail(f"it ended by itself (exit {child.returncode}) before it could be killed")
        started = list(descendants(child.pid))
        os.killpg(child.pid, signal.SIGKILL)
    return started


def steps(output: Path) -> list[str]:
    """Steps whose outcomes the journal holds whole, in order."""
    journal = output / "journal.jsonl"
    whole = journal.read_bytes().split(b"\n")[:-1] if journal.exists() else []
    return [entry["step"] for entry in map(json.loads, whole) if "step" in entry]


def seen(result: Result, output: Path) -> Any:
    """Evidence without what differs between two runs, and without where they lie."""
    return json.loads(json.dumps(stands(result.evidence)).replace(str(output), "DIR"))


def differences(one: Any, other: Any) -> dict[str, Any]:
    """What two runs say differently of their gates, by gate."""
    assert [outcome["gate_id"] for outcome in one] == [outcome["gate_id"] for outcome in other]
    return {
        f"{a['gate_id']} {key}": (a[key], b[key])
        for a, b in zip(one, other, strict=True)
        for key in a
        if a[key] != b[key]
    }


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A playbook of the small model."""
    return playbook(tmp_path_factory.mktemp("book"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, book: Path) -> Any:
    """The evidence of a run that nobody killed."""
    output = tmp_path_factory.mktemp("whole") / "out"
    result = qualify(output, book, "--only", FILES)
    assert result.code == 0, result.stdout
    return seen(result, output)


@pytest.mark.parametrize("count", [0, 5, 12])
def test_a_killed_run_goes_on_and_ends_with_the_same_evidence(
    count: int, book: Path, whole: Any, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    words = (book, "--model-path", QWEN2, "--only", FILES)
    # One line says what it stands on: it is there before any outcome.
    killed(output, *words, when=lambda: (output / "journal.jsonl").exists() and len(steps(output)) >= count)
    before, kept = steps(output), (output / "journal.jsonl").read_bytes()
    assert count <= len(before) < len(whole)
    result = qualify(output, book, "--only", FILES, "--resume")
    assert result.code == 0, result.stdout
    after = (output / "journal.jsonl").read_bytes()
    assert after.startswith(kept[: kept.rfind(b"\n") + 1])
    assert len(steps(output)) == len(set(steps(output))) == len(whole)
    assert differences(seen(result, output), whole) == {}
    assert not list(output.rglob(".contracts-*"))


def test_a_run_killed_while_it_converts_leaves_nothing_of_the_half_written_model(book: Path, tmp_path: Path) -> None:
    output, fake = tmp_path / "out", tmp_path / "system"
    stops = system(fake, converter="stops")
    gates = ("--system", stops, "--only", "G0-*,F-CONV-IDEM-001")
    started = killed(output, book, "--model-path", QWEN2, *gates, when=(fake / "stopped").exists)
    assert started and all(ends(pid) for pid in started)
    assert [path.name for path in output.rglob("tiny-qwen2.S-*") if ".contracts-" in path.parent.name]
    before = steps(output)
    resumed = qualify(output, book, *gates, "--resume")
    assert resumed.code == 0, resumed.stdout
    assert not list(output.rglob(".contracts-*"))
    assert before and steps(output)[: len(before)] == before and len(set(steps(output))) == len(steps(output))
    fresh = qualify(tmp_path / "fresh", book, *gates)
    assert differences(seen(resumed, output), seen(fresh, tmp_path / "fresh")) == {}


def test_a_run_killed_while_a_runtime_answers_leaves_no_process_and_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="the llamacpp extra is not installed")
    model = {"id": "tests/tiny-llama", "family": "llama"}
    book = playbook(tmp_path / "book", model=model, formats=["gguf"])
    gates, output = ("--only", "G0-PULL-001,G0-VALIDATE-001,F-A?-001"), tmp_path / "out"
    started = killed(output, book, "--model-path", LLAMA, *gates, when=lambda: len(steps(output)) >= 3)
    assert started and all(ends(pid) for pid in started)
    resumed = qualify(output, book, *gates, "--resume", source=LLAMA)
    fresh = qualify(tmp_path / "fresh", book, *gates, source=LLAMA)
    assert resumed.code == fresh.code == 0, resumed.stdout
    assert differences(seen(resumed, output), seen(fresh, tmp_path / "fresh")) == {}


def test_a_run_that_goes_on_lays_blame_where_a_whole_one_does(tmp_path: Path) -> None:
    book = playbook(tmp_path / "book", formats=["safetensors", "gguf"], modalities=["run"], dtype="F16")
    spoils = system(tmp_path / "system", converter="q4", runtime="nothing")
    gates, output = ("--system", spoils, "--only", "F-A1-001,F-CONV-S-G,F-GOLDEN-RULE-001"), tmp_path / "out"
    killed(output, book, "--model-path", QWEN2, *gates, when=lambda: len(steps(output)) >= 1)
    resumed = qualify(output, book, *gates, "--resume")
    fresh = qualify(tmp_path / "fresh", book, *gates)
    assert resumed.code == fresh.code == 1
    assert differences(seen(resumed, output), seen(fresh, tmp_path / "fresh")) == {}
    closed = next(e for e in resumed.evidence if e["gate_id"] == "F-A1-001" and e["scenario"]["format"] == "gguf")
    assert [cause["component"] for cause in closed["causes"]] == ["runtime"]


@pytest.fixture
def earlier(tmp_path: Path, book: Path) -> Path:
    """A short run that ended."""
    assert qualify(tmp_path / "out", book, "--only", "G0-PULL-001").code == 0
    return tmp_path / "out"


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("left", ["all", "workspace", "journal.jsonl", "evidence.json"])
def test_a_folder_with_an_earlier_run_is_refused_and_not_touched(left: str, earlier: Path, book: Path) -> None:
    for path in earlier.iterdir() if left != "all" else ():
        if path.is_file() and path.name != left:
            path.unlink()
        elif path.is_dir() and path.name != left:
            path.rmdir()
    before = contents(earlier)
    result = contracts("qualify", book, "--model-path", QWEN2, "--no-gpu", "-o", earlier)
    assert result.code == 2 and result.stdout == ""
    assert result.stderr.startswith(f"contracts: {earlier} holds an earlier run (")
    assert result.stderr.count("\n") == 1 and contents(earlier) == before


def test_another_playbook_or_source_or_system_is_no_run_to_go_on_with(
    earlier: Path, book: Path, tmp_path: Path
) -> None:
    other = playbook(tmp_path / "other", tokens=3)
    changed = copied(QWEN2, tmp_path, "changed")
    with json_of(changed / "config.json") as config:
        config["rope_theta"] = 1.0
    before = contents(earlier)
    cases: list[tuple[Path, Path, tuple[str | Path, ...], str]] = [
        (other, QWEN2, (), "playbook"),
        (book, changed, (), "source"),
        (book, QWEN2, ("--system", system(tmp_path / "system", runtime="banner")), "system"),
    ]
    for asked, source, words, differs in cases:
        result = contracts("qualify", asked, "--model-path", source, "--no-gpu", "-o", earlier, "--resume", *words)
        assert result.code == 2, differs
        assert f"journal.jsonl: the earlier run stands on another {differs}: nothing of it" in result.stderr
        assert contents(earlier) == before


@pytest.mark.parametrize("torn", [b'{"step": "G0-VALID', b"{", b'{"step": "x", "outcome": {}'])
def test_a_torn_last_line_is_forgiven(torn: bytes, earlier: Path, book: Path) -> None:
    journal = earlier / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole + torn)
    assert qualify(earlier, book, "--only", "G0-PULL-001", "--resume").code == 0
    assert journal.read_bytes() == whole


def test_a_torn_first_line_is_a_run_that_saw_nothing(earlier: Path, book: Path) -> None:
    journal = earlier / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole[:40])
    assert qualify(earlier, book, "--only", "G0-PULL-001", "--resume").code == 0
    assert journal.read_bytes().split(b"\n")[0] == whole.split(b"\n")[0]
    assert steps(earlier) == ["G0-PULL-001 safetensors"]


@pytest.mark.parametrize("line", [b"{}", b"[]", b"null", b'{"step": "x", "outcome": {}}', b'"' + b"[" * 5000, b"\xff"])
def test_a_journal_that_says_something_else_is_one_line(line: bytes, earlier: Path, book: Path) -> None:
    journal = earlier / "journal.jsonl"
    journal.write_bytes(journal.read_bytes() + line + b"\n")
    number = journal.read_bytes().count(b"\n")
    result = contracts("qualify", book, "--model-path", QWEN2, "--no-gpu", "-o", earlier, "--resume")
    assert result.code == 2 and result.stdout == ""
    expected = f"contracts: {journal}:{number}: expected an outcome of an earlier run, found something else\n"
    assert result.stderr == expected


def test_files_without_the_journal_that_vouches_for_them_are_not_gone_on_with(earlier: Path, book: Path) -> None:
    (earlier / "journal.jsonl").unlink()
    (earlier / "workspace" / "tests").mkdir()
    result = contracts("qualify", book, "--model-path", QWEN2, "--no-gpu", "-o", earlier, "--resume")
    assert result.code == 2
    assert "workspace has files, and " in result.stderr and "is gone" in result.stderr
