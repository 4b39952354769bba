"""Turns an edit into a way to make a variant: the base is copied, edited, and handed to the check."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cases.interface import CheckArguments, Make
from support.apr_models import AprModel, apr_of
from support.conversions import to_apr, to_gguf
from support.gguf_models import GgufModel, gguf_of
from support.mutations import Stored, bytes_of, copied, header_of, json_of, safetensors_of
from support.safetensors_files import Members


def directory(base: Path, edit: Callable[[Path], None], against: Path | None = None, dtype: str | None = None) -> Make:
    """A copy of a Hugging Face directory, edited."""

    def make(folder: Path) -> CheckArguments:
        target = copied(base, folder)
        edit(target)
        return CheckArguments(target, against, dtype)

    return make


def config(base: Path, against: Path | None = None, *, drop: str | None = None, **changes: Any) -> Make:
    """A directory with keys of config.json replaced, or one dropped."""
    return document(base, "config.json", _changed(drop, changes), against)


def document(base: Path, file: str, edit: Callable[[dict[str, Any]], None], against: Path | None = None) -> Make:
    """A directory with one JSON file edited."""

    def edit_file(target: Path) -> None:
        with json_of(target / file) as value:
            edit(value)

    return directory(base, edit_file, against)


def _changed(drop: str | None, changes: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    def edit(value: dict[str, Any]) -> None:
        value.update(changes)
        if drop is not None:
            del value[drop]

    return edit


def weights(
    base: Path,
    edit: Callable[[dict[str, Stored]], None],
    against: Path | None = None,
    file: str = "model.safetensors",
) -> Make:
    """A directory with the tensors of one file edited; header and offsets are laid out again."""

    def edit_file(target: Path) -> None:
        with safetensors_of(target / file) as tensors:
            edit(tensors)

    return directory(base, edit_file, against)


def header(base: Path, edit: Callable[[Members], None], file: str = "model.safetensors") -> Make:
    """A directory with the header of one file edited; the data stays as it is."""

    def edit_file(target: Path) -> None:
        with header_of(target / file) as members:
            edit(members)

    return directory(base, edit_file)


def raw(base: Path, edit: Callable[[bytearray], None], name: str | None = None) -> Make:
    """A copy of one file with its bytes edited, under another name if one is given."""

    def make(folder: Path) -> CheckArguments:
        target = copied(base, folder, name)
        with bytes_of(target) as data:
            edit(data)
        return CheckArguments(target)

    return make


def gguf(
    base: Path,
    edit: Callable[[GgufModel], None],
    against: Path | None = None,
    *,
    name: str | None = None,
    dtype: str | None = None,
    **changes: Any,
) -> Make:
    """A copy of a GGUF file with key-values and tensors edited; `changes` as of `gguf_files.file_bytes`."""

    def make(folder: Path) -> CheckArguments:
        target = copied(base, folder, name)
        with gguf_of(target, **changes) as model:
            edit(model)
        return CheckArguments(target, against, dtype)

    return make


def converted(
    source: Path, to: str, edit: Callable[[GgufModel], None], *, against: bool = True, label: bool = True
) -> Make:
    """A GGUF conversion of a directory, edited, against that directory; its name says its type unless told not to."""

    def make(folder: Path) -> CheckArguments:
        model = to_gguf(source, to)
        edit(model)
        name = f"{source.name}-{to}.gguf" if label else f"{source.name}.gguf"
        return CheckArguments(model.write(folder / name), source if against else None)

    return make


def apr(source: Path, edit: Callable[[AprModel], None], *, against: bool = False, **changes: Any) -> Make:
    """An .apr conversion of a directory, edited; `changes` as of `apr_files.file_bytes`."""

    def make(folder: Path) -> CheckArguments:
        path = to_apr(source).write(folder / f"{source.name}.apr")
        with apr_of(path, **changes) as model:
            edit(model)
        return CheckArguments(path, source if against else None)

    return make


def unchanged(_: Any) -> None:
    """No edit: the fault lies in how the file is written."""
