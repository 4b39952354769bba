"""Owns `contracts stats`: the statistics of every tensor, and against a source how far each has moved."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from model_contracts.anatomy.pairing.made import parts_of
from model_contracts.anatomy.pairing.match import Match, match
from model_contracts.anatomy.view import View
from model_contracts.artifact import Artifact, Tensor
from model_contracts.cli.output import table
from model_contracts.cli.progress import progress
from model_contracts.definitions import load_families
from model_contracts.formats.opening import open_artifact
from model_contracts.formats.several import models_at
from model_contracts.sweep.interface import Moments, PairMeasures, Sweep, SweepRequest
from model_contracts.terminal import safe

_MOMENTS: dict[str, Callable[[Moments], float]] = {
    "mean": lambda m: m.mean,
    "std": lambda m: m.std,
    "min": lambda m: m.minimum,
    "max": lambda m: m.maximum,
    "nan": lambda m: m.nan,
    "inf": lambda m: m.infinite,
    "zeros": lambda m: m.zeros,
}
_PAIR: dict[str, Callable[[PairMeasures], float]] = {
    "relative_rmse": lambda p: p.relative_rmse,
    "sqnr": lambda p: p.sqnr,
    "cosine": lambda p: p.cosine,
    "min_row_cosine": lambda p: p.min_row_cosine,
    "gain": lambda p: p.gain,
    "max_error": lambda p: p.max_error,
}
#: Measures whose smallest values are the worst; of all others the largest come first.
_LOW_FIRST = ("sqnr", "cosine", "min_row_cosine")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="+",
        type=Path,
        help="a model: a file, a shard index or a folder; several: a folder or pattern",
    )
    parser.add_argument("--against", metavar="SOURCE", type=Path, help="the model that PATH was made from")
    parser.add_argument("--sort", metavar="MEASURE", choices=(*_MOMENTS, *_PAIR), help="the worst tensors first")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how the table is written")
    parser.add_argument("--no-color", action="store_true", help="a plain table, no colours")


@dataclass(frozen=True, slots=True)
class Row:
    """One tensor: what it is, its measures (None where nothing decodes it or nothing answers to it)."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    source: str | None
    measures: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class FileStats:
    """One file: its rows, what answers to its tensors, and the pass that read them."""

    target: Artifact
    rows: list[Row]
    found: Match | None
    swept: Sweep


def run(arguments: argparse.Namespace) -> int:
    """0; 2 where a pair measure is asked for without a source."""
    if arguments.sort in _PAIR and arguments.against is None:
        print(f"contracts: --sort {arguments.sort} needs a source (--against SOURCE)", file=sys.stderr)
        return 2
    source = open_artifact(arguments.against) if arguments.against is not None else None
    paths = models_at(arguments.paths)
    told = [_stats(path, source, arguments.sort) for path in paths]
    if arguments.format == "json":
        objects = [_as_json(one.target, one.rows, one.swept) for one in told]
        print(json.dumps(objects if len(objects) > 1 else objects[0], indent=2))
        return 0
    if len(told) > 1:
        _print_files(told, arguments.no_color)
    for one in told:
        if len(told) > 1:
            print(f"\n{safe(one.target.path.name)}")
        _print(one.rows, one.found is not None, arguments.no_color)
        _say(one.found, one.swept)
    return 0


def _stats(path: Path, source: Artifact | None, sort: str | None) -> FileStats:
    view = View(open_artifact(path), load_families())
    found = matched(view, source) if source is not None else None
    swept = swept_of(view.artifact, found)
    rows = list(_rows(view.artifact, found, swept))
    if sort:
        rows.sort(key=lambda row: _rank(row.measures.get(sort), sort in _LOW_FIRST))
    return FileStats(view.artifact, rows, found, swept)


def _print_files(told: list[FileStats], no_color: bool) -> None:
    """A line a file: how many tensors were read, what is not finite, and how far each is from its source."""
    shown = [["file", "tensors", "nan", "inf", "mean relative rmse", "worst", "tensor"]]
    for one in told:
        errors = {row.name: error for row in one.rows if (error := row.measures.get("relative_rmse")) is not None}
        worst = max(errors, key=lambda name: errors[name], default=None)
        counts = [str(int(sum(row.measures[key] or 0 for row in one.rows))) for key in ("nan", "inf")]
        mean = _figure(sum(errors.values()) / len(errors)) if errors else "-"
        last = ["-", "-"] if worst is None else [_figure(errors[worst]), safe(worst)]
        shown.append([safe(one.target.path.name), str(len(one.rows)), *counts, mean, *last])
    table(shown, (False, True, True, True, True, True), no_color=no_color)


def matched(target: View, source: Artifact) -> Match:
    """The bijection between two artifacts."""
    return match(target, View(source, target.families))


def swept_of(target: Artifact, found: Match | None) -> Sweep:
    """One pass over the bytes of the target, and of what answers to it."""
    from model_contracts.sweep.sweep import sweep

    pairings = found.pairings if found else {}
    there = [tensor for tensor in target.tensors.values() if tensor.readable and not tensor.placeholder]
    tensors = [tensor for tensor in there if tensor.packed is None or tensor.packed.unread is None]
    with progress("reading") as callback:
        return sweep(SweepRequest(tensors, pairings), progress=callback)


def _rows(target: Artifact, found: Match | None, swept: Sweep) -> Iterator[Row]:
    for name, tensor in target.tensors.items():
        moments, pair = swept.moments.get(name), swept.pairs.get(name)
        measures: dict[str, float | None] = {key: get(moments) if moments else None for key, get in _MOMENTS.items()}
        source = None
        if found is not None:
            measures |= {key: get(pair) if pair else None for key, get in _PAIR.items()}
            source = _called(found.pairings[name].source) if name in found.pairings else None
        yield Row(name, tensor.dtype, tensor.shape, source, measures)


def _called(source: Tensor) -> str:
    """The stored tensor that answers, whatever is done to it; several by what they make."""
    parts = [*parts_of(source)]
    return parts[0].name if len(parts) == 1 else source.name


def _rank(value: float | None, low_first: bool) -> tuple[int, float]:
    """The worst first: what is not finite, then by size; tensors without the measure last."""
    if value is None:
        return 2, 0.0
    if value != value or (low_first and value == float("-inf")):  # noqa: PLR0124 -- NaN
        return 0, 0.0
    return 1, value if low_first else -abs(value)


def _print(rows: list[Row], paired: bool, no_color: bool) -> None:
    keys = [*_MOMENTS, *(_PAIR if paired else ())]
    shown = [["tensor", "type", "shape", *(key.replace("_", " ") for key in keys)]]
    for row in rows:
        shape = "x".join(map(str, row.shape)) or "scalar"
        shown.append([safe(row.name), row.dtype, shape, *(_figure(row.measures[key]) for key in keys)])
    table(shown, (False, False, False, *[True] * len(keys)), no_color=no_color)


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.5g}"


def _say(found: Match | None, swept: Sweep) -> None:
    lines = [f"{count} tensors of type {dtype} are not decoded" for dtype, count in swept.undecoded.items()]
    lines += [f"{problem.file.name}: {problem.reason} (byte {problem.offset:,})" for problem in swept.problems]
    lines += [f"{name} was not compared: {reason}" for name, reason in swept.uncompared.items()]
    if found is not None:
        lines += [f"{tensor.name} of the source has no counterpart" for tensor in found.missing]
        lines += [f"{extra.tensor.name} has no counterpart" for extra in found.extra if extra.explanation is None]
        lines += [f"{tensor.name} was not compared: {found.absence}" for tensor in found.absent]
        lines += [f"{tensor.name}: no counterpart by its name, and {found.unknown}" for tensor in found.undecided]
    if lines:
        print("\n" + "\n".join(safe(line) for line in lines))


def _as_json(target: Artifact, rows: list[Row], swept: Sweep) -> dict[str, Any]:
    return {
        "path": str(target.path),
        "format": target.format,
        "undecoded": swept.undecoded,
        "uncompared": swept.uncompared,
        "problems": [f"{problem.file.name}: {problem.reason}" for problem in swept.problems],
        "tensors": [
            {
                "name": row.name,
                "dtype": row.dtype,
                "shape": list(row.shape),
                "source": row.source,
                **{key: _plain(value) for key, value in row.measures.items()},
            }
            for row in rows
        ],
    }


def _plain(value: float | None) -> float | str | None:
    return value if value is None or isinstance(value, int) or isfinite(value) else str(value)
