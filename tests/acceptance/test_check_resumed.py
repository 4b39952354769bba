"""A check that was killed goes on: what was finished is not evaluated again; its evidence is that of a whole run."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from model_contracts.cli.main import main
from model_contracts.engine import unfinished
from model_contracts.engine.identity import stands_on
from model_contracts.engine.plan import CheckRequest
from model_contracts.engine.run import Checking
from model_contracts.outcome import Outcome
from support.mutations import copied, json_of
from support.shared_models import DATA

QUANT = DATA / "tiny-qwen2-Q4_K_M.gguf"
#: What generates inputs is killed and gone on with as all else is, and takes half of the time.
SLOW = "F-CONTRACT-I3-002,F-CONTRACT-I5-*"
#: Of two runs of the same thing, what differs.
OF_THE_RUN = ("id", "duration", "timestamp")
#: Runs the command, and kills itself once so many outcomes are keptand one is half written.
KILLED = """
import os, signal, sys
from model_contracts.cli.main import main
from model_contracts.engine import unfinished
left = int(sys.argv[1])
append = unfinished.Unfinished._append
def counted(self, line):
    global left
    left -= 1
    append(self, line[: len(line) // 2] if left < 0 else line)
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
unfinished.Unfinished._append = counted
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A broken pair of a folder of its own: something is falsified, something incomplete, a property generated."""
    place = tmp_path_factory.mktemp("pair")
    source = copied(DATA / "tiny-qwen2", place, "source")
    with json_of(source / "config.json") as config:
        config["rope_theta"] = 12345.0
    shutil.copy(QUANT, place / "m-Q4_K_M.gguf")
    return place


def words(model: Path, output: Path, *more: str) -> list[str]:
    pair = [str(model / "m-Q4_K_M.gguf"), "--against", str(model / "source")]
    return ["check", *pair, "--skip", SLOW, "-q", "-o", str(output), *more]


def killed(model: Path, output: Path, after: int) -> list[bytes]:
    """Run until so many lines are kept, and one is half written, then SIGKILL; the lines of the journal."""
    argv = [sys.executable, "-c", KILLED, str(after), *words(model, output)]
    done = subprocess.run(argv, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return (output / unfinished.NAME).read_bytes().splitlines(keepends=True)


def seen(output: Path) -> Any:
    """What evidence and run say, without what differs between two runs of the same thing."""
    evidence = json.loads((output / "evidence.json").read_text("utf-8"))
    run = json.loads((output / "run.json").read_text("utf-8"))
    outcomes = [{name: value for name, value in one.items() if name not in OF_THE_RUN} for one in evidence]
    assert len({one["id"] for one in evidence}) == len(evidence)
    return outcomes, {name: run[name] for name in run if name not in ("command", "started", "duration")}


@dataclass
class Told:
    """What a command ended with and said."""

    code: int
    stderr: str


def contracts(*words: str | Path) -> Told:
    """The command, in this process: what it imports and reads of definitions is there already."""
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()) as errors:
        return Told(main([str(word) for word in words]), errors.getvalue())


@pytest.fixture(scope="module")
def whole(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a run says that nobody killed."""
    output = tmp_path_factory.mktemp("whole")
    assert contracts(*words(model, output)).code == 1 and not (output / unfinished.NAME).exists()
    return seen(output)


@pytest.fixture(scope="module")
def lines(model: Path, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The journal of a run that was ended as it was to write its evidence."""
    output = tmp_path_factory.mktemp("lines")
    checking = Checking((asked(model),))
    assert checking.keep(output) is None
    checking.finish()
    return (output / unfinished.NAME).read_bytes().splitlines(keepends=True)


def asked(model: Path) -> CheckRequest:
    """What `words` ask."""
    return CheckRequest((model / "m-Q4_K_M.gguf",), against=model / "source", skip=tuple(SLOW.split(",")))


def resumed(model: Path, output: Path) -> Told:
    done = contracts(*words(model, output, "--resume"))
    assert done.code == 1 and not (output / unfinished.NAME).exists(), done.stderr
    return done


def laid(output: Path, *lines: bytes) -> Path:
    output.mkdir()
    (output / unfinished.NAME).write_bytes(b"".join(lines))
    return output


def test_a_check_killed_in_the_middle_of_a_line_goes_on(model: Path, whole: Any, tmp_path: Path) -> None:
    before = killed(model, tmp_path, 9)
    assert len(before) == 11 and not before[-1].endswith(b"\n")
    assert resumed(model, tmp_path).stderr == "" and seen(tmp_path) == whole


def test_a_check_killed_at_a_moment_goes_on(model: Path, whole: Any, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "model_contracts.cli.main", *words(model, tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        while not (tmp_path / unfinished.NAME).exists():
            time.sleep(0.005)
        time.sleep(random.uniform(0, 0.3))
        os.kill(child.pid, signal.SIGKILL)
    resumed(model, tmp_path)
    assert seen(tmp_path) == whole


def test_a_journal_cut_at_any_byte_is_gone_on_with(model: Path, whole: Any, lines: list[bytes], tmp_path: Path) -> None:
    """A journal only grows: one that is cut at a byte is that of a run which was killed there."""
    data, seed = b"".join(lines), random.randrange(1 << 32)
    draw = random.Random(seed)
    cuts = [len(lines[0]) - 1, len(data) - 1, *(draw.randrange(len(data)) for _ in range(2))]
    for number, cut in enumerate(cuts):
        output = laid(tmp_path / str(number), data[:cut])
        assert resumed(model, output).stderr == "", (seed, cut)
        assert seen(output) == whole, (seed, cut)


def test_a_check_killed_between_the_files_of_its_evidence_goes_on(
    model: Path, whole: Any, lines: list[bytes], tmp_path: Path
):
    for number, left in enumerate(("evidence.json", "run.json")):
        output = laid(tmp_path / str(number), *lines)
        (output / left).write_text("[]" if left == "evidence.json" else "{}")
        (output / f".{left}.0123456789ab").write_text("half")
        assert contracts(*words(model, output)).code == 2, "not asked to go on"
        assert resumed(model, output).stderr == "" and seen(output) == whole
        assert not list(output.glob(".*"))


def test_what_was_finished_is_not_evaluated_again(
    model: Path, lines: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr("model_contracts.engine.run.evaluate", lambda *_: pytest.fail("evaluated again"))
    monkeypatch.setattr("model_contracts.checks.interface.Examination.begin", lambda _: pytest.fail("read again"))
    assert main(words(model, laid(tmp_path / "out", *lines), "--resume")) == 1
    kept = [json.loads(line)["outcome"]["id"] for line in lines if b'"outcome"' in line]
    evidence = json.loads((tmp_path / "out" / "evidence.json").read_text("utf-8"))
    assert sorted(kept) == sorted(one["id"] for one in evidence) and len(kept) == len(lines) - 2
    assert "FALSIFIED" in capsys.readouterr().out


def stands(own: Path, **options: Any) -> dict[str, str]:
    request = CheckRequest((own / "m-Q4_K_M.gguf",), against=own / "source", **options)
    return stands_on(Checking((request,)).held)


def rewritten(path: Path) -> None:
    """The same bytes again, with the times of before: the time of a file's last change cannot be set back."""
    status = path.stat()
    path.write_bytes(path.read_bytes())
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        (lambda own: {"seed": 7}, "options"),
        (lambda own: {"only": ("G0-*",)}, "options"),
        (lambda own: {"contract": "default"}, "definitions"),
        (lambda own: rewritten(own / "m-Q4_K_M.gguf"), "files"),
        (lambda own: rewritten(own / "source" / "model.safetensors"), "files"),
        (lambda own: rewritten(own / "source" / "tokenizer.json"), "files"),
        (lambda own: (own / "source" / "added.json").write_text("{}"), "files"),
        (lambda own: (own / "m-Q4_K_M.config.json").write_text("{}"), "files"),
        (lambda own: (own / "contracts.yaml").write_text("id: x\ntitle: t\n"), "definitions"),
    ],
)
def test_a_run_stands_on_its_files_definitions_and_options(change: Any, differs: str, model: Path, tmp_path: Path):
    own = tmp_path / "pair"
    shutil.copytree(model, own)
    before = stands(own)
    assert stands(own) == before
    changed = change(own)
    now = stands(own, **(changed if isinstance(changed, dict) else {}))
    assert differs in {name for name in now if now[name] != before[name]}


def test_a_run_on_something_else_is_evaluated_anew_and_that_is_said(model: Path, lines: list[bytes], tmp_path: Path):
    words = ("check", QUANT, "--only", "G0-TENSOR-001", "-q", "-o", laid(tmp_path / "out", *lines), "--resume")
    told = contracts(*words)
    where = tmp_path / "out" / unfinished.NAME
    said = "the run that was ended stands on other definitions, files, options; everything is evaluated"
    assert (told.code, told.stderr) == (0, f"contracts: {where}: {said}\n")
    assert not where.exists() and len(json.loads((tmp_path / "out" / "evidence.json").read_text("utf-8"))) == 1
    again = contracts(*words)
    assert (again.code, again.stderr) == (0, f"contracts: {where}: no run was ended here; everything is evaluated\n")


def forged(line: bytes, **changes: Any) -> bytes:
    entry = json.loads(line)
    return json.dumps(entry | {"outcome": entry["outcome"] | changes}).encode() + b"\n"


def spoilt(lines: list[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """Journals that say something else than what a run wrote, by what is wrong with them."""
    yield "of another gate", [lines[0], forged(lines[1], gate_id="G0-VALIDATE-001")]
    yield "of another contract", [lines[0], forged(lines[1], contract="mine")]
    yield "made a warning", [lines[0], forged(lines[1], force="should"), forged(lines[1], force="must")]
    yield "counts that do not add up", [lines[0], forged(lines[1], owed=0, compared=10)]
    yield "no verdict", [lines[0], forged(lines[1], outcome="Kept")]
    yield "an outcome twice over", [lines[0], lines[1][:-1] + lines[1]]
    for at in (b"[0, 999]", b"[9, 0]", b"[-1, 0]", b"[]", b"{}", b'"00"'):
        yield f"at {at.decode()}", [lines[0], b'{"at": ' + at + lines[1][lines[1].index(b', "outcome"') :]]
    yield "records of others", [lines[0], lines[-1].replace(b"m-Q4_K_M.gguf", b"n-Q4_K_M.gguf")]
    yield "no identity", [b"{}\n", lines[1]]
    yield "identity later", [lines[1], lines[0]]
    yield "bytes", [b"\xff\xfe\n"]
    yield "deep", [lines[0], b"[" * 100_000 + b"\n"]
    yield "wide", [lines[0], b"[" + b"0," * 1_000_000 + b"0]\n"]
    yield "a number of many digits", [lines[0], b"9" * 10_000 + b"\n"]


def test_a_hostile_journal_is_ignored_and_that_is_said(model: Path, lines: list[bytes], tmp_path: Path):
    held = Checking((asked(model),)).held
    said: dict[str, str | None] = {}
    identity = json.loads(lines[0])["stands_on"]
    for number, (what, journal) in enumerate(spoilt(lines)):
        output = laid(tmp_path / str(number), *journal)
        read = unfinished.Unfinished(output, held, identity, resume=True)
        said[what] = read.said
        assert read.said is not None and read.said.endswith("; everything is evaluated"), what
        assert read.earlier(0) == unfinished.Earlier(), what
        assert len((output / unfinished.NAME).read_bytes().splitlines()) == 1
    assert ":" in str(said["of another gate"]) and "line 2: expected an outcome of this run" in str(said["no verdict"])


def test_a_link_in_the_place_of_a_journal_is_not_written_through(model: Path, lines: list[bytes], tmp_path: Path):
    precious, output = tmp_path / "precious", tmp_path / "out"
    precious.write_bytes(b"mine")
    output.mkdir()
    (output / unfinished.NAME).symlink_to(precious)
    refused = contracts(*words(model, output))
    assert refused.code == 2 and "this is not the journal of an earlier check" in refused.stderr
    assert "everything is evaluated" in resumed(model, output).stderr
    assert precious.read_bytes() == b"mine"


def test_a_fifo_in_the_place_of_a_journal_is_not_waited_for(model: Path, tmp_path: Path):
    os.mkfifo(tmp_path / unfinished.NAME)
    assert "not a regular file; everything is evaluated" in resumed(model, tmp_path).stderr


def test_a_name_that_is_no_text_is_kept_and_gone_on_with(tmp_path: Path):
    strange = tmp_path / os.fsdecode(b"\xff\xfe.gguf")
    shutil.copy(QUANT, strange)
    checking = Checking((CheckRequest((strange,), only=("G0-TENSOR-001",)),))
    assert checking.keep(tmp_path / "out") is None
    checking.finish()
    told = contracts("check", strange, "--only", "G0-TENSOR-001", "-q", "-o", tmp_path / "out", "--resume")
    assert (told.code, told.stderr) == (0, ""), told.stderr


def test_a_run_begun_anew_says_that_one_was_ended(model: Path, lines: list[bytes], tmp_path: Path):
    output = laid(tmp_path / "out", *lines)
    told = contracts("check", QUANT, "--only", "G0-TENSOR-001", "-o", output)
    assert told.code == 0 and "is begun anew (--resume goes on with it)" in told.stderr
    assert contracts("check", QUANT, "--resume").code == 2


def test_outcomes_come_one_by_one_and_a_run_can_be_left(model: Path):
    request = CheckRequest((model / "m-Q4_K_M.gguf",), against=model / "source", only=("G0-*",))
    checking = Checking((request,))
    first = next(checking)
    assert isinstance(first, Outcome) and first.subject.digest is None
    evidence, run = checking.finish()
    assert run.decision.word == "kept"
    again = next(one for one in evidence if one.id == first.id)
    assert again.subject.digest is not None and again.model_copy(update={"subject": first.subject}) == first
    left = Checking((request,))
    next(left)
    left.close()
    assert list(left) == []
    with pytest.raises(RuntimeError, match="ended before it was finished"):
        left.finish()
