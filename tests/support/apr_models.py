"""Edits an .apr model: its metadata and its tensors by name, written back as a well-formed file."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support import apr_files
from support.mutations import Stored

_CODES = {"F32": apr_files.F32, "F16": apr_files.F16, "BF16": apr_files.BF16}
_NAMES = {code: name for name, code in _CODES.items()}


@dataclass
class AprModel:
    """The metadata and tensors of one file."""

    metadata: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, Stored] = field(default_factory=dict)

    def write(self, path: Path, **changes: Any) -> Path:
        """Write the model; `changes` as of `apr_files.file_bytes`."""
        entries = [
            apr_files.entry(name, tensor.shape, _CODES[tensor.dtype], data=tensor.data)
            for name, tensor in self.tensors.items()
        ]
        path.write_bytes(apr_files.file_bytes(self.metadata, entries, **changes))
        return path


@contextmanager
def apr_of(path: Path, **changes: Any) -> Iterator[AprModel]:
    """A model, written back as it is left."""
    model = read_apr_model(path)
    yield model
    model.write(path, **changes)


def read_apr_model(path: Path) -> AprModel:
    """The model of a well-formed file whose tensors are F32, F16 or BF16."""
    data = path.read_bytes()
    _, _, _, _, count, begin, size, at, start = struct.unpack_from("<4sBBHIQIQQ", data)
    model = AprModel(json.loads(data[begin : begin + size]))
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, at)
        name = data[at + 2 : at + 2 + length].decode()
        code, axes = data[at + 2 + length], data[at + 3 + length]
        at += 4 + length
        shape = struct.unpack_from(f"<{axes}Q", data, at)
        offset, nbytes = struct.unpack_from("<QQ", data, at + 8 * axes)
        at += 8 * axes + 16
        model.tensors[name] = Stored(_NAMES[code], shape, data[start + offset : start + offset + nbytes])
    return model
