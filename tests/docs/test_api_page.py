"""docs/api.md is what the docstrings say, its examples run, and importing the package takes no time."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path

import pytest

import model_contracts
from model_contracts import api
from support.api_page import PAGE, page
from support.shared_models import DATA

#: Milliseconds above the interpreter that `import model_contracts` may take.
MOST = 30.0


def test_the_page_is_what_the_docstrings_say():
    assert PAGE.read_text("utf-8") == page(), "python -m support.api_page, in tests/, writes it"


def test_every_name_has_an_example_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("tiny-qwen2", "tiny-qwen2-Q4_K_M.gguf"):
        (tmp_path / name).symlink_to(DATA / name)
    monkeypatch.chdir(tmp_path)
    found = [test for test in doctest.DocTestFinder().find(api) if test.examples]
    assert {test.name.rpartition(".")[2] for test in found} >= set(model_contracts.__all__) - {"Checked", "Outcomes"}
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    said: list[str] = []
    for test in found:
        runner.run(test, out=said.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)


def test_names_are_those_of_the_api_and_others_are_none():
    assert set(model_contracts.__all__) == set(api.__all__) == set(dir(model_contracts)) - {"__version__"}
    assert model_contracts.check is api.check and (Path(model_contracts.__file__).parent / "py.typed").is_file()
    with pytest.raises(AttributeError, match="no attribute 'verify'"):
        _ = model_contracts.verify


def test_importing_the_package_loads_none_of_it_and_takes_no_time():
    words = "import sys; before = set(sys.modules); import model_contracts; print(*set(sys.modules) - before)"
    assert set(run("-c", words).stdout.split()) <= {"model_contracts", "__future__"}
    lines = (run("-X", "importtime", "-c", "import model_contracts").stderr.splitlines()[-1] for _ in range(3))
    assert min(int(line.split("|")[1]) for line in lines) / 1000 < MOST  # the least: the machine has other work


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True)


def test_what_the_api_imports_is_neither_torch_nor_numba_nor_hypothesis():
    words = "import sys; from model_contracts import check, Outcome; print(*sys.modules)"
    loaded = run("-c", words).stdout.split()
    assert {"torch", "transformers", "numba", "hypothesis", "jsonschema", "structlog"} & set(loaded) == set()
