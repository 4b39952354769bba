"""Converters and runtimes under test that spoil one thing each, as programs, and the YAML that declares them."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import yaml

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

FORMATS = ("safetensors", "gguf", "apr")
OURS = {"safetensors": "transformers", "gguf": "llamacpp", "apr": "transformers"}


def system(folder: Path, *, converter: str | None = None, runtime: str | None = None, **changes: Any) -> Path:
    """The YAML of a system: a converter that spoils something, or a runtime that does, ours for the rest."""
    folder.mkdir(exist_ok=True)
    made: dict[str, Any] = {"id": "systems/fake", "title": "a system that spoils something", "runtimes": OURS}
    if converter is not None:
        arguments = [str(Path(__file__)), "convert", converter, "{source}", "{target}", str(folder)]
        declared: dict[str, Any] = {"arguments": arguments, "asked": {"dtype": ["{dtype}"]}}
        declared |= {"sources": list(FORMATS), "targets": list(FORMATS)}
        _write(folder / "converter.yaml", f"converters/{converter}", declared)
        made["converter"] = "converter.yaml"
    if runtime is not None:
        asked = {"arguments": [str(Path(__file__)), runtime, "{prompt}", "{max_tokens}"], **_READS.get(runtime, {})}
        declared = {"formats": list(FORMATS), "complete": {"run": asked}}
        if runtime == "unready":
            serves = [str(Path(__file__)), "unready", "{port}", str(folder / "pid")]
            declared |= {"server": {"arguments": serves, "ready": "/health", "completions": {"route": "/v1"}}}
        _write(folder / "runtime.yaml", f"runtimes/{runtime}", declared)
        made["runtimes"] = dict.fromkeys(FORMATS, "runtime.yaml")
    place = folder / "system.yaml"
    place.write_text(yaml.safe_dump(made | changes), "utf-8")
    return place


_READS = {
    "banner": {
        "reads": {"after": "Answer:", "text": "/text", "tokens": "/tokens", "prompt": "/prompt"},
    }
}


def _write(place: Path, name: str, declared: dict[str, Any]) -> None:
    known = {"id": name, "title": name, "program": sys.executable, "how_to_get": "it is part of the tests"}
    place.write_text(yaml.safe_dump(known | declared), "utf-8")


def _convert(mode: str, source: Path, target: Path, folder: Path, dtype: str | None) -> int:
    from model_contracts.engine.convert import ConvertRequest, run

    if mode == "stops" and not (folder / "stopped").exists():
        target.write_bytes(b"half of a model")
        (folder / "stopped").write_text(str(os.getpid()), "utf-8")
        signal.pause()
    if mode == "q4" and target.name.endswith(".gguf"):
        dtype = "Q4_0"
    run(ConvertRequest(source, target, dtype, check=False))
    if mode == "forgetful" and target.name.endswith(".gguf"):
        _without_tokenizer(target)
    if mode == "renames" and target.name.endswith(".gguf"):
        _rename(target)
    if mode == "wavers" and target.name.endswith(".gguf"):
        _waver(target, folder / "times")
    if mode == "transposes" and target.name.endswith(".gguf"):
        _transpose(target)
    return 0


def _without_tokenizer(path: Path) -> None:
    from support.gguf_models import gguf_of

    with gguf_of(path) as model:
        for key in [key for key in model.keys if key.startswith("tokenizer.")]:
            del model[key]


def _rename(path: Path) -> None:
    """A norm under its Hugging Face name, in a GGUF."""
    from support.gguf_models import gguf_of

    with gguf_of(path) as model:
        model.rename("blk.0.attn_norm.weight", "model.layers.0.input_layernorm.weight")


def _waver(path: Path, times: Path) -> None:
    """Another value in one place each time."""
    from model_contracts.formats.opening import open_artifact

    count = len(times.read_text("ascii")) if times.exists() else 0
    times.write_text("x" * (count + 1), "ascii")
    tensor = open_artifact(path).tensors["blk.0.attn_norm.weight"]
    with path.open("r+b") as file:
        file.seek(tensor.offset)
        file.write(bytes([count]))


def _transpose(path: Path) -> None:
    import numpy as np

    from model_contracts.formats.opening import open_artifact

    for tensor in open_artifact(path).tensors.values():
        if len(tensor.shape) == 2 and len(set(tensor.shape)) == 1:
            width = tensor.nbytes // tensor.elements
            values = np.memmap(path, f"V{width}", "r+", tensor.offset, tensor.shape)
            values[:] = values.T.copy()
            values.flush()


def _banner(prompt: str, count: int) -> int:
    """An answer that depends on the prompt alone, behind lines that are never twice the same."""
    ids = [len(word) for word in prompt.split()]
    print(f"loaded in {time.perf_counter_ns()} ns by process {os.getpid()}\nAnswer:")
    print(json.dumps({"text": "four, of course", "tokens": [*ids, 7, 8, 9][:count], "prompt": ids}))
    return 0


def _unready(port: str, pid: Path) -> int:
    with pid.open("a", encoding="ascii") as file:
        file.write(f"{os.getpid()}\n")
    print(f"loading the model for port {port}", flush=True)
    signal.pause()
    return 0


def _main(what: str, *words: str) -> int:
    if what == "convert":
        mode, source, target, folder, *dtype = words
        return _convert(mode, Path(source), Path(target), Path(folder), dtype[0] if dtype else None)
    if what == "banner":
        return _banner(words[0], int(words[1]))
    return _unready(words[0], Path(words[1])) if what == "unready" and len(words) == 2 and words[0].isdigit() else 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
