"""docs/open-world.md: its commands print what it shows, and the files that it shows are those of the example."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from model_contracts.checks import OUR_KINDS
from model_contracts.lint.flaws import Sort
from support.command import CONTRACTS
from support.mutations import copied
from support.open_world import installed, woven, woven_gguf
from support.shared_models import DATA

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "open-world.md").read_text("utf-8")
BLOCK = re.compile(r"^```(?P<language>\w+)(?: (?P<path>\S+))?\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
BROKEN = (
    "id: mine\ntitle: t\nclauses:\n  - {invariant: tensor/valus}\n"
    "  - {invariant: I-4-statistics-preserved, parameters: {budgets: {Q8_0: {relative_rmse: 0.07, row_cosine: 1e-3, "
    "gain: 1e-3, offset: 1e-3, max_error: 0.01, mean: 1e-3, std: 1e-3, extreme: 0.01}}}}\n"
)


def commands() -> list[tuple[str, list[str]]]:
    """Each command of the page, with the lines that it shows."""
    found: list[tuple[str, list[str]]] = []
    for block in BLOCK.finditer(PAGE):
        for line in block["body"].splitlines() if block["language"] == "console" else ():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    for name in ("acme", "tiny-qwen2", "tiny-qwen2-Q4_K_M.gguf"):
        copied(DATA / name, folder)
    woven(folder)
    woven_gguf(folder)
    installed(folder)
    (folder / "broken.yaml").write_text(BROKEN)
    return folder


@pytest.mark.parametrize(("command", "shown"), commands())
def test_a_command_of_the_page_prints_what_it_shows(place: Path, command: str, shown: list[str]):
    paths = filter(None, (str(place / "site"), os.environ.get("PYTHONPATH", "")))
    program, *words = shlex.split(command)
    assert program == "contracts" and shown
    done = subprocess.run(
        [str(CONTRACTS), *words],
        capture_output=True,
        text=True,
        cwd=place,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "100"},
        check=False,
    )
    assert done.returncode in (0, 1, 3), done.stderr
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    wanted = [" ".join(line.split()) for line in shown]  # columns are as wide as the other lines make them
    assert [line for line in wanted if not any(printed.startswith(line) for printed in lines)] == [], done.stdout


def test_a_file_of_the_page_is_the_one_of_the_example():
    shown = [block for block in BLOCK.finditer(PAGE) if block["path"]]
    assert len(shown) > 5
    assert [block["path"] for block in shown if block["body"] not in (DATA / block["path"]).read_text("utf-8")] == []


def test_the_page_tells_every_kind_and_every_sort():
    own = {name for name in OUR_KINDS if name.startswith("tensors_") or name in ("key_value", "file_digest")}
    told = set(re.findall(r"^\| `([\w ]+)` \|", PAGE, re.MULTILINE))
    assert (own | set(Sort.__args__)) - told == set()
