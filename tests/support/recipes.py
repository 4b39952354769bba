"""Carries out a recipe of CONTRIBUTING.md in a copy of the repository: blocks are files, diffs change them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from support.command import Result

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "CONTRIBUTING.md"
#: What tests of the architecture stand on.
TREES = "tests/support/source_trees.py"
_BLOCK = re.compile(r"^```(?P<language>\w+)(?: (?P<path>\S+))?\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


class Copy:
    """A copy of the package and its definitions."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "copy"
        #: Python files that a recipe wrote or changed.
        self.changed: list[Path] = []
        for part in ("src", "contracts", "invariants", "schemas"):
            shutil.copytree(ROOT / part, self.root / part)

    def carry_out(self, number: int) -> None:
        """Do what one recipe says, block by block."""
        for language, path, body in recipe(number):
            if language == "sh":
                for words in map(str.split, body.splitlines()):
                    assert words[0] == "contracts" and self.contracts(*words[1:]).code == 0, body
            elif language == "diff":
                change(self.root / path, body)
            else:
                write(self.root / path, body)
            if path.endswith(".py"):
                self.changed.append(self.root / path)

    def contracts(self, *words: str | Path) -> Result:
        """The command of the copy, in a process of its own."""
        command = [sys.executable, "-m", "model_contracts.cli.main", *map(str, words)]
        environment = os.environ | {"PYTHONPATH": str(self.root / "src")}
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=environment,
            cwd=self.root,
            timeout=300,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def check(self, folder: Path, *words: str | Path) -> Result:
        """`contracts check … -o folder` of the copy, with the evidence it wrote."""
        done = self.contracts("check", *words, "-o", folder)
        assert done.code in (0, 1, 3), f"exit {done.code}\n{done.stdout}\n{done.stderr}"
        evidence = json.loads((folder / "evidence.json").read_text("utf-8"))
        run = json.loads((folder / "run.json").read_text("utf-8"))
        return Result(done.code, done.stdout, done.stderr, evidence, run)

    def knows_its_schemas(self) -> None:
        """Not one schema would be written anew: the recipe said so where it changed what they are made of."""
        written = self.contracts("schema", "--write", "schemas")
        assert written.code == 0, written.stderr

    def holds_its_laws(self) -> None:
        """The tests of definitions and of words in the copy, and of what holds of the Python that was written."""
        support = ("tests/support/__init__.py", "tests/support/schema_lines.py", "tests/data/acme")
        for part in ("tests/architecture", *support, "pyproject.toml", "README.md", "CONTRIBUTING.md", "docs"):
            source, target = ROOT / part, self.root / part
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(source, target) if source.is_dir() else shutil.copyfile(source, target)
        shutil.copyfile(ROOT / TREES, self.root / TREES)
        folder = self.root / "tests" / "architecture"
        names = ("definitions_shipped", "readable", "containers", "passed_over", "imports")
        laws = [f"{folder}/test_{name}.py" for name in names]
        self._passes(sys.executable, "-m", "ruff", "check", "--no-cache", *self.changed)
        self._passes(sys.executable, "-m", "ruff", "format", "--no-cache", "--check", *self.changed)
        self._passes(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", self.root, *laws)

    def _passes(self, *words: str | Path) -> None:
        environment = os.environ | {"PYTHONPATH": str(self.root / "src")}
        done = subprocess.run(
            list(map(str, words)), capture_output=True, text=True, env=environment, cwd=self.root, check=False
        )
        assert done.returncode == 0, done.stdout[-4000:]


def recipe(number: int) -> list[tuple[str, str, str]]:
    """The blocks of a recipe: language, path, body."""
    parts = re.split(r"^## Recipe (\d+): .*$", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    text = dict(zip(map(int, parts[1::2]), parts[2::2], strict=True))[number]
    found = [(block["language"], block["path"] or "", block["body"]) for block in _BLOCK.finditer(text)]
    assert found and all(path or language == "sh" for language, path, _ in found), (
        f"recipe {number}: a block has no path"
    )
    return found


def write(path: Path, body: str) -> None:
    """A file that was not there."""
    assert not path.exists(), f"{path} is there already"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(body, "utf-8")


def change(path: Path, diff: str) -> None:
    """Lines of a file that stand together, once, become others."""
    lines = diff.splitlines()
    before = "".join(line[1:] + "\n" for line in lines if line[:1] != "+")
    after = "".join(line[1:] + "\n" for line in lines if line[:1] != "-")
    text = path.read_text("utf-8")
    assert text.count(before) == 1, f"{path.name} holds these lines {text.count(before)} times:\n{before}"
    path.write_text(text.replace(before, after), "utf-8")
