"""Makes sources for tests of converters, converts them in this process, and compares what came out byte by byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model_contracts.engine.convert import Conversion, ConvertRequest, run
from support.conversions import tensors_of
from support.mutations import Stored, copied, json_of, write_safetensors

CARRIED = "model_contracts."


def convert(source: Path, target: Path, **changes: Any) -> Conversion:
    """Convert and check, as the command does."""
    return run(ConvertRequest(source, target, **changes))


def decided(conversion: Conversion) -> tuple[str, tuple[str, ...]]:
    """The word of the check, and what decided it where it is not kept."""
    assert conversion.run is not None
    decision = conversion.run.decision
    return decision.word, decision.decided_by if decision.exit_code else ()


def in_type(source: Path, folder: Path, dtype: str) -> Path:
    """A Hugging Face directory with every tensor in one type, in one file."""
    target = copied(source, folder, f"{source.name}-{dtype}")
    tensors = {name: tensor.cast(dtype) for name, tensor in tensors_of(source).items()}
    for path in (*target.glob("*.safetensors"), *target.glob("*.index.json")):
        path.unlink()
    write_safetensors(target / "model.safetensors", tensors, {"format": "pt"})
    with json_of(target / "config.json") as config:
        config["dtype"] = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}[dtype]
    return target


def assert_same_directory(target: Path, source: Path) -> None:
    """Every tensor byte for byte, and every document as JSON."""
    ours, theirs = tensors_of(target), tensors_of(source)
    assert ours.keys() == theirs.keys()
    assert [name for name, tensor in theirs.items() if not _same(tensor, ours[name])] == []
    for path in sorted(source.glob("*.json")):
        if not path.name.endswith(".index.json"):
            assert read_json(target / path.name) == read_json(path), path.name
    assert (target / "chat_template.jinja").read_bytes() == (source / "chat_template.jinja").read_bytes()


def _same(a: Stored, b: Stored) -> bool:
    return (a.dtype, a.shape, a.data) == (b.dtype, b.shape, b.data)


def read_json(path: Path) -> Any:
    """The value of a JSON file."""
    return json.loads(path.read_text("utf-8"))


def needs_ggml() -> None:
    """Skip the test that asks where ggml is not installed, with the reason."""
    pytest.importorskip("xllamacpp", reason="the llamacpp extra is not installed: nothing quantises to K-quants")
