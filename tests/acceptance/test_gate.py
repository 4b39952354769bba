"""A gate in front of a merge: exceptions have an owner and an end, reports are files, several models one table."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from model_contracts.cli.main import main
from model_contracts.engine.fingerprints import fingerprint_at
from model_contracts.reporters import REPORTERS
from support.shared_models import DATA

GGUF = DATA / "tiny-qwen2-Q4_K_M.gguf"
#: Gates that read no value: what is tried here is what is decided of them.
HEADERS = "G0-CONTAINER-*,G0-TOKENIZER-00*"
TEMPLATE = b"tokenizer.chat_template"


def run(*words: object) -> int:
    return main([str(word) for word in words])


@pytest.fixture(scope="module")
def short(tmp_path_factory) -> Path:
    """A file that ends early, in a folder with its evidence."""
    folder = tmp_path_factory.mktemp("short")
    (folder / "models").mkdir()
    (folder / "models" / "short.gguf").write_bytes(GGUF.read_bytes()[:-4096])
    assert run("check", folder / "models" / "short.gguf", "--only", HEADERS, "-o", folder / "evidence", "-q") == 1
    return folder


def waiver(folder: Path, expires: str, where: str = "waivers.yaml") -> Path:
    path = folder / where
    path.write_text(
        f"waivers:\n  - gate: G0-CONTAINER-002\n    subject: {fingerprint_at(str(folder / 'models' / 'short.gguf'))}\n"
        f"    reason: a copy for the tests\n    owner: alice\n    expires: {expires}\n"
    )
    return path


def test_a_waiver_passes_and_says_so_and_the_same_one_expired_fails(short, capsys):
    model = short / "models" / "short.gguf"
    words = ("check", model, "--only", HEADERS, "--waivers")
    assert run(*words, waiver(short, "2999-01-01")) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "waived until 2999-01-01 by alice: a copy for the tests" in said
    assert said.split("KEPT")[-1].endswith("1 gate excused")
    assert run(*words, waiver(short, "2020-01-01")) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "waiver of G0-CONTAINER-002 counts as absent: it expired on 2020-01-01 (alice)" in said


def test_a_renamed_file_keeps_its_waiver_and_its_baseline(short, tmp_path, capsys):
    renamed = shutil.copy(short / "models" / "short.gguf", tmp_path / "renamed.gguf")
    assert run("check", renamed, "--only", HEADERS, "-q", "--waivers", waiver(short, "2999-01-01")) == 0
    assert run("baseline", short / "evidence") == 0
    assert "1 fault: G0-CONTAINER-002" in capsys.readouterr().out
    assert run("check", renamed, "--only", HEADERS, "-q", "--baseline", short / "evidence") == 0
    shorter = tmp_path / "shorter.gguf"
    shorter.write_bytes(renamed.read_bytes()[:-4096])
    assert run("check", shorter, "--only", HEADERS, "-q", "--baseline", short / "evidence") == 1


def test_waivers_that_came_with_a_model_are_not_believed(short, capsys, monkeypatch):
    models = short / "models"
    own = waiver(short, "2999-01-01", "models/waivers.yaml")
    contract = models / "contracts.yaml"
    contract.write_text("id: mine\ntitle: t\nextends: [default]\n")
    try:
        for words in (("--contract", contract), ()):
            monkeypatch.chdir(models)
            assert run("check", models / "short.gguf", "--only", HEADERS, *words) == 1
            assert "is not believed" in " ".join(capsys.readouterr().out.split())
    finally:
        own.unlink()
        contract.unlink()


def test_waivers_beside_a_contract_that_a_person_chose_are(short, monkeypatch):
    beside = waiver(short, "2999-01-01")
    (short / "contracts.yaml").write_text("id: mine\ntitle: t\nextends: [default]\n")
    try:
        model = short / "models" / "short.gguf"
        assert run("check", model, "--only", HEADERS, "-q", "--contract", short / "contracts.yaml") == 0
        monkeypatch.chdir(short)
        assert run("check", "models/short.gguf", "--only", HEADERS, "-q") == 0
    finally:
        (short / "contracts.yaml").unlink()
        beside.unlink()


def test_waivers_and_baselines_that_cannot_be_read_end_the_command_before_anything_is_read(short, tmp_path, capsys):
    (tmp_path / "w.yaml").write_text("waivers:\n  - gate: G0-A-1\n")
    for words in (("--waivers", tmp_path / "w.yaml"), ("--waivers", tmp_path / "none"), ("--baseline", tmp_path)):
        assert run("check", short / "models" / "short.gguf", *words) == 2
        seen = capsys.readouterr()
        assert seen.out == "" and seen.err.startswith("contracts: ") and seen.err.count("\n") == 1


@pytest.mark.parametrize(("words", "code"), [((), 1), (("--fail-on", "never"), 0), (("--fail-on", "should"), 1)])
def test_what_to_fail_on_is_in_the_last_line_and_the_evidence(short, tmp_path, capsys, words, code):
    kept = tmp_path / "kept"
    assert run("check", short / "models" / "short.gguf", "--only", HEADERS, "-o", kept, *words) == code
    last = capsys.readouterr().out.splitlines()[-1]
    decision = json.loads((kept / "run.json").read_text())["decision"]
    assert last.startswith("FALSIFIED") and decision["word"] == "falsified"
    assert decision["terms"]["fail_on"] == (words[1] if words else "must")
    assert last.endswith(" ".join(words))


def test_reports_go_into_files_from_the_run_and_again_from_its_evidence(short, tmp_path, capsys):
    forms = ("sarif", "junit", "gitlab", "summary", "markdown", "card")
    asked = [f"{form}={tmp_path / form}" for form in forms]
    assert run("report", short / "evidence", *(word for one in asked for word in ("--report", one))) == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith("FALSIFIED"), "the text is printed all the same"
    assert json.loads((tmp_path / "sarif").read_text())["runs"][0]["results"][0]["ruleId"] == "G0-CONTAINER-002"
    assert [child.tag for child in ET.parse(tmp_path / "junit").iter("failure")] == ["failure"]
    assert run("report", short / "evidence", "--report", asked[0]) == 2, "what stands there is not replaced unasked"
    assert run("report", short / "evidence", "--report", asked[0], "--force") == 1
    capsys.readouterr()
    assert run("report", short / "evidence", "--report", "github") == 1
    assert capsys.readouterr().out.startswith("::error file="), "a report without a file stands in place of the text"
    assert run("report", short / "evidence", "--report", "pdf") == 2


@pytest.fixture(scope="module")
def release(tmp_path_factory) -> Path:
    """Five quants of one model as far as headers tell: one has no template, one ends early."""
    folder = tmp_path_factory.mktemp("release")
    data = GGUF.read_bytes()
    for label in ("Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "Q2_K"):
        (folder / f"tiny-{label}.gguf").write_bytes(data)
    at = data.index(TEMPLATE)
    (folder / "tiny-Q5_K_M.gguf").write_bytes(data[:at] + TEMPLATE[:-1] + b"X" + data[at + len(TEMPLATE) :])
    (folder / "tiny-Q2_K.gguf").write_bytes(data[:-4096])
    return folder


def test_five_quants_are_one_table_with_the_odd_one_out_and_why_one_failed(release, capsys):
    assert run("check", release, "--only", HEADERS, "--group-by", "release") == 1
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0].startswith("FALSIFIED")
    assert [line.split()[:2] for line in lines if line.startswith("tiny-Q") and " MB " in line] == [
        [f"tiny-{label}.gguf", label] for label in ("Q2_K", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0")
    ]
    said = " ".join(lines)
    assert "→ tiny-Q2_K.gguf failed: data_size at tiny-Q2_K.gguf" in said
    assert "→ tiny-Q5_K_M.gguf is the odd one out: no chat template (the 4 others have one)" in said


def test_a_pattern_stands_for_files_and_one_that_nothing_answers_to_is_refused(release, capsys):
    assert run("check", release / "tiny-Q[68]*.gguf", "--only", "G0-CONTAINER-001", "-q") == 0
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()[:-1]] == [
        "tiny-Q6_K.gguf",
        "tiny-Q8_0.gguf",
    ]
    assert run("check", release / "*.apr", "-q") == 2
    assert "no model answers to this pattern" in capsys.readouterr().err


def test_the_json_report_has_a_verdict_for_each_file(release, capsys):
    assert run("check", release, "--only", "G0-CONTAINER-002", "--format", "json") == 1
    verdict = json.loads(capsys.readouterr().out)["verdict"]
    assert (verdict["word"], verdict["class"], verdict["gates"]) == ("falsified", "incomplete", ["G0-CONTAINER-002"])
    assert [Path(one["path"]).name for one in verdict["files"] if one["word"] == "falsified"] == ["tiny-Q2_K.gguf"]


def test_a_name_that_is_no_text_is_judged_and_reported_in_every_form(short, tmp_path, capsys):
    model = tmp_path / "a\udcff\n::error::x.gguf"
    try:
        shutil.copy(short / "models" / "short.gguf", model)
    except OSError:
        pytest.skip("this file system takes no such name")
    assert run("check", model, "--only", HEADERS, "-q", "-o", tmp_path / "evidence") == 1
    assert run("baseline", tmp_path / "evidence") == 0
    assert run("check", model, "--only", HEADERS, "-q", "--baseline", tmp_path / "evidence") == 0
    for form in REPORTERS:
        assert run("report", tmp_path / "evidence", "--report", f"{form}={tmp_path / form}") == 1, form
        capsys.readouterr()
        assert run("report", tmp_path / "evidence", "--report", form) == 1, form
        lines = capsys.readouterr().out.split("\n")
        assert [line for line in lines if line.lstrip().startswith("::") and "file=" not in line] == [], form
