"""Folders whose linear layers a library packed (tests/data/quantised), put together with what was left as it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from support.mutations import Stored, read_safetensors_model
from support.shared_models import DATA
from support.small_sources import CONFIGS, packed_names, tensors_of, write_folder

RECORDED = sorted(path.stem for path in (DATA / "quantised").glob("*.safetensors"))
Change = Callable[[dict[str, Stored]], None]


@cache
def recorded(name: str) -> tuple[dict[str, Stored], str, dict[str, Any]]:
    """The parts that a library wrote, the family, and what its configuration declares."""
    parts, metadata = read_safetensors_model(DATA / "quantised" / f"{name}.safetensors")
    assert metadata is not None
    return parts, metadata["family"], json.loads(metadata["declared"])


def recorded_folder(name: str, folder: Path, change: Change | None = None) -> Path:
    """A folder as its publisher would upload it; `change` edits the parts."""
    parts, family, declared = recorded(name)
    parts = dict(parts)
    if change is not None:
        change(parts)
    packed = set(packed_names(family))
    kept = {name: tensor for name, tensor in tensors_of(family).items() if name not in packed}
    config = CONFIGS[family] | {key: value for key, value in declared.items() if "." not in key and key[0] != "_"}
    metadata = {"format": "mlx" if name.startswith("mlx") else "pt", **declared.get("__metadata__", {})}
    write_folder(folder, config, kept | parts, metadata)
    for key, value in declared.items():
        if key.endswith(".json"):
            (folder / key).write_text(json.dumps(value), "utf-8")
    return folder
