"""The first page and the pages for a person run as they stand: every command ends as it says, and Python runs."""

from __future__ import annotations

import re
import shlex
import shutil
import struct
from collections.abc import Iterator
from contextlib import redirect_stdout
from importlib.util import find_spec
from io import StringIO
from pathlib import Path

import pytest

from model_contracts.pytest import ModelContracts
from support.command import contracts
from support.merged_model import merged
from support.mutations import copied, json_of
from support.shared_models import DATA

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = [DOCS / "start.md", *sorted((DOCS / "for").glob("*.md"))]
_BLOCK = re.compile(r"^```(?P<language>\w+)(?: (?P<path>\S+))?\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_EXIT, _NEEDS = re.compile(r"# .*\bexit (\d)"), re.compile(r"# .*\bneeds (\w+)")
#: What a page calls an extra, by the package that it brings.
EXTRAS = {"llamacpp": "xllamacpp"}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages speak of: made once, copied by links."""
    folder = tmp_path_factory.mktemp("models")
    copied(DATA / "tiny-qwen2", folder, "base")
    quant = folder / "model-Q4_K_M.gguf"
    shutil.copyfile(DATA / "tiny-qwen2-Q4_K_M.gguf", quant)
    for place in ("quants/model-Q4_K_M.gguf", "upload/model-Q8_0.gguf"):
        (folder / place).parent.mkdir()
        shutil.copyfile(quant, folder / place)
    merged(folder)
    (folder / "claims.gguf").write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 2))
    (folder / "cut.gguf").write_bytes(quant.read_bytes()[:1_000_000])
    download = copied(DATA / "tiny-qwen2", folder, "download")
    (download / "pytorch_model.bin").write_bytes(b"\x80\x04N.")
    (download / "modeling_tiny.py").write_text("raise SystemExit(9)\n")
    (download / "chat_template.jinja").write_text("{{ messages.__class__.__init__.__globals__ }}")
    with json_of(download / "config.json") as config:
        config["auto_map"] = {"AutoModelForCausalLM": "modeling_tiny.TinyModel"}
    return folder


def blocks(page: Path, *languages: str) -> Iterator[tuple[str, str]]:
    """Language and body of each block in one of the languages; of Python in a file of tests `pytest`."""
    for block in _BLOCK.finditer(page.read_text("utf-8")):
        language = "pytest" if block["path"] and block["language"] == "python" else block["language"]
        if language in languages:
            yield language, block["body"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_runs_as_it_stands(page: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    place = shutil.copytree(models, tmp_path / "place", copy_function=_linked)
    monkeypatch.chdir(place)
    ran = 0
    for language, body in blocks(page, "sh", "python", "pytest"):
        if language == "sh":
            ran += sum(_command(line, place) for line in body.splitlines() if line.startswith("contracts "))
        else:
            with redirect_stdout(StringIO()):
                _python(body, language)
            ran += 1
    assert ran >= 5


def _linked(source: str, target: str) -> None:
    Path(target).hardlink_to(source)


def _command(line: str, place: Path) -> bool:
    """Whether it could be run here; fails where it ends otherwise than the page says."""
    if (needs := _NEEDS.search(line)) and find_spec(EXTRAS[needs[1]]) is None:
        return False
    done = contracts(*shlex.split(line, comments=True)[1:], cwd=place)
    expected = int(found[1]) if (found := _EXIT.search(line)) else 0
    assert done.code == expected, f"{line}\n{done.stdout}\n{done.stderr}"
    return True


def _python(body: str, language: str) -> None:
    names: dict[str, object] = {}
    exec(compile(body, "page", "exec"), names)
    shared = ModelContracts()
    for name, test in names.items() if language == "pytest" else ():
        if name.startswith("test_") and callable(test):
            test(model_contracts=shared)


def test_what_a_page_says_of_an_exit_is_read(models: Path):
    assert _command("contracts check cut.gguf --only G0-CONTAINER-002 -q  # exit 1", models)
    with pytest.raises(AssertionError, match="FALSIFIED"):
        _command("contracts check cut.gguf --only G0-CONTAINER-002 -q", models)


def test_every_command_of_a_page_is_in_a_block_that_runs():
    """A `console` block is for what is no command of ours; nothing escapes the test by another mark."""
    shown = {page.name: [body for _, body in blocks(page, "console", "bash", "shell")] for page in PAGES}
    assert [(name, body) for name, found in shown.items() for body in found if "contracts " in body] == []
