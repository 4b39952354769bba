"""What a branch touched is found through Git, pointers and the mapping of contracts.yaml and held to its source."""

from __future__ import annotations

import hashlib
import json
import shutil
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from model_contracts.changes import mapping, requests
from model_contracts.changes.pointers import of_bytes
from model_contracts.cli.main import main
from model_contracts.definitions import DefinitionError
from model_contracts.engine.plan import CheckRequest, UsageError
from support.mutations import json_of
from support.repositories import commit, git, pointer, repository
from support.shared_models import DATA

QUANT = "m-Q4_K_M.gguf"
BOTH = {"base", f"quants/{QUANT}"}
MAPPED = """\
id: shop
title: What this repository ships
artifacts:
  - {file: "quants/*-Q4_K_M.gguf", against: base, contract: conversion, dtype: Q4_K_M}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a model in a folder, one in shards, and a quant of the first."""
    root = repository(tmp_path_factory.mktemp("shop") / "root")
    shutil.copytree(DATA / "tiny-qwen2", root / "base")
    shutil.copytree(DATA / "tiny-llama", root / "sharded")
    (root / "quants").mkdir()
    shutil.copy(DATA / "tiny-qwen2-Q4_K_M.gguf", root / "quants" / QUANT)
    (root / "contracts.yaml").write_text(MAPPED)
    (root / "README.md").write_text("models")
    commit(root)
    return root


@pytest.fixture
def branch(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone that a test may change, and is in."""
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--no-hardlinks", str(shop), str(clone))
    git(clone, "checkout", "--quiet", "-b", "branch")
    monkeypatch.chdir(clone)
    mapping.entries.cache_clear()
    return clone


def asked(*paths: str, ref: str = "main", **options: Any) -> dict[str, CheckRequest]:
    request = CheckRequest(tuple(map(Path, paths)), **options)
    return {str(one.paths[0]): one for one in requests.since(ref, request)}


def told(*words: str) -> tuple[int, str, str]:
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        return main(list(words)), out.getvalue(), err.getvalue()


def configured(path: Path, **changes: Any) -> None:
    with json_of(path) as config:
        config.update(changes)


#: A file, the models that it touches where it changed, and where it is gone.
TOUCHES: dict[str, tuple[set[str], set[str]]] = {
    "base/config.json": (BOTH, BOTH),
    "base/tokenizer.json": (BOTH, BOTH),
    "base/model.safetensors": (BOTH, {f"quants/{QUANT}"}),
    "sharded/model-00002-of-00003.safetensors": ({"sharded"}, {"sharded"}),
    "sharded/model.safetensors.index.json": ({"sharded"}, {"sharded"}),
    "sharded/chat_template.jinja": ({"sharded"}, {"sharded"}),
    f"quants/{QUANT}": ({f"quants/{QUANT}"}, set()),
    "contracts.yaml": ({f"quants/{QUANT}"}, set()),
    "README.md": (set(), set()),
}


def test_a_file_touches_the_models_that_it_belongs_to(branch: Path):
    for file, (changed, gone) in TOUCHES.items():
        with (branch / file).open("ab") as longer:
            longer.write(b"\n")
        assert set(asked()) == changed, file
        (branch / file).unlink()
        mapping.entries.cache_clear()
        assert set(asked()) == gone, file
        git(branch, "checkout", "--quiet", ".")
        mapping.entries.cache_clear()


def test_a_model_is_held_to_what_the_repository_maps(branch: Path):
    configured(branch / "base" / "config.json", rope_theta=5.0)
    commit(branch)
    found = asked()
    quant, base = found[f"quants/{QUANT}"], found["base"]
    assert (quant.against, quant.contract, quant.dtype) == (Path("base"), "conversion", "Q4_K_M")
    assert (base.against, base.contract) == (None, None)
    assert set(asked("base")) == {"base", f"quants/{QUANT}"} and asked("sharded") == {}
    code, out, _ = told("check", "--changed-since", "main", "-q", "--only", "G0-*,F-CONTRACT-I3-005")
    assert code == 1 and "KEPT  base" in out and f"FALSIFIED  {QUANT}" in out


def test_a_rename_passes(branch: Path):
    git(branch, "mv", f"quants/{QUANT}", "quants/n-Q4_K_M.gguf")
    commit(branch)
    code, out, _ = told("check", "--changed-since", "main", "-q", "--only", "G0-*,F-CONTRACT-I3-*")
    assert code == 0 and out.startswith("KEPT") and set(asked()) == {"quants/n-Q4_K_M.gguf"}


def test_a_branch_that_touches_no_model_says_so(branch: Path):
    (branch / "README.md").write_text("more")
    assert told("check", "--changed-since", "main") == (
        0, "no model was touched since main: nothing was to be checked\n", "",
    )  # fmt: skip
    assert told("check", "--changed-since", "main", "--format", "json")[1] == ""


def test_what_main_did_since_is_none_of_the_branch(branch: Path):
    configured(branch / "sharded" / "config.json", rope_theta=5.0)
    commit(branch)
    git(branch, "checkout", "--quiet", "main")
    configured(branch / "base" / "config.json", rope_theta=7.0)
    commit(branch)
    git(branch, "checkout", "--quiet", "branch")
    assert set(asked()) == {"sharded"}


@pytest.mark.parametrize(
    "text", [pointer("0" * 64, 12_345), f"# xet version 0\nfilesize = 12345\nhash = '{'1' * 64}'\n"]
)
@pytest.mark.parametrize("file", [f"quants/{QUANT}", "base/model.safetensors"])
def test_a_pointer_that_was_not_pulled_is_not_proven_and_says_why(file: str, text: str, branch: Path, tmp_path: Path):
    (branch / file).write_text(text)
    words = ("check", "--changed-since", "main", "quants", "base", "-q", "-o", str(tmp_path / "seen"))
    code, out, _ = told(*words, "--only", "G0-CONTAINER-001,F-CONTRACT-I2-001")
    evidence = json.loads((tmp_path / "seen" / "evidence.json").read_text("utf-8"))
    assert code == 3 and "NOT PROVEN" in out
    unproven = [one for one in evidence if one["outcome"] == "Skipped"]
    assert unproven and {one["skip_cause"] for one in unproven} == {"missing_input"}
    assert all("pointer to 12,345 bytes" in one["reason"] for one in unproven if "not owed" not in one["reason"])
    assert not [one for one in evidence if one["outcome"] == "Falsified"]


def test_a_file_that_was_brought_for_its_pointer_is_not_touched(branch: Path):
    """Git without the filter of Git LFS takes a file that was brought for a changed one."""
    data = (branch / "quants" / QUANT).read_bytes()
    git(branch, "checkout", "--quiet", "main")
    (branch / "quants" / QUANT).write_text(pointer(hashlib.sha256(data).hexdigest(), len(data)))
    commit(branch)
    git(branch, "checkout", "--quiet", "-B", "branch")
    (branch / "quants" / QUANT).write_bytes(data)
    assert asked() == {}
    (branch / "quants" / QUANT).write_bytes(data[:-1] + b"!")
    assert set(asked()) == {f"quants/{QUANT}"}


@pytest.mark.parametrize(
    "text",
    ["", "version https://git-lfs.github.com/spec/v1\n", pointer("0" * 63, 1), "# xet version 0\nfilesize = 1\n"],
)
def test_what_only_begins_as_a_pointer_is_none(text: str):
    assert of_bytes(text.encode()) is None


def test_a_hostile_reference_is_one_line(branch: Path):
    for ref in ("--output=x", "-", "", "nope", "main:base", "a b;touch x", "$(touch x)", "\x1b[31m", "x\0y"):
        code, out, err = told("check", f"--changed-since={ref}")
        assert (code, out, err.count("\n"), list(branch.glob("*x*"))) == (2, "", 1, []), ref
        assert err.startswith("contracts: --changed-since") and "\x1b" not in err


def test_a_hostile_file_name_is_a_file_name(branch: Path):
    names = ("--help.gguf", "a\nb.gguf", "$(touch x).gguf", "-rf", "ü\tß.gguf", ";x.gguf", "\x1b[31m.gguf")
    for name in names:
        shutil.copy(branch / "quants" / QUANT, branch / name)
    commit(branch)
    assert set(asked()) == set(names)
    code, out, _ = told("check", "--changed-since", "main", "-q", "--only", "G0-CONTAINER-001")
    assert (code, "\x1b" in out, (branch / "x").exists()) == (0, False, False)


def test_a_link_that_leads_out_of_the_repository_is_not_followed(branch: Path, tmp_path: Path):
    shutil.copy(branch / "quants" / QUANT, tmp_path / "elsewhere.gguf")
    (branch / "link.gguf").symlink_to(tmp_path / "elsewhere.gguf")
    commit(branch)
    assert told("check", "--changed-since", "main") == (
        2, "", "contracts: link.gguf: a link leads out of the repository, and is not followed\n",
    )  # fmt: skip


def test_a_mapping_stays_in_its_folder(branch: Path):
    for word in ("against", "contract", "tokenizer", "file"):
        for place in ("../out", "/etc", "a/../../b", "./x", "a//b"):
            entry = {"file": "quants/*", word: place}
            (branch / "contracts.yaml").write_text(f"id: x\ntitle: t\nartifacts: [{json.dumps(entry)}]\n")
            mapping.entries.cache_clear()
            with pytest.raises(DefinitionError, match=r"contracts\.yaml"):
                mapping.entries(branch / "contracts.yaml")
    code, out, err = told("check", "--changed-since", "main")
    assert (code, out, err.count("\n")) == (2, "", 1) and "contracts.yaml" in err


def test_a_source_that_is_not_there_is_not_proven(branch: Path):
    (branch / "contracts.yaml").write_text(MAPPED.replace("against: base", "against: nowhere"))
    code, out, _ = told("check", "--changed-since", "main", "--only", "F-CONTRACT-I2-001")
    assert code == 3 and "the source cannot be opened" in " ".join(out.split())


def test_changed_files_may_be_named_by_whoever_knows_them(branch: Path):
    found = requests.of_files(CheckRequest((Path("base/tokenizer.json"), Path("README.md"), Path("base/config.json"))))
    assert [str(one.paths[0]) for one in found] == ["base", f"quants/{QUANT}"]
    assert told("check", "--touched", "README.md")[0] == 0
    assert told("check")[0] == told("check", "--touched", "--changed-since", "main")[0] == 2


def test_outside_of_a_repository_it_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(UsageError, match="not a git repository"):
        requests.since("main", CheckRequest(()))
