"""The command: its exit codes, what a failure of ours looks like, and what it does not import."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest

from model_contracts.cli import main as command
from model_contracts.cli.main import COMMANDS, main
from model_contracts.engine.evidence import write
from model_contracts.schemas import NAMES
from model_contracts.terminal import safe
from support.outcomes import outcome, record


def out(capsys):
    return capsys.readouterr().out


def test_help_names_every_sub_command_and_the_exit_codes(capsys):
    assert main(["--help"]) == 0
    shown = out(capsys)
    assert all(name in shown for name in COMMANDS) and "3 not proven" in shown


def test_no_sub_command_is_a_usage_error(capsys):
    assert main([]) == 2
    assert "usage: contracts" in out(capsys)


@pytest.mark.parametrize(
    "words",
    [
        ["chekc"],
        ["list", "nothing"],
        ["schema"],
        ["evidence"],
        ["report"],
        ["explain"],
        ["check"],
        ["check", "--seed", "x", "m"],
    ],
)
def test_what_cannot_be_parsed_is_a_usage_error(words, capsys):
    assert main(words) == 2
    assert capsys.readouterr().err


def test_the_version_is_printed(capsys):
    assert main(["--version"]) == 0
    assert out(capsys).startswith("contracts 0")


@pytest.mark.parametrize("words", [["-v", "list", "kinds"], ["list", "-v", "--log-format", "json", "invariants"]])
def test_global_options_stand_before_or_after_the_sub_command(words, capsys, monkeypatch):
    monkeypatch.setitem(COMMANDS, "list", ("model_contracts.cli.list", ""))
    monkeypatch.setattr("model_contracts.cli.list.run", lambda arguments: 0 if arguments.verbose else 1)
    assert main(words) == 0


def fails(monkeypatch, error):
    def run(arguments):
        raise error

    monkeypatch.setattr("model_contracts.cli.list.run", run)


def test_an_error_of_ours_is_one_line_and_exit_4(monkeypatch, capsys):
    import model_contracts.cli.list as _  # noqa: F401

    fails(monkeypatch, ZeroDivisionError("a \x1b[2J b"))
    assert main(["list"]) == 4
    shown = capsys.readouterr().err
    assert shown == "contracts: internal error: ZeroDivisionError: a \\x1b[2J b (run with --traceback)\n"


def test_a_traceback_is_shown_where_it_is_asked_for(monkeypatch, capsys):
    fails(monkeypatch, ZeroDivisionError("x"))
    assert main(["list", "--traceback"]) == 4
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_an_interrupt_is_exit_130(monkeypatch):
    fails(monkeypatch, KeyboardInterrupt())
    assert main(["list"]) == 130


def test_a_definition_error_is_one_line_and_exit_2(capsys):
    assert main(["explain", "F-CONTRACT-I9"]) == 2
    shown = capsys.readouterr()
    assert (
        shown.out == "" and shown.err.startswith("contracts: explain: expected a gate") and shown.err.count("\n") == 1
    )


def test_a_reader_that_goes_away_is_no_traceback():
    script = f"{sys.executable} -m model_contracts.cli.main list gates | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == "" and done.returncode in (0, 141)


@pytest.mark.parametrize("refused", [io.UnsupportedOperation("fileno"), ValueError("I/O operation on closed file")])
def test_a_reader_that_goes_away_from_a_stream_without_a_descriptor_is_none_either(monkeypatch, refused):
    def fileno():
        raise refused

    stream = io.StringIO()
    monkeypatch.setattr(stream, "fileno", fileno)
    monkeypatch.setattr(sys, "stdout", stream)
    fails(monkeypatch, BrokenPipeError())
    assert main(["list"]) == 141


HEAVY = ["numpy", "structlog", "hypothesis", "rich", "gguf", "numba"]


@pytest.mark.parametrize(
    ("words", "without"),
    [
        (["--help"], [*HEAVY, "pydantic", "jsonschema", "yaml"]),
        (["list"], [*HEAVY, "pydantic", "jsonschema"]),
        (["explain", "F-CONTRACT-I4-001"], [*HEAVY, "pydantic", "jsonschema"]),
        (["explain", "default"], [*HEAVY, "jsonschema"]),
        (["evidence", "validate", "RUN"], [*HEAVY, "pydantic", "yaml"]),
        (["schema", "run"], [*HEAVY, "jsonschema"]),
        (["report", "DIR"], [*HEAVY, "yaml"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_a_sub_command_imports_only_what_it_needs(words, without, tmp_path):
    write(tmp_path, (outcome(),), record((outcome(),)))
    named = {"RUN": str(tmp_path / "run.json"), "DIR": str(tmp_path)}
    words = [named.get(word, word) for word in words]
    code = (
        "import sys\nfrom model_contracts.cli.main import main\n"
        f"code = main({words!r})\n"
        f"sys.exit(', '.join(set({without!r}) & sys.modules.keys()) if code == 0 else f'exit {{code}}')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr.strip() == ""


def test_every_gate_that_is_listed_can_be_explained(capsys):
    assert main(["list", "gates", "--format", "json"]) == 0
    gates = [gate["id"] for gate in json.loads(out(capsys))["gates"]]
    assert len(gates) > 10
    for gate in gates:
        assert main(["explain", gate]) == 0
        shown = out(capsys)
        assert gate in shown and "invariants/" in shown
        assert "In contracts: " in shown or "In playbooks of the tiers: " in shown


def test_the_start_of_a_gate_explains_all_that_begin_so(capsys):
    assert main(["explain", "F-CONTRACT-I4"]) == 0
    shown = out(capsys)
    assert "F-CONTRACT-I4-001" in shown and "F-CONTRACT-I4-002" in shown and "F-CONTRACT-I3" not in shown


def test_a_contract_is_explained_by_its_clauses(capsys):
    assert main(["explain", "conversion"]) == 0
    shown = out(capsys)
    assert "contracts/conversion.yaml:1" in shown and "F-CONTRACT-I2-001" in shown


@pytest.mark.parametrize("what", ["invariants", "contracts", "families", "gates"])
def test_a_list_is_the_same_as_text_and_as_json(what, capsys):
    assert main(["list", what]) == 0
    lines = out(capsys).splitlines()
    assert main(["list", what, "--format", "json"]) == 0
    found = json.loads(out(capsys))[what]
    assert [line.split()[0] for line in lines] == [entry["id"] for entry in found]


def test_evidence_that_is_valid_exits_0_and_not_valid_1_and_unusable_2(tmp_path, capsys):
    write(tmp_path, (outcome(),), record((outcome(),)))
    good, bad = tmp_path / "evidence.json", tmp_path / "bad.json"
    bad.write_text('[{"id": 1}]', encoding="utf-8")
    assert main(["evidence", "validate", str(good), str(tmp_path / "run.json")]) == 0
    assert out(capsys).splitlines() == [f"{good}: valid", f"{tmp_path / 'run.json'}: valid"]
    assert main(["evidence", "validate", str(good), str(bad)]) == 1
    assert f"{bad}: /0/id: expected string, found 1" in out(capsys).splitlines()
    assert main(["evidence", "validate", str(bad), str(tmp_path / "none.json")]) == 2
    assert capsys.readouterr().err == f"contracts: {tmp_path / 'none.json'}: no such file or directory\n"


@pytest.mark.parametrize(("verdict", "code"), [("Corroborated", 0), ("Falsified", 1), ("Skipped", 3), ("Error", 4)])
def test_a_report_renders_again_and_exits_as_the_check_did(tmp_path, capsys, verdict, code):
    outcomes = (outcome(verdict),)
    write(tmp_path, outcomes, record(outcomes))
    assert main(["report", str(tmp_path)]) == code
    assert f"exit {code} " in out(capsys).splitlines()[-1]
    assert main(["report", str(tmp_path), "--format", "json"]) == code
    assert json.loads(out(capsys))["evidence"][0]["outcome"] == verdict


def test_a_report_of_nothing_is_one_line(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"contracts: {tmp_path / 'evidence.json'}: no such file or directory\n"


def test_schemas_are_printed_and_written(tmp_path, capsys):
    assert main(["schema", "evidence"]) == 0
    shown = out(capsys)
    assert main(["schema", "--write", str(tmp_path / "s")]) == 0
    assert (tmp_path / "s" / "evidence.schema.json").read_text("utf-8") == shown
    assert len(out(capsys).splitlines()) == len(NAMES)


def test_the_table_of_told_errors_names_classes_that_exist():
    from importlib import import_module

    for module, name in command._TOLD:
        assert issubclass(getattr(import_module(module), name), Exception), safe(name)
