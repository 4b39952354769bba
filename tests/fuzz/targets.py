"""Owns the fuzz targets, one a reader: each takes a seed, spoils a file of the corpus, and runs what reads it.

A target raises whatever this program does not mean to raise: what reaches exit 4, and an outcome that is our own error.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from random import Random

from fuzz import mutations
from model_contracts.cli.main import main

CORPUS = Path(__file__).parent / "corpus"
_DEFINITIONS = Path(__file__).parents[2] / "contracts"


class Finding(AssertionError):
    """A command ended as the checker's own failure."""


def _ran(*words: object) -> None:
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(word) for word in words])
    if code not in (0, 1, 2, 3):
        raise Finding(f"exit {code}: {err.getvalue()[-600:]} {out.getvalue()[-600:]}")
    if shown := [c for c in out.getvalue() + err.getvalue() if not c.isprintable() and c != "\n"]:
        raise Finding(f"printed as it is: {shown[0]!r}")


@contextmanager
def _folder(*, copied: bool = False) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        if copied:
            shutil.copytree(CORPUS / "hf", Path(name) / "m")
        yield Path(name)


def safetensors(random: Random) -> None:
    """model.safetensors in its folder."""
    with _folder(copied=True) as folder:
        path = folder / "m" / "model.safetensors"
        path.write_bytes(mutations.safetensors(path.read_bytes(), random))
        _ran(random.choice(("check", "check", "inspect", "stats")), path)


def gguf(random: Random) -> None:
    """A GGUF file: its key-values, tensor infos and blocks."""
    with _folder() as folder:
        seed = (CORPUS / "t-Q4_0.gguf").read_bytes()
        (folder / "t.gguf").write_bytes(mutations.binary(seed, random, within=4000))
        _artifact(folder / "t.gguf", folder, random)


def apr(random: Random) -> None:
    """An .apr file: header, metadata as JSON, index and data."""
    with _folder() as folder:
        seed = (CORPUS / "t.apr").read_bytes()
        start, end = seed.find(b"{"), seed.rfind(b"}", 0, len(seed) // 2) + 1
        if random.random() < 0.5 and 0 < start < end:
            seed = _same_length(seed, start, end, random)
        else:
            seed = mutations.binary(seed, random, within=end + 2000)
        (folder / "t.apr").write_bytes(seed)
        _artifact(folder / "t.apr", folder, random)


def _same_length(seed: bytes, start: int, end: int, random: Random) -> bytes:
    try:
        spoilt = mutations.json_text(json.loads(seed[start:end]), random)
    except ValueError:
        return mutations.binary(seed, random, within=end)
    return seed[:start] + spoilt[: end - start].ljust(end - start) + seed[end:]


def _artifact(path: Path, folder: Path, random: Random) -> None:
    words = random.choice((["check"], ["check"], ["inspect"], ["stats"], ["convert"], ["pair"]))
    if words == ["convert"]:
        _ran("convert", path, folder / "out.safetensors", "--no-check")
    elif words == ["pair"]:
        _ran("check", path, "--against", CORPUS / "hf")
    else:
        _ran(*words, path)


def _sidecar(name: str, random: Random) -> None:
    with _folder(copied=True) as folder:
        path = folder / "m" / name
        path.write_bytes(mutations.json_text(json.loads(path.read_bytes()), random))
        what = random.randrange(4)
        if what == 0:
            target = random.choice(("out.gguf", "out.apr", "out.safetensors"))
            _ran("convert", folder / "m", folder / target, "--no-check")
        elif what == 1:
            _ran("check", CORPUS / "t-Q4_0.gguf", "--against", folder / "m")
        else:
            _ran(random.choice(("check", "inspect")), folder / "m")


def tokenizer(random: Random) -> None:
    """tokenizer.json."""
    _sidecar("tokenizer.json", random)


def sidecars(random: Random) -> None:
    """config.json, generation_config.json, tokenizer_config.json."""
    _sidecar(random.choice(("config.json", "config.json", "generation_config.json", "tokenizer_config.json")), random)


def index(random: Random) -> None:
    """The index of a set of shards."""
    with _folder(copied=True) as folder:
        model = folder / "m"
        (model / "model.safetensors").rename(model / "model-00001-of-00001.safetensors")
        header = (model / "model-00001-of-00001.safetensors").read_bytes()
        names = json.loads(header[8 : 8 + int.from_bytes(header[:8], "little")])
        value = {"metadata": {"total_size": 1}, "weight_map": dict.fromkeys(names, "model-00001-of-00001.safetensors")}
        (model / "model.safetensors.index.json").write_bytes(mutations.json_text(value, random))
        _ran(random.choice(("check", "inspect")), model)


def definitions(random: Random) -> None:
    """A contract, playbook, converter, runtime or system in YAML."""
    with _folder() as folder:
        kind = random.choice(("contract", "beside", "playbook", "converter", "system"))
        name = {"playbook": "qualification/tiers/smoke", "converter": "converters/llama-cpp"}.get(kind, "default")
        name = "qualification/systems/llama-cpp" if kind == "system" else name
        path = folder / ("contracts.yaml" if kind == "beside" else "d.yaml")
        path.write_bytes(mutations.yaml_text((_DEFINITIONS / f"{name}.yaml").read_text("utf-8"), random))
        if kind == "contract":
            _ran("check", CORPUS / "t-Q4_0.gguf", "--contract", path, "--plan")
        elif kind == "beside":
            shutil.copy(CORPUS / "t-Q4_0.gguf", folder)
            _ran("check", folder / "t-Q4_0.gguf", "--plan")
        elif kind == "converter":
            _ran("convert", CORPUS / "t.apr", folder / "out.apr", "--converter", path, "--dtype", "none-such")
        else:
            words = ["--system", path] if kind == "system" else []
            book = "tiny" if kind == "system" else path
            _ran("qualify", book, *words, "--plan", "--model-path", CORPUS / "hf")


def evidence(random: Random) -> None:
    """evidence.json and run.json, as validate, audit, report and replay read them."""
    with _folder() as folder:
        for name in ("evidence.json", "run.json"):
            shutil.copy(CORPUS / name, folder)
        path = folder / random.choice(("evidence.json", "evidence.json", "run.json"))
        path.write_bytes(mutations.json_text(json.loads(path.read_bytes()), random))
        what = random.choice((["evidence", "validate"], ["evidence", "audit"], ["report"], ["report"]))
        form = ["--format", random.choice(("text", "json", "markdown"))] if what == ["report"] else []
        _ran(*what, folder if what == ["report"] else path, *form)


TARGETS: dict[str, Callable[[Random], None]] = {
    target.__name__: target for target in (safetensors, gguf, apr, tokenizer, sidecars, index, definitions, evidence)
}
