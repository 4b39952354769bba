"""The recorded apr, qualified by a playbook that asks what it was asked; `docs/qualification-of-apr.md` is its report.

Run as a program (`python tests/support/apr_qualification.py`) it writes that page again.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import apr_serving
from support.command import Result, contracts
from support.qualifying import read
from support.shared_models import APR_FILES, DATA, MODELS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "qualification-of-apr.md"
PLAYBOOK = "tiny-qwen2-apr.yaml"
_INTRODUCTION = """\
> A worked example: what `contracts report qualification --format issue` printed after
> `contracts qualify tiny-qwen2-apr.yaml --model-path tiny-qwen2 --no-gpu -o qualification`, as a maintainer of apr
> would receive it. The model is a small random Qwen2 with a tokenizer of 2,000 tokens. Every file that is judged here
> was written, and every answer given, by a real apr 0.72.3 (`cargo install aprender`, CPU) that was recorded and
> replayed by content; what it was not asked is Skipped. Versions, dates and digests of definitions are left out (`…`).

"""


def lay_out(folder: Path) -> None:
    """What the playbook names, side by side in a folder, so that no command holds a path of the machine."""
    shutil.copytree(MODELS / "tiny-qwen2", folder / "tiny-qwen2")
    for file in (DATA / "playbooks" / PLAYBOOK, APR_FILES / "weights-only.gguf"):
        shutil.copyfile(file, folder / file.name)


@contextmanager
def installed(folder: Path) -> Iterator[None]:
    """The recorded apr on PATH, and the command that is tested."""
    programs = folder / "programs"
    programs.mkdir()
    apr_serving.install(programs)
    before = os.environ["PATH"]
    os.environ["PATH"] = os.pathsep.join([str(programs), str(Path(sys.executable).parent), before])
    try:
        yield
    finally:
        os.environ["PATH"] = before


def qualified(folder: Path) -> Result:
    """The whole playbook, in the folder; its evidence stands in `qualification`."""
    lay_out(folder)
    with installed(folder):
        words = ("--model-path", "tiny-qwen2", "--no-gpu", "--no-color", "-o", "qualification")
        done = contracts("qualify", PLAYBOOK, *words, cwd=folder)
    evidence, run = (read(folder / "qualification" / name) for name in ("evidence.json", "run.json"))
    return Result(done.code, done.stdout, done.stderr, evidence, run)


def page(folder: Path) -> str:
    """The report as an issue, with what differs from machine to machine left out."""
    done = contracts("report", "qualification", "--format", "issue", cwd=folder)
    return _INTRODUCTION + normalised(done.stdout)


def normalised(text: str) -> str:
    """The report without versions, dates, digests of definitions and the last digits of what was computed."""
    left_out = (
        (r"(?m)^- model-contracts .*$", "- model-contracts `…`, definitions `…`"),
        (r"(?m)^- Python .*$", "- Python `…` on `…`"),
        (r"(?m)^- libraries: .*$", "- libraries: `…`"),
        (r"(?m)^- run: .*, (seed \d+)$", r"- run: `…`, \1"),
        (r"(?m)^(- playbook: \S+) `blake3:\w+`", r"\1 `…`"),
        (r"(\.yaml):\d+", r"\1"),
    )
    for pattern, instead in left_out:
        text = re.sub(pattern, instead, text)
    return re.sub(r"\d+\.\d{3,}", lambda found: f"{float(found[0]):.2f}", text)


def write() -> None:
    """Write the page again."""
    with tempfile.TemporaryDirectory() as place:
        qualified(Path(place))
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(Path(place)), "utf-8")


if __name__ == "__main__":
    write()
