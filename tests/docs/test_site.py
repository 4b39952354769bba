"""The site has every page, no dead link, nothing that is fetched from elsewhere, and the gates of the definitions."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from model_contracts import definitions
from support.gates_page import PAGE, page

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
#: Pages of the root that ci/site.py brings in.
BROUGHT = {"contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}


def leaves(nav: list[dict[str, Any]]) -> list[str]:
    """Pages of the navigation, in its order."""
    found: list[str] = []
    for entry in nav:
        for below in entry.values():
            found += leaves(below) if isinstance(below, list) else [below]
    return found


def test_the_page_of_gates_is_what_the_definitions_say():
    assert PAGE.read_text("utf-8") == page(), "python -m support.gates_page, in tests/, writes it"
    gates = {
        gate.id for name in definitions.shipped_ids("invariant") for gate in definitions.load_invariant(name).gates
    }
    assert set(re.findall(r"^\| \[([\w-]+)\]", page(), re.MULTILINE)) == gates and len(gates) > 80


def test_the_navigation_has_every_page_once():
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")]
    assert sorted(leaves(SETTINGS["nav"])) == sorted([*pages, *BROUGHT])
    assert all((ROOT / name).is_file() for name in BROUGHT.values())


def test_every_list_has_a_line_before_it():
    """Python-Markdown takes a list that follows a line of text for text."""
    begins, told = re.compile(r"(\*|-|\d+\.) "), []
    for path in [*(ROOT / "docs").rglob("*.md"), ROOT / "CONTRIBUTING.md"]:
        text = re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        lines = ["", *text.splitlines()]
        for before, line in pairwise(lines):
            if begins.match(line) and before.strip() and not begins.match(before) and not before.startswith(" "):
                told.append((path.name, line))
    assert told == []


def test_nothing_is_asked_of_the_network():
    assert SETTINGS["theme"]["font"] is False and SETTINGS["plugins"] == ["search"] and SETTINGS["strict"] is True


@pytest.mark.skipif(find_spec("material") is None, reason="mkdocs-material is not installed (pip install '.[docs]')")
def test_the_site_is_built_without_a_dead_link(tmp_path: Path):
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    fetched = re.compile(r"""<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=["']?(?:https?:)?//""")
    built = list((tmp_path / "site").rglob("*.html"))
    assert len(built) == len(leaves(SETTINGS["nav"])) + 1  # and 404.html
    assert [path.name for path in built if fetched.search(path.read_text("utf-8"))] == []
    assert 'title="' not in re.sub(r"<[^>]*>", "", (tmp_path / "site" / "contributing.html").read_text("utf-8"))
