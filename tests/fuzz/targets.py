"""Owns the fuzz targets, one a reader: a file it reads, how its structure is spoilt, and the command that reads it.

A target raises whatever this program does not mean to raise: what reaches exit 4, and an outcome that is our own error.
What a target does follows from the bytes alone, so that a file that was kept replays.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from random import Random
from zlib import crc32

from fuzz import mutations
from model_contracts.cli.main import main

CORPUS = Path(__file__).parent / "corpus"
_HF, _PARTS, _GGUF = CORPUS / "hf", CORPUS / "parts", CORPUS / "t-Q4_0.gguf"
_DEFINITIONS = Path(__file__).parents[2] / "contracts"


class Failure(AssertionError):
    """A command ended as the checker's own failure."""


@dataclass(frozen=True, slots=True)
class Target:
    """One reader: where its first file lies, what spoils such a file, and what reads the spoilt bytes."""

    seed: Path
    spoil: Callable[[bytes, Random], bytes]
    read: Callable[[bytes, Random], None]

    def __call__(self, data: bytes) -> None:
        """Read these bytes; which command reads them is drawn from the bytes."""
        self.read(data, Random(crc32(data)))

    @property
    def name(self) -> str:
        """The reader's name, by which `make fuzz` tells it and its kept files are found."""
        return self.read.__name__

    def corpus(self) -> list[bytes]:
        """The whole file, and every spoilt one that was kept because it once failed."""
        return [path.read_bytes() for path in (self.seed, *sorted((CORPUS / "kept" / self.name).glob("*")))]


def _ran(*words: object) -> None:
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([*(str(word) for word in words), "--traceback"])
    if code not in (0, 1, 2, 3):
        report = out.getvalue()
        begins = max(report.find(" error: "), 0)  # an outcome that is our own error, with its reason
        raise Failure(f"exit {code}: {report[begins : begins + 300]} {err.getvalue()[-600:]}")
    if shown := [c for c in out.getvalue() + err.getvalue() if not c.isprintable() and c != "\n"]:
        raise Failure(f"printed as it is: {shown[0]!r}")


@contextmanager
def _folder(*, copied: bool = False) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        if copied:
            shutil.copytree(_HF, Path(name) / "m")
        yield Path(name)


def safetensors(data: bytes, random: Random) -> None:
    with _folder(copied=True) as folder:
        path = folder / "m" / "model.safetensors"
        path.write_bytes(data)
        _ran(random.choice(("check", "check", "inspect", "stats")), path)


def gguf(data: bytes, random: Random) -> None:
    _artifact("t.gguf", data, random)


def apr(data: bytes, random: Random) -> None:
    _artifact("t.apr", data, random)


def _artifact(name: str, data: bytes, random: Random) -> None:
    with _folder() as folder:
        (path := folder / name).write_bytes(data)
        word = random.choice(("check", "check", "inspect", "stats", "convert", "pair"))
        if word == "convert":
            _ran("convert", path, folder / "out.safetensors", "--no-check")
        elif word == "pair":
            _ran("check", path, "--against", _HF)
        else:
            _ran(word, path)


def _beside(name: str, data: bytes, random: Random) -> None:
    with _folder(copied=True) as folder:
        (folder / "m" / name).write_bytes(data)
        word = random.choice(("convert", "pair", "check", "inspect"))
        if word == "convert":
            _ran("convert", folder / "m", folder / random.choice(("o.gguf", "o.apr", "o.safetensors")), "--no-check")
        elif word == "pair":
            _ran("check", _GGUF, "--against", folder / "m")
        else:
            _ran(word, folder / "m")


def tokenizer(data: bytes, random: Random) -> None:
    _beside("tokenizer.json", data, random)


def tokenizer_config(data: bytes, random: Random) -> None:
    _beside("tokenizer_config.json", data, random)


def sentencepiece(data: bytes, random: Random) -> None:
    _beside("tokenizer.model", data, random)


def config(data: bytes, random: Random) -> None:
    _beside("config.json", data, random)


def generation_config(data: bytes, random: Random) -> None:
    _beside("generation_config.json", data, random)


def sentence_modules(data: bytes, random: Random) -> None:
    _sentence_model("modules.json", data, random)


def pooling(data: bytes, random: Random) -> None:
    _sentence_model("1_Pooling/config.json", data, random)


def _sentence_model(name: str, data: bytes, random: Random) -> None:
    with _folder(copied=True) as folder:
        shutil.copy(_PARTS / "modules.json", folder / "m")
        shutil.copytree(_PARTS / "1_Pooling", folder / "m" / "1_Pooling")
        (folder / "m" / name).write_bytes(data)
        _ran("check", folder / "m", *random.choice(((), ("--against", _HF))))


def adapter(data: bytes, random: Random) -> None:
    with _folder(copied=True) as folder:
        (folder / "m" / "model.safetensors").rename(folder / "m" / "adapter_model.safetensors")
        (folder / "m" / "adapter_config.json").write_bytes(data)
        _ran(random.choice(("check", "check", "inspect")), folder / "m")


def index(data: bytes, random: Random) -> None:
    with _folder(copied=True) as folder:
        model = folder / "m"
        (model / "model.safetensors").rename(model / "model-00001-of-00001.safetensors")
        (model / "model.safetensors.index.json").write_bytes(data)
        _ran(random.choice(("check", "inspect")), model)


def contract(data: bytes, random: Random) -> None:
    with _folder() as folder:
        (folder / "contracts.yaml").write_bytes(data)
        shutil.copy(_GGUF, folder)
        named = random.choice(((), ("--contract", folder / "contracts.yaml")))
        _ran("check", folder / _GGUF.name, *named, "--plan")


def converter(data: bytes, random: Random) -> None:
    with _folder() as folder:
        (path := folder / "d.yaml").write_bytes(data)
        _ran("convert", CORPUS / "t.apr", folder / "out.apr", "--converter", path, "--dtype", "none-such")


def playbook(data: bytes, random: Random) -> None:
    with _folder() as folder:
        (path := folder / "d.yaml").write_bytes(data)
        _ran("qualify", path, "--plan", "--model-path", _HF)


def system(data: bytes, random: Random) -> None:
    with _folder() as folder:
        (path := folder / "d.yaml").write_bytes(data)
        _ran("qualify", "tiny", "--system", path, "--plan", "--model-path", _HF)


def evidence(data: bytes, random: Random) -> None:
    _evidence("evidence.json", data, random)


def run_record(data: bytes, random: Random) -> None:
    _evidence("run.json", data, random)


def _evidence(name: str, data: bytes, random: Random) -> None:
    with _folder() as folder:
        for each in ("evidence.json", "run.json"):
            shutil.copy(CORPUS / each, folder)
        (folder / name).write_bytes(data)
        if random.random() < 0.5:
            _ran("evidence", random.choice(("validate", "audit")), folder / name)
        else:
            _ran("report", folder, "--format", random.choice(("text", "json", "markdown")))


_ALL = (
    Target(_HF / "model.safetensors", mutations.safetensors, safetensors),
    Target(_GGUF, mutations.gguf, gguf),
    Target(CORPUS / "t.apr", mutations.apr, apr),
    Target(_HF / "tokenizer.json", mutations.json_text, tokenizer),
    Target(_HF / "tokenizer_config.json", mutations.json_text, tokenizer_config),
    Target(_PARTS / "tokenizer.model", mutations.binary, sentencepiece),
    Target(_HF / "config.json", mutations.json_text, config),
    Target(_HF / "generation_config.json", mutations.json_text, generation_config),
    Target(_PARTS / "modules.json", mutations.json_text, sentence_modules),
    Target(_PARTS / "1_Pooling" / "config.json", mutations.json_text, pooling),
    Target(_PARTS / "adapter_config.json", mutations.json_text, adapter),
    Target(_PARTS / "index.json", mutations.json_text, index),
    Target(_DEFINITIONS / "default.yaml", mutations.yaml_text, contract),
    Target(_DEFINITIONS / "converters" / "llama-cpp.yaml", mutations.yaml_text, converter),
    Target(_DEFINITIONS / "qualification" / "tiers" / "smoke.yaml", mutations.yaml_text, playbook),
    Target(_DEFINITIONS / "qualification" / "systems" / "llama-cpp.yaml", mutations.yaml_text, system),
    Target(CORPUS / "evidence.json", mutations.json_text, evidence),
    Target(CORPUS / "run.json", mutations.json_text, run_record),
)
TARGETS: dict[str, Target] = {target.name: target for target in _ALL}
