"""A test suite that holds models to contracts fails with the report, and starts as fast as without the plugin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from model_contracts.pytest import assert_kept
from support.mutations import copied, json_of
from support.shared_models import DATA

SUITE = """
from model_contracts.pytest import assert_kept

def test_kept(model_contracts):
    checked = model_contracts.assert_kept("kept", only=["G0-*"])
    assert model_contracts.check("kept", only=["G0-*"]) is checked

def test_broken(model_contracts):
    model_contracts.assert_kept("broken", only=["G0-INTEGRITY-CONFIG"])

def test_other_than_its_source():
    assert_kept("broken", against="kept", contract="conversion", only=["F-CONTRACT-I2-*", "G0-INTEGRITY-CONFIG"])
"""


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "model_contracts.pytest", *words]
    # By its name alone: where the package is installed with its entry point, pytest would take it twice.
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(argv, capture_output=True, text=True, cwd=folder, env=alone, check=False)


def test_a_suite_fails_with_the_report_of_the_command(tmp_path: Path):
    copied(DATA / "tiny-qwen2", tmp_path, "kept")
    with json_of(copied(DATA / "tiny-qwen2", tmp_path, "broken") / "config.json") as config:
        config["num_hidden_layers"] = 7
    (tmp_path / "test_models.py").write_text(SUITE)
    done = run(tmp_path, "--contracts-evidence", "seen")
    assert (done.returncode, "2 failed, 1 passed" in done.stdout) == (1, True), done.stdout
    assert "FALSIFIED  1 gate: 1 falsified" in done.stdout and "✗ G0-INTEGRITY-CONFIG" in done.stdout
    assert "layer_types: expected an array of 7 entries, one a layer, observed an array of 4 entries" in done.stdout
    assert "Traceback" not in done.stdout and "model_contracts/pytest.py" not in done.stdout
    assert sorted(path.name for path in (tmp_path / "seen").iterdir()) == ["001-kept", "002-broken"]
    assert json.loads((tmp_path / "seen" / "002-broken" / "run.json").read_text("utf-8"))["decision"]["exit_code"] == 1


def test_what_is_not_proven_fails_too(tmp_path: Path):
    with json_of(copied(DATA / "tiny-qwen2", tmp_path, "unknown") / "config.json") as config:
        config |= {"architectures": ["Nobody"], "model_type": "nobody"}
    with pytest.raises(pytest.fail.Exception, match="NOT PROVEN"):
        assert_kept(tmp_path / "unknown", only=["G0-TENSOR-001"])
    assert assert_kept(DATA / "tiny-qwen2", only=["G0-TENSOR-001"]).kept


def test_the_plugin_imports_nothing_of_the_package_when_pytest_starts(tmp_path: Path):
    (tmp_path / "test_none.py").write_text(
        "import sys\n"
        "def test_none():\n    print('loaded', *(n for n in sys.modules if n.startswith('model_contracts')))\n"
    )
    done = run(tmp_path, "-s")
    assert "loaded model_contracts model_contracts.pytest\n" in done.stdout.replace("\r", ""), done.stdout
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"model_contracts": "model_contracts.pytest"}
