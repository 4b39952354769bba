"""A user's repository: hooks refuse a commit, the action tells a pull request, the image's steps make the command."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.mutations import safetensors_of
from support.repositories import GIT, commit, git, repository
from support.shared_models import DATA

ROOT = Path(__file__).resolve().parents[2]
#: What generates inputs takes half of the time, and is no other in a repository.
FAST = "--skip F-CONTRACT-I3-002"
NORM = "model.layers.1.input_layernorm.weight"
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
COMMAND = f"{shlex.quote(sys.executable)} -m model_contracts.cli.main"
#: A `gh` that keeps comments in a file, and what it was asked in another.
GH = """\
#!/bin/sh
echo "$*" >> "$STATE/asked"
case "$*" in
  *PATCH*|*POST*) for word in "$@"; do case "$word" in body=@*) cp "${word#body=@}" "$STATE/comment";; esac; done;;
  *comments*) [ ! -f "$STATE/comment" ] || echo 4711;;
esac
"""


def broken(model: Path) -> None:
    """One value of a norm is no number any more."""
    with safetensors_of(model / "model.safetensors") as tensors:
        tensors[NORM] = tensors[NORM].map(lambda values: values * float("nan"))


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A repository with one model."""
    root = repository(tmp_path / "shop")
    shutil.copytree(DATA / "tiny-qwen2", root / "model")
    (root / "contracts.yaml").write_text("id: shop\ntitle: What is in the shop\n")
    commit(root)
    git(root, "checkout", "--quiet", "-b", "branch")
    return root


def environment(**more: str) -> dict[str, str]:
    return os.environ | GIT | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), *sys.path[1:]])} | more


def hooks() -> Iterator[dict[str, Any]]:
    """The shipped hooks as a local repository has them: what they install is here already."""
    for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8")):
        entry = hook["entry"].replace("contracts", COMMAND, 1)
        fast = FAST.split() if hook["id"] == "contracts-check" else []
        yield hook | {"entry": entry, "language": "system", "args": [*fast, *hook["args"]]}


@pytest.mark.skipif(find_spec("pre_commit") is None, reason="pre-commit is not installed")
def test_a_commit_that_breaks_a_tensor_is_refused_and_a_rename_passes(shop: Path, tmp_path: Path):
    (shop / ".pre-commit-config.yaml").write_text(
        yaml.safe_dump({"repos": [{"repo": "local", "hooks": list(hooks())}]})
    )
    told = environment(PRE_COMMIT_HOME=str(tmp_path / "home"))
    subprocess.run([sys.executable, "-m", "pre_commit", "install"], cwd=shop, env=told, check=True, capture_output=True)
    before = git(shop, "rev-parse", "HEAD")

    def committed(message: str) -> subprocess.CompletedProcess[str]:
        git(shop, "add", "--all")
        words = ["git", "commit", "--message", message]
        return subprocess.run(words, cwd=shop, env=told, capture_output=True, text=True, check=False)

    git(shop, "mv", "model", "renamed")
    renamed = committed("a rename")
    assert renamed.returncode == 0, renamed.stdout + renamed.stderr
    assert "models keep their contracts" in renamed.stderr and git(shop, "rev-parse", "HEAD") != before
    before = git(shop, "rev-parse", "HEAD")
    broken(shop / "renamed")
    refused = committed("a broken tensor")
    said = refused.stdout + refused.stderr
    assert refused.returncode == 1 and git(shop, "rev-parse", "HEAD") == before
    assert "FALSIFIED" in said and "G0-VALIDATE-001" in said and NORM in said, said
    git(shop, "checkout", "--quiet", "HEAD", "--", ".")
    (shop / "contracts.yaml").write_text("id: shop\ntitle: t\nclauses: [{invariant: tensor/valeus}]\n")
    (shop / "evidence.json").write_text('[{"gate_id": 7}]')
    refused = committed("a contract that names nothing, and evidence that is none")
    assert refused.returncode == 1 and "tensor/valeus" in refused.stdout + refused.stderr
    assert "evidence.json: /0" in refused.stdout + refused.stderr


def scripted(shop: Path, tmp_path: Path, what: str, **more: str) -> subprocess.CompletedProcess[str]:
    """One step of the action, as the runner starts it."""
    tools = tmp_path / "tools"
    if not tools.exists():
        tools.mkdir()
        for name, text in {"contracts": f'#!/bin/sh\nexec {COMMAND} "$@"\n', "gh": GH}.items():
            (tools / name).write_text(text)
            (tools / name).chmod(0o755)
    told = environment(
        RUNNER_TEMP=str(tmp_path / "temp"), GITHUB_OUTPUT=str(tmp_path / "output"), STATE=str(tmp_path),
        GITHUB_STEP_SUMMARY=str(tmp_path / "job-summary"), GITHUB_REPOSITORY="a/b", GITHUB_ACTION_PATH=str(ROOT),
        PATH=f"{tools}{os.pathsep}{os.environ['PATH']}", **more,
    )  # fmt: skip
    step = next(one for one in ACTION["runs"]["steps"] if one.get("name") == what)
    return subprocess.run(["bash", "-c", step["run"]], cwd=shop, env=told, capture_output=True, text=True, check=False)


def outputs(tmp_path: Path) -> dict[str, str]:
    lines = (tmp_path / "output").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_the_action_tells_a_pull_request_that_breaks_a_tensor(shop: Path, tmp_path: Path):
    broken(shop / "model")
    commit(shop)
    done = scripted(shop, tmp_path, "check", CONTRACTS_BASE="main", CONTRACTS_ARGUMENTS=FAST)
    assert done.returncode == 0, done.stderr
    told = outputs(tmp_path)
    assert told["exit-code"] == "1" and (Path(told["evidence"]) / "run.json").is_file()
    stopped = re.search(r"^::stop-commands::([0-9a-f]{32})\n(.*)^::\1::$", done.stdout, re.M | re.S)
    assert stopped is not None and "FALSIFIED" in stopped[2] and "G0-VALIDATE-001" in stopped[2]
    assert Path(told["sarif"]).stat().st_size and "G0-VALIDATE-001" in (tmp_path / "job-summary").read_text("utf-8")
    assert "::error" in done.stdout.replace(stopped[0], "")
    summary = {"CONTRACTS_SUMMARY": told["summary"], "CONTRACTS_PULL_REQUEST": "7"}
    for method in ("--method POST repos/a/b/issues/7/comments", "--method PATCH repos/a/b/issues/comments/4711"):
        assert scripted(shop, tmp_path, "comment", **summary).returncode == 0
        assert method in (tmp_path / "asked").read_text("utf-8").splitlines()[-1]
    said = (tmp_path / "comment").read_text("utf-8")
    assert said.startswith("<!-- model-contracts -->\n") and "G0-VALIDATE-001" in said
    assert scripted(shop, tmp_path, "verdict", CONTRACTS_EXIT_CODE=told["exit-code"]).returncode == 1


def test_the_action_on_a_branch_that_touches_no_model_and_on_hostile_words(shop: Path, tmp_path: Path):
    (shop / "README.md").write_text("more")
    commit(shop)
    for base, code in (("0" * 40, "0"), ("--output=zz;touch zz", "2")):
        (tmp_path / "output").unlink(missing_ok=True)
        (tmp_path / "job-summary").unlink(missing_ok=True)
        done = scripted(shop, tmp_path, "check", CONTRACTS_BASE=base, CONTRACTS_ARGUMENTS="-q")
        assert (done.returncode, outputs(tmp_path)["exit-code"]) == (0, code), done.stderr
        assert "sarif" not in outputs(tmp_path) and not list(shop.glob("*zz*"))
        assert code == "2" or "no model was touched" in (tmp_path / "job-summary").read_text("utf-8")


def test_the_action_installs_a_pinned_wheel(shop: Path, tmp_path: Path):
    (tmp_path / "tools").mkdir()
    for name in ("contracts", "gh", "python"):
        (tmp_path / "tools" / name).write_text('#!/bin/sh\necho "$*" >> "$STATE/asked"\n')
        (tmp_path / "tools" / name).chmod(0o755)
    scripted(shop, tmp_path, "install", CONTRACTS_VERSION="1.2.3", CONTRACTS_EXTRAS="tokenizer")
    scripted(shop, tmp_path, "install", CONTRACTS_VERSION="1.2.3", CONTRACTS_REQUIREMENTS="pinned.txt")
    assert (tmp_path / "asked").read_text("utf-8").splitlines() == [
        "-m pip install --only-binary :all: model-contracts[tokenizer]==1.2.3",
        "-m pip install --only-binary :all: --require-hashes --requirement pinned.txt",
    ]


def steps(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for job in document.get("jobs", {}).values():
        yield from job["steps"]
    yield from document.get("runs", {}).get("steps", ())


def test_nothing_of_a_pull_request_is_part_of_a_command_and_actions_are_pinned():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "models.yml").read_text("utf-8"))
    for step in (*steps(ACTION), *steps(workflow)):
        assert "${{" not in step.get("run", ""), step
        assert re.fullmatch(r"\./|[\w.-]+(/[\w.-]+)+@[0-9a-f]{40}", step.get("uses", "./")), step
    assert workflow["permissions"] == {"contents": "read"} and "pull_request_target" not in str(workflow)
    given = {name for step in steps(workflow) if step.get("uses") == "./" for name in step.get("with", {})}
    assert given <= set(ACTION["inputs"])


def test_versions_that_are_installed_are_this_one():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    gitlab = yaml.safe_load((ROOT / "ci" / "gitlab.yml").read_text("utf-8"))["model-contracts"]
    assert ACTION["inputs"]["version"]["default"] == gitlab["variables"]["CONTRACTS_VERSION"] == version


def test_the_job_of_gitlab_runs(shop: Path, tmp_path: Path):
    job = yaml.safe_load((ROOT / "ci" / "gitlab.yml").read_text("utf-8"))["model-contracts"]
    broken(shop / "model")
    commit(shop)
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "contracts").write_text(f'#!/bin/sh\nexec {COMMAND} "$@"\n')
    (tools / "contracts").chmod(0o755)
    told = environment(
        PATH=f"{tools}{os.pathsep}{os.environ['PATH']}",
        CI_MERGE_REQUEST_DIFF_BASE_SHA="main",
        CONTRACTS_ARGUMENTS=f"-q {FAST}",
    )
    words = ["bash", "-c", "\n".join(job["script"])]
    done = subprocess.run(words, cwd=shop, env=told, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    reports = job["artifacts"]["reports"]
    assert "G0-VALIDATE-001" in (shop / reports["codequality"]).read_text("utf-8")
    assert "<testsuite" in (shop / reports["junit"]).read_text("utf-8") and (shop / "evidence" / "run.json").is_file()


def instructions() -> list[tuple[str, str]]:
    text = (ROOT / "Dockerfile").read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def test_the_image_is_slim_and_runs_as_nobody_in_particular():
    told = instructions()
    assert [rest.split()[0] for word, rest in told if word == "FROM"] == ["python:3.13-slim"] * 2
    users = [rest for word, rest in told if word == "USER"]
    assert users == ["contracts"] and told[-2:] == [("ENTRYPOINT", '["contracts"]'), ("CMD", '["--help"]')]
    assert told.index(("USER", "contracts")) > max(at for at, (word, _) in enumerate(told) if word == "RUN")


@pytest.mark.skipif(find_spec("hatchling") is None, reason="hatchling is not installed")
def test_what_the_image_copies_makes_the_wheel_that_it_installs(tmp_path: Path):
    source, wheels = tmp_path / "source", tmp_path / "wheels"
    source.mkdir()
    for word, rest in instructions():
        names = rest.split()
        if word == "COPY" and not names[0].startswith("--"):
            for name in names[:-1]:
                place = source if names[-1] == "./" else source / names[-1]
                (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, place)
    built = next(rest for word, rest in instructions() if word == "RUN" and " wheel " in rest)
    words = [sys.executable, *shlex.split(built.replace("/wheels", str(wheels)))[1:]]
    done = subprocess.run([*words, "--no-build-isolation"], cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = wheels.iterdir()
    shutil.unpack_archive(wheel, tmp_path / "there", "zip")
    told = os.environ | {"PYTHONPATH": str(tmp_path / "there")}
    words = [sys.executable, "-m", "model_contracts.cli.main", "check", str(DATA / "tiny-qwen2"), "-q"]
    seen = subprocess.run(words, cwd=tmp_path, env=told, capture_output=True, text=True, check=False)
    assert (seen.returncode, seen.stdout.split()[0]) == (0, "KEPT"), seen.stderr
