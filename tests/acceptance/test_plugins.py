"""Packages of third parties: used where they are named, told with their versions, to blame for what fails in them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from support.command import CONTRACTS, Result
from support.open_world import definitions, installed, own_contract
from support.shared_models import DATA

QWEN2, GGUF = DATA / "tiny-qwen2", DATA / "tiny-qwen2-Q4_K_M.gguf"
INVARIANT = (
    "id: own/one\ntitle: t\nstatement: s\nsubject: artifact\n"
    "gates: [{{id: OWN-NORMS-001, title: norms are even, check: acme_even_norms, parameters: {{times: {}}}}}]\n"
)


class Site:
    """A place where the package is installed, and the command that sees it."""

    def __init__(self, folder: Path) -> None:
        here = installed(folder)
        paths = [here["PYTHONPATH"], os.environ.get("PYTHONPATH", "")]
        self.environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        self.package = Path(here["PYTHONPATH"]) / "acme_contracts"
        self.folder = folder

    def run(self, *words: str | Path) -> Result:
        done = subprocess.run(
            [str(CONTRACTS), *map(str, words)],
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=120,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def check(self, *words: str | Path, times: float = 100.0) -> Result:
        files = {"invariants/one.yaml": INVARIANT.format(times), "contracts/all.yaml": own_contract("own/one")}
        own, out = definitions(self.folder / "own", files), self.folder / "out"
        asked = ("--definitions", own, "--contract", "own/all", "-o", out, "--force")
        done = self.run("check", QWEN2, *asked, *words)
        read = (
            [json.loads((out / name).read_text()) for name in ("evidence.json", "run.json")]
            if out.is_dir()
            else [[], {}]
        )
        return Result(done.code, done.stdout, done.stderr, *read)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_kind_of_a_plugin_keeps_and_falsifies_and_stands_in_the_evidence(site: Site):
    kept = site.check("--plugins", "acme-contracts")
    assert (kept.code, kept.gate("OWN-NORMS-001")["outcome"]) == (0, "Corroborated"), kept.stderr
    assert kept.run["plugins"] == [
        {
            "name": "acme-contracts",
            "version": "1.2",
            "kinds": ["acme_even_norms"],
            "reporters": ["acme_lines"],
            "runtimes": ["acme_echo"],
        }
    ]
    assert "plugin acme-contracts 1.2" in kept.stdout
    told = site.check("--plugins", "acme-contracts", times=1.01)
    assert (told.code, told.gate("OWN-NORMS-001")["outcome"]) == (1, "Falsified")
    assert {one["measure"] for one in told.violated("OWN-NORMS-001")} == {"largest_over_rms"}


def test_a_package_that_nobody_named_is_not_used(site: Site):
    told = site.check()
    assert told.code == 2 and "'acme_even_norms'" in told.stderr and "--plugins" in told.stderr
    assert "acme" not in site.run("list", "kinds").stdout
    assert "acme_even_norms" in site.run("list", "kinds", "--plugins", "acme-contracts").stdout


def test_a_reporter_of_a_plugin_writes_the_report(site: Site):
    told = site.check("--plugins", "acme-contracts", "--format", "acme_lines")
    assert told.stdout.splitlines()[-1] == "acme decided kept"
    again = site.run("report", site.folder / "out", "--plugins", "acme-contracts", "--format", "acme_lines")
    assert (again.code, again.stdout) == (0, told.stdout)
    assert "invalid choice: 'acme_lines'" in site.run("check", QWEN2, "--format", "acme_lines").stderr


def test_a_runtime_of_a_plugin_is_listed_and_asked(site: Site):
    listed = site.run("runtimes", "--plugins", "acme-contracts", "--format", "json")
    assert [one["version"] for one in json.loads(listed.stdout) if one["runtime"] == "acme_echo"] == ["1.2"]
    assert "acme_echo" not in site.run("runtimes").stdout


def broken(site: Site, file: str, text: str) -> None:
    (site.package / file).write_text(text)


FAILING = """
from model_contracts.checks.interface import NoParameters, static
from model_contracts.outcome import Record
class Any_(Record):
    times: float
def run(examination, parameters, where):
    {}
    yield
EVEN_NORMS = static(Any_, run)
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import nothing_of_the_kind\n", "ModuleNotFoundError"),
        ("raise SystemExit(0)\n", "SystemExit"),
        ("syntax error\n", "SyntaxError"),
        ("EVEN_NORMS = 3\n", "gives no kind of check: int"),
        ("", "AttributeError"),
        (FAILING.format("raise ValueError('mine')"), "ValueError: mine"),
        (FAILING.format("raise SystemExit(0)"), "SystemExit"),
        (FAILING.format("yield 3"), "it gave int"),
        (FAILING.format("raise RecursionError"), "RecursionError"),
        (FAILING.format("import os; raise OSError(28, 'full')"), "OSError"),
    ],
)
def test_what_fails_in_a_plugin_is_its_own_and_no_error_of_ours(site: Site, text: str, said: str):
    broken(site, "kinds.py", text)
    told = site.check("--plugins", "acme-contracts")
    outcome = told.gate("OWN-NORMS-001")
    assert (told.code, outcome["outcome"], outcome["skip_cause"]) == (3, "Skipped", "plugin_failed"), told.stderr
    assert "the plugin acme-contracts 1.2 failed" in outcome["reason"] and said in outcome["reason"]


@pytest.mark.parametrize(
    "text",
    [
        "raise ValueError\n",
        "def report(*a, **b):\n    raise ValueError\n",
        "report = 3\n",
        "def report(*a, **b):\n    return 3\n",
    ],
)
def test_a_reporter_that_fails_hides_no_verdict(site: Site, text: str):
    broken(site, "lines.py", text)
    for times, code in ((100.0, 2), (1.01, 1)):
        told = site.check("--plugins", "acme-contracts", "--format", "acme_lines", times=times)
        assert (told.code, told.stdout) == (code, "") and "the plugin acme-contracts 1.2 failed" in told.stderr


@pytest.mark.parametrize(
    "text", ["raise ValueError\n", "class Echo:\n    def installed(self):\n        raise ValueError\n"]
)
def test_a_runtime_that_fails_is_not_here(site: Site, text: str):
    broken(site, "echo.py", text)
    told = site.run("runtimes", "--plugins", "acme-contracts")
    assert told.code == 0 and "the plugin acme-contracts 1.2 failed" in told.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[model_contracts.kinds]\nelementwise = acme_contracts.kinds:EVEN_NORMS\n", "'elementwise' of kinds"),
        ("[model_contracts.kinds]\nanswers = acme_contracts.kinds:EVEN_NORMS\n", "'answers' of kinds"),
        ("[model_contracts.reporters]\njson = acme_contracts.lines:report\n", "'json' of reporters"),
        ("[model_contracts.runtimes]\nllamacpp = acme_contracts.echo:Echo\n", "'llamacpp' of runtimes"),
        ("[model_contracts.runtimes]\napr = acme_contracts.echo:Echo\n", "'apr' of runtimes"),
        ("[model_contracts.kinds]\n../up = acme_contracts.kinds:EVEN_NORMS\n", "is no name"),
        ("[console_scripts]\nx = acme_contracts.kinds:EVEN_NORMS\n", "has no entry point in"),
    ],
)
def test_a_plugin_shadows_nothing(site: Site, text: str, said: str):
    (points,) = site.package.parent.glob("*.dist-info/entry_points.txt")
    points.write_text(text)
    told = site.run("check", QWEN2, "--plugins", "acme-contracts")
    assert told.code == 2 and said in told.stderr and "acme" in told.stderr


@pytest.mark.parametrize("name", ["nobody-has-this", "../acme", "acme contracts", "", "\u0430cme-contracts"])
def test_a_package_that_is_not_there_is_a_usage_error(site: Site, name: str):
    told = site.run("check", QWEN2, "-q", "--plugins", name)
    assert told.code == (2 if name else 0), told.stderr


def test_the_project_of_the_working_folder_names_plugins(site: Site):
    work = site.folder / "work"
    work.mkdir()
    (work / "pyproject.toml").write_text('[tool.model-contracts]\nplugins = ["acme-contracts"]\n')
    done = subprocess.run(
        [str(CONTRACTS), "list", "kinds"], capture_output=True, text=True, cwd=work, env=site.environment, check=False
    )
    assert "acme_even_norms" in done.stdout


def test_evidence_of_a_failed_plugin_is_valid(site: Site):
    broken(site, "kinds.py", "")
    site.check("--plugins", "acme-contracts")
    files = (site.folder / "out" / "evidence.json", site.folder / "out" / "run.json")
    told = site.run("evidence", "validate", *files)
    assert told.code == 0, told.stdout
    assert "plugin failed" in site.run("explain", "plugin_failed").stdout
