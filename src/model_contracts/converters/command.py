"""Owns converters that somebody else wrote: run as a child with a time limit, their output taken as an artifact."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

from model_contracts.anatomy.claims import UnknownRecipe, requested
from model_contracts.artifact import Artifact
from model_contracts.converter import CommandConverter
from model_contracts.converters.interface import ConversionRefused, ConverterFailed, ConverterUnavailable, Written
from model_contracts.definitions import load_recipes
from model_contracts.formats.opening import open_artifact
from model_contracts.paths import suffix_format
from model_contracts.processes.program import NotStarted, Program
from model_contracts.system.processes import signal_name


def convert(
    converter: CommandConverter,
    source: Artifact,
    folder: Path,
    target: Path,
    *,
    dtype: str | None = None,
    tokenizer: Path | None = None,
) -> Written:
    """Have a program write `target`'s files into `folder`.

    Raises ConversionRefused for what it does not do, ConverterUnavailable where it is not installed, ConverterFailed
    where it ends without a model.
    """
    format = suffix_format(target.name) or "safetensors"
    for word, known in ((source.format, converter.sources), (format, converter.targets)):
        if word not in known:
            raise ConversionRefused(f"{converter.id} knows {', '.join(known)} there, not {word}")
    if tokenizer is not None and not converter.asked.tokenizer:
        raise ConversionRefused(f"{converter.id} takes no tokenizer")
    output = folder / target.name
    weights = output
    if suffix_format(target.name) is None:
        output.mkdir()
        weights = output / "model.safetensors"
    argv = _argv(converter, _input(converter, source), weights, dtype, tokenizer)
    _run(converter, argv, folder)
    if not weights.exists() or not weights.stat().st_size:
        raise ConverterFailed(f"{converter.id} ended well and wrote no {weights.name}", exit_code=0)
    left = open_artifact(output)
    held = Counter(tensor.dtype for tensor in left.tensors.values() if not tensor.placeholder)
    files = (weights, *sorted(path for path in weights.parent.iterdir() if path != weights and path.is_file()))
    origin = f"{tokenizer}, as --tokenizer says" if tokenizer is not None else "whichever the program took"
    return Written(files, format, len(left.tensors), held, origin, tokenizer, converter=converter.id)


def _input(converter: CommandConverter, source: Artifact) -> Path:
    """What the program is given: the folder, the one weights file, or the index of a set."""
    if converter.source_is == "folder":
        return source.path if source.path.is_dir() else source.path.parent
    if len(source.files) == 1:
        return source.files[0]
    index = source.sidecars.get("index")
    return index.path if index is not None else source.files[0]


def _argv(
    converter: CommandConverter, source: Path, target: Path, dtype: str | None, tokenizer: Path | None
) -> list[str]:
    """The list of arguments. A value is put in whole: what a path holds never becomes a second argument."""
    values = {"source": str(source.absolute()), "target": str(target.absolute())}
    asked: list[str] = []
    if tokenizer is not None:
        values["tokenizer"] = str((tokenizer / "tokenizer.json" if tokenizer.is_dir() else tokenizer).absolute())
        asked += converter.asked.tokenizer
    if dtype is not None:
        values["dtype"] = converter.dtypes.get(_label(dtype), dtype)
        asked += converter.asked.dtype
    words = [*converter.arguments, *asked]
    if dtype is None and any("{dtype}" in word for word in words):
        raise ConversionRefused(f"{converter.id} has to be told the element types: --dtype")
    if dtype is not None and not any("{dtype}" in word for word in words):
        raise ConversionRefused(f"{converter.id} cannot be asked for element types")
    return [_program(converter), *(word.format_map(values) for word in words)]


def _label(dtype: str) -> str:
    try:
        return requested(dtype, load_recipes()).label
    except UnknownRecipe as error:
        raise ConversionRefused(str(error)) from None


def _program(converter: CommandConverter) -> str:
    found = shutil.which(converter.program)
    if found is None:
        raise ConverterUnavailable(f"{converter.program} is not installed: {converter.how_to_get}")
    return found


def _run(converter: CommandConverter, argv: list[str], folder: Path) -> None:
    """Run the program in a process group of its own, which ends with it whatever it started."""
    try:
        program = Program(argv, folder=folder, group=True, merged=True)
    except NotStarted as error:
        raise ConverterUnavailable(str(error)) from None
    try:
        code = program.wait(converter.seconds)
    except TimeoutError:
        program.end()
        reason = f"{converter.id} did not end within {converter.seconds:g} s"
        raise ConverterFailed(reason, exit_code=None, timeout=True, tail=program.tail) from None
    finally:
        program.end()
    if code in converter.unanswered:
        raise ConverterUnavailable(f"{converter.program} has no answer: {' '.join(program.tail.splitlines())}")
    if code:
        how = f"was ended by {signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
        raise ConverterFailed(f"{converter.id} {how}", exit_code=code, tail=program.tail)
