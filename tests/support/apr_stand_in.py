"""Answers for aprender's `apr` as a real one answered: a call is known by its words and by the bytes of its files.

Its `main` replays one call; for a question that was not recorded it says so and exits 97. It is started a hundred times
in one qualification, so it imports little.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
RECORDED = SHARED / "systems" / "apr"
NOT_RECORDED = 97
_PLAYBOOK_PATH = re.compile(r"[A-Z0-9]+/model\.\w+")


class Answer(NamedTuple):
    """What a call printed and wrote: file name to the digest of its bytes."""

    exit_code: int
    stdout: str
    stderr: str
    wrote: dict[str, str]


def install(folder: Path, module: str = __name__) -> Path:
    """A program named `apr` in a folder, to be put on PATH: `main` of a module, in a Python without packages."""
    program = folder / "apr"
    tests = str(Path(__file__).resolve().parents[1])
    run = f"import sys\nsys.path.insert(0, {tests!r})\nfrom {module} import main\nsys.exit(main(sys.argv[1:]))\n"
    program.write_text(f"#!{sys.executable} -IS\n{run}", "utf-8")
    program.chmod(0o755)
    return program


@cache
def answers() -> dict[tuple[str, ...], Answer]:
    """Every recorded call by its key: words as they are, inputs by digest, the output by its suffix."""
    found: dict[tuple[str, ...], Answer] = {}
    for record in json.loads((RECORDED / "playbook" / "records.json").read_text("utf-8")):
        if record["verb"] != "serve run":
            found.setdefault(_playbook_key(record), _answer(record, record["outputs"]))
    digests: dict[str, str] = {}
    for run in json.loads((RECORDED / "runs.json").read_text("utf-8")):
        wrote = {name: entry["sha256"] for name, entry in run["wrote"].items()}
        found.setdefault(_run_key(run["argv"][1:], digests), _answer(run, wrote))
        digests |= wrote
    return found


def _answer(record: dict[str, Any], wrote: dict[str, str]) -> Answer:
    return Answer(record["exit_code"], record["stdout"], record["stderr"], wrote)


def _playbook_key(record: dict[str, Any]) -> tuple[str, ...]:
    digests = iter(record["inputs"].values())
    paths = [_PLAYBOOK_PATH.fullmatch(word) is not None for word in record["argv"]]
    words = []
    for word, path in zip(record["argv"], paths, strict=True):
        digest = next(digests, None) if path else None
        words.append(word if not path else f"file:{digest}" if digest else f"out:{_suffix(word)}")
    return tuple(words)


def _run_key(words: list[str], digests: dict[str, str]) -> tuple[str, ...]:
    place = _output(words)
    keyed = []
    for at, word in enumerate(words):
        digest = digests.get(word) or _model_digest(word)
        keyed.append(f"out:{_suffix(word)}" if at == place else f"file:{digest}" if digest else word)
    return tuple(keyed)


def _output(words: list[str]) -> int | None:
    """Which word names what is to be written."""
    if "-o" in words:
        return words.index("-o") + 1
    plain = [at for at, word in enumerate(words) if not word.startswith("-")]
    return plain[3] if "convert" in words[:2] and len(plain) > 3 else None


@cache
def _model_digest(name: str) -> str | None:
    """The digest of a file that was there before anything was run."""
    name = name.replace("Qwen/Qwen2.5-Coder-0.5B-Instruct/", "tiny-qwen2/")
    made = {"weights-only/model.gguf": "weights-only.gguf", "sibling/model.gguf": "weights-only.gguf"}
    path = RECORDED / "files" / made[name] if name in made else SHARED / "models" / name
    return sha256(path) if path.is_file() else None


def key_of(words: list[str]) -> tuple[str, ...]:
    """The key of a call that is made now."""
    place = _output(words)
    keyed = []
    for at, word in enumerate(words):
        file = at != place and not word.startswith("-") and Path(word).is_file()
        keyed.append(f"out:{_suffix(word)}" if at == place else f"file:{sha256(Path(word))}" if file else word)
    return tuple(keyed)


def _suffix(word: str) -> str:
    name = word.rsplit("/", 1)[-1]
    return name.rsplit(".", 1)[-1] if "." in name else ""


def sha256(path: Path) -> str:
    """The digest of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def blob(digest: str) -> bytes | None:
    """The bytes of a file that the real program wrote, where they were kept."""
    packed = RECORDED / "playbook" / "blobs" / f"{digest[:16]}.xz"
    if packed.is_file():
        import lzma

        return lzma.decompress(packed.read_bytes())
    return next((path.read_bytes() for path in _kept() if sha256(path) == digest), None)


def _kept() -> Iterator[Path]:
    yield from (path for path in (RECORDED / "files").rglob("*") if path.is_file())


def main(words: list[str]) -> int:
    """Print and write what was recorded; the recorded exit code."""
    answer = answers().get(key_of(words)) if RECORDED.is_dir() else None
    files = {name: blob(digest) for name, digest in answer.wrote.items()} if answer else {}
    if answer is None or None in files.values():
        print(f"not recorded: apr {' '.join(word.rsplit('/', 1)[-1] for word in words)}", file=sys.stderr)
        return NOT_RECORDED
    place = _output(words)
    for name, data in files.items():
        target = Path(words[place or 0])
        beside = name.rsplit("/", 1)[-1] == "config.json"
        (target.parent / "config.json" if beside else target).write_bytes(data or b"")
    sys.stdout.write(answer.stdout)
    sys.stdout.flush()  # before what it said last, where both go to one file
    sys.stderr.write(answer.stderr)
    return answer.exit_code
