"""Writes the folder and the mmproj of a record of tests/data/towers, the one by names, the other by the family."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from model_contracts.anatomy.families.conventions import named
from model_contracts.anatomy.towers import TowerView
from model_contracts.definitions import load_towers
from model_contracts.formats.opening import open_artifact
from model_contracts.layout import substitute
from support.family_files import value_of
from support.gguf_files import BOOL, F32, STRING, U32, array, file_bytes, info, pair
from support.mutations import Stored, stored, write_safetensors
from support.record_towers import PROCESSED
from support.recorded import made
from support.shared_models import DATA

FOLDER = DATA / "towers"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
_KINDS = {bool: BOOL, int: U32, float: F32, str: STRING}
Values = dict[str, np.ndarray]
Edit = Callable[[Values], None]


@dataclass(frozen=True)
class Towers:
    """One record."""

    name: str

    @cached_property
    def document(self) -> Any:
        """As it is recorded."""
        return json.loads((FOLDER / f"{self.name}.json").read_text())

    @cached_property
    def values(self) -> Values:
        """The folder's values."""
        return {name: made(name, shape) for name, shape in self.document["folder"].items()}

    def folder(self, path: Path, edit: Edit = lambda values: None, **config: Any) -> Path:
        """Write the folder, its weights in BF16."""
        path.mkdir(parents=True, exist_ok=True)
        values = dict(self.values)
        edit(values)
        write_safetensors(path / "model.safetensors", {name: stored(one, "BF16") for name, one in values.items()})
        (path / "config.json").write_text(json.dumps(self.document["config"] | config))
        (path / "preprocessor_config.json").write_text(json.dumps(PROCESSED))
        return path

    def gguf(self, path: Path, edit: Edit = lambda values: None, **keys: Any) -> Path:
        """Write the mmproj, with the types that the converter gave; a key of None is left out."""
        values = dict(self.layouts)
        edit(values)
        said = {name: one for name, one in {**self.document["keys"], **keys}.items() if one is not None}
        pairs = [_pair(name, one) for name, one in said.items()]
        types = {name: one["type"] for name, one in self.document["gguf"].items()}
        infos = []
        for name, one in values.items():
            kept: Stored = stored(one, types.get(name, "F32"))
            infos.append(info(name, tuple(reversed(one.shape)), kept.dtype, data=kept.data))
        path.write_bytes(file_bytes(pairs, infos))
        return path

    @cached_property
    def layouts(self) -> Values:
        """The values of the mmproj, as the family says that they are made of the folder's."""
        from tempfile import TemporaryDirectory

        with TemporaryDirectory() as place:
            source = self.view(self.folder(Path(place) / self.name))
            target = self.view(self._empty(Path(place) / "mmproj.gguf"))
            known, ours = source.conventions, target.conventions
            assert known is not None
            assert ours is not None
            numbers = {**known.numbers, **ours.numbers}
            known, ours = replace(known, numbers=numbers), replace(ours, numbers=numbers)
            bare = {source.bare[name]: one for name, one in self.values.items()}
            found = {}
            for name, entry in target.entries.items():
                assert entry is not None, name
                keys = ours.keys(entry)
                weight = ours.family.tensors.get(entry.key)
                if weight is not None and weight.alike and weight.huggingface is not None and entry.layer is None:
                    found[name] = bare[weight.huggingface]
                    continue
                weights = {named(key, entry.layer): known.expression(key, entry.layer) for key in keys}
                found[name] = value_of(substitute(ours.stored(entry), weights), bare)
            return found

    def _empty(self, path: Path) -> Path:
        pairs = [_pair(name, one) for name, one in self.document["keys"].items()]
        path.write_bytes(
            file_bytes(pairs, [info(name, one["shape"][::-1]) for name, one in self.document["gguf"].items()])
        )
        return path

    @staticmethod
    def view(path: Path) -> TowerView:
        """A file or folder of towers, understood."""
        return TowerView(open_artifact(path), load_towers())


def _pair(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return pair(name, 9, array(_KINDS[type(value[0])], value))
    return pair(name, _KINDS[type(value)], value)
