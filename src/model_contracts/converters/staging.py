"""Owns the folder that a conversion is written in: beside its target, gone when anything goes wrong."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from model_contracts.containers import FORMS
from model_contracts.converters.interface import ConversionRefused, NotWritten
from model_contracts.paths import suffix_format, without_format_suffix
from model_contracts.placing import place_all, standing, taken

_SIDECARS = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """A new folder on the target's file system; it goes with all that is left in it, whatever happens."""
    parent = target.absolute().parent
    try:
        folder = Path(mkdtemp(prefix=".contracts-", dir=parent))
    except OSError as error:
        raise NotWritten(f"{parent}: {(error.strerror or 'it cannot be written').lower()}") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def refuse_existing(source: Path, target: Path, *, force: bool) -> None:
    """Raises ConversionRefused where the target is the source, lies in it or holds it, or exists already."""
    here, there = Path(os.path.realpath(source)), Path(os.path.realpath(target))
    if here == there or (here.is_dir() and there.is_relative_to(here)) or here.is_relative_to(there):
        raise ConversionRefused(f"{target}: that is the source, or a folder of it; nothing is written over a source")
    if not force and (held := standing(_written_for(target))):
        raise ConversionRefused(taken(held))
    if target.is_dir() and force and not _of_a_model(target):
        raise ConversionRefused(f"{target}: a folder with more than one model's files in it is not written over")


def _written_for(target: Path) -> list[Path]:
    """Every file that a conversion to the target may write, as far as its name says."""
    format = suffix_format(target.name)
    if format is None or not FORMS[format].beside:
        return [target]
    return [target, *(target.parent / sidecar_name(target.name, name) for name in _SIDECARS)]


def _of_a_model(folder: Path) -> bool:
    """Whether a folder holds only what a conversion writes: nothing else is ever taken away."""
    return all(
        entry.name in _SIDECARS or entry.name.endswith((".safetensors", ".index.json")) for entry in folder.iterdir()
    )


def publish(staging: Path, written: Path, target: Path, *, force: bool) -> None:
    """Rename what was written to its place; a folder that is written over goes only then.

    Raises ConversionRefused, and places nothing, where a file stands in the way that nobody said to replace: also one
    that was not there when the conversion began. Raises NotWritten where the disk refuses.
    """
    try:
        _publish(staging, written, target, force)
    except FileExistsError as error:
        raise ConversionRefused(taken([Path(error.filename2 or error.filename or target)])) from None
    except OSError as error:
        raise NotWritten(f"{target}: {(error.strerror or 'it cannot be written').lower()}") from None


def _publish(staging: Path, written: Path, target: Path, force: bool) -> None:
    if not written.is_dir():
        # Sidecars first: weights that are there have what belongs to them.
        paths = sorted(staging.iterdir(), key=lambda path: path == written)
        files = [(path, target if path == written else target.parent / path.name) for path in paths]
        if not force and (held := standing(target for _, target in files)):
            raise ConversionRefused(taken(held))
        place_all(files, replace=force)
        return
    if not force and os.path.lexists(target):
        raise ConversionRefused(taken([target]))
    if os.path.lexists(target):
        target.replace(staging / f"{target.name}.before")
    written.replace(target)


def falsified(target: Path) -> Path:
    """Where an output is kept that its own check falsified: `model.gguf.falsified`."""
    return target.parent / f"{target.name}.falsified"


def sidecar_name(weights: str, file: str) -> str:
    """What a sidecar is called beside a weights file: plain beside `model.safetensors`, else with its name."""
    return file if weights == "model.safetensors" else f"{without_format_suffix(weights)}.{file}"
