"""`contracts qualify`: what cannot be done is one line; --plan, --init and --lock write nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_contracts.cli.main import main
from support.qualifying import QWEN2, playbook


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A hub that nobody is at, and a cache of the test's own."""
    import socket

    def refused(*_: object, **__: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)


def refused(words: list[object], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command ends with; exit 2."""
    assert main(["qualify", *map(str, words)]) == 2
    seen = capsys.readouterr()
    assert seen.out == "" and seen.err.count("\n") == 1, seen
    return seen.err


def test_a_plan_is_printed_and_nothing_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["tiny", "--model-path", str(QWEN2), "--plan", "--skip", "F-PERF-*", "-o", str(tmp_path / "out")]
    assert main(["qualify", *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"qualification/tiny on {QWEN2}: ") and " gates, " in lines[0]
    planned = [line for line in lines[1:] if line.startswith("  must ")]
    assert planned[0].split()[:3] == ["must", "G0-PULL-001", "safetensors"]
    assert f": {len([line for line in lines[1:] if line.startswith(('  must ', '  should'))])} gates" in lines[0]
    assert any("F-PERF-001" in line and "left out by --skip" in line for line in lines)
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_is_nowhere_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(["tiny"], capsys)
    assert said.startswith("contracts: tests/tiny-qwen2 is not in the Hugging Face cache (") and "--pull" in said


def test_a_pull_without_a_network_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("huggingface_hub", reason="the extra that brings huggingface_hub is not installed")
    assert refused(["tiny", "--pull"], capsys).startswith("contracts: tests/tiny-qwen2 could not be downloaded: ")


def test_no_playbook_and_an_unknown_one_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "a playbook is needed" in refused(["--model-path", QWEN2], capsys)
    assert "tinny" in refused(["tinny", "--model-path", QWEN2], capsys)
    assert "none.yaml" in refused([tmp_path / "none.yaml", "--model-path", QWEN2], capsys)


def test_an_unknown_oracle_is_told_by_file_and_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = playbook(tmp_path / "book", oracles=[{"oracle": "gibberish"}])
    line = book.read_text("utf-8").splitlines().index("- oracle: gibberish") + 1
    said = refused([book, "--model-path", QWEN2, "-o", tmp_path / "out"], capsys)
    assert said.startswith(f"contracts: {book}:{line}: expected one of ") and "'gibberish'" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--system", "none"], "qualification/systems/none"),
        (["--system", "none.yaml"], "none.yaml"),
        (["--only", "G0-NONE"], "G0-NONE: no gate has that id"),
    ],
)
def test_what_there_is_not_is_named(words: list[str], says: str, tmp_path: Path, capsys) -> None:
    assert says in refused(["tiny", "--model-path", QWEN2, "-o", tmp_path / "out", *words], capsys)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["/name", "org/", "", "a\nb", "\x1b[2J/x"])
def test_a_models_id_that_is_no_name_is_told_by_file_and_line(name: str, tmp_path: Path, capsys) -> None:
    book = playbook(tmp_path / "book", model={"id": name})
    said = refused([book, "--model-path", QWEN2], capsys)
    assert said.startswith(f"contracts: {book}:") and "model" in said


@pytest.mark.parametrize("name", ["one", "one/two/three", "a b/c", "a\\b/c", "../..", "a/..", "CON/x", "C:/x"])
def test_a_models_id_of_any_form_is_planned_and_nothing_is_written(name: str, tmp_path: Path, capsys) -> None:
    book = playbook(tmp_path / "book", model={"id": name})
    words = ["qualify", book, "--model-path", QWEN2, "-o", tmp_path / "out", "--plan"]
    assert main([str(word) for word in words]) == 0
    assert " gates, " in capsys.readouterr().out and not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["../..", "CON/x", "one", "a b/c: (d)"])
def test_a_models_id_of_any_form_has_a_folder_of_its_own(name: str, tmp_path: Path, capsys) -> None:
    book = playbook(tmp_path / "book", model={"id": name})
    words = ["qualify", book, "--model-path", QWEN2, "-o", tmp_path / "out", "--only", "F-PATH-001,G0-FORMAT-GGUF-001"]
    assert main([str(word) for word in words]) == 0
    below = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")}
    assert "2 of 2 hold" in capsys.readouterr().out and below == {"book", "out"}


@pytest.mark.parametrize("name", ["../..", "a/..", "CON/x"])
def test_what_the_hub_cannot_call_a_model_is_not_looked_for_there(name: str, tmp_path: Path, capsys) -> None:
    book = playbook(tmp_path / "book", model={"id": name})
    assert "cannot be the name of a model on the hub" in refused([book, "-o", tmp_path / "out"], capsys)


@pytest.mark.parametrize("name", ["Qwen2.5-Coder-0.5B-Instruct", "a/b.c", "v1.0", "(final) v2 + @ü"])
def test_a_playbooks_own_id_keeps_its_dots(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = playbook(tmp_path / "book", id=name)
    assert main(["qualify", str(book), "--model-path", str(QWEN2), "--plan"]) == 0
    assert capsys.readouterr().out.startswith(f"{name} on ")


def test_a_failure_word_that_there_is_not_is_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["qualify", "tiny", "--model-path", str(QWEN2), "--failure-policy", "never"]) == 2
    assert "stop-on-first" in capsys.readouterr().err


def test_the_command_line_decides_what_a_failure_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = playbook(tmp_path / "book", model={"id": "a/b.c", "expected": {"hidden_size": 1}}, failure="collect-all")
    words = [str(book), "--model-path", str(QWEN2), "--only", "G0-PULL-001,G0-TENSOR-001", "-o", str(tmp_path / "out")]
    assert main(["qualify", *words, "--failure-policy", "stop-on-must"]) == 1
    said = capsys.readouterr().out
    assert said.startswith("0 of 1 hold; 1 cause\n") and "stop-on-must" in said
    assert "not reached: stop-on-must at G0-PULL-001 safetensors" in " ".join(said.split())


def test_a_locked_playbook_that_was_changed_is_said_in_the_report(tmp_path: Path, capsys) -> None:
    book = playbook(tmp_path / "book")
    assert main(["qualify", str(book), "--lock"]) == 0
    assert capsys.readouterr().out.endswith(", locked\n")
    playbook(tmp_path / "book", tokens=3)
    words = [str(book), "--model-path", str(QWEN2), "--only", "G0-PULL-001", "-o", str(tmp_path / "out")]
    assert main(["qualify", *words]) == 0
    said = capsys.readouterr().out
    assert "playbook playbook (changed)" in said and "The playbook is not the one that was locked." in said


def test_init_prints_a_playbook_that_can_be_planned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["qualify", "--init", str(QWEN2), "--tier", "smoke"]) == 0
    (tmp_path / "started.yaml").write_text(capsys.readouterr().out, "utf-8")
    assert main(["qualify", str(tmp_path / "started.yaml"), "--model-path", str(QWEN2), "--plan"]) == 0
    assert capsys.readouterr().out.startswith("tiny-qwen2 on ")
    assert refused(["--init", tmp_path / "none"], capsys)
