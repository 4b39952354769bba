"""Owns `contracts diff`: in what two artifacts differ, level by level; nothing is judged, and neither is a source."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from struct import error, pack
from typing import Any

from model_contracts.anatomy.pairing.match import Match
from model_contracts.anatomy.view import View
from model_contracts.artifact import Artifact
from model_contracts.cli.stats import matched, swept_of
from model_contracts.definitions import load_families
from model_contracts.formats.opening import open_artifact
from model_contracts.terminal import number, plural, safe, safe_json

#: Lines of one level that are printed.
_SHOWN = 40
#: What stands on a side where nothing stands.
_NOTHING = object()
Line = tuple[str, Any, Any]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("path", metavar="A", type=Path, help="a model file, a shard index or a folder")
    parser.add_argument("against", metavar="B", type=Path, help="another one, in whatever format")
    levels = (*_LEVELS, "values")
    parser.add_argument(
        "--level",
        choices=levels,
        action="append",
        default=[],
        help="only this level (repeat); values are read on request",
    )
    parser.add_argument("--all", action="store_true", help="every difference, however many there are")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how it is written")


def run(arguments: argparse.Namespace) -> int:
    """0 where nothing differs on the levels that were looked at, 1 where something does."""
    families = load_families()
    sides = [open_artifact(arguments.path), open_artifact(arguments.against)]
    views = (View(sides[0], families, sides[1]), View(sides[1], families, sides[0]))
    found = matched(views[0], sides[1])
    told: dict[str, list[Line]] = {}
    for level in arguments.level or _LEVELS:
        told[level] = [*_values(views[0], found)] if level == "values" else [*_LEVELS[level](views, found)]
    if arguments.format == "json":
        import json

        plain = {
            level: [{"what": what, "a": _plain(a), "b": _plain(b)} for what, a, b in lines]
            for level, lines in told.items()
        }
        print(safe_json(json.dumps(plain, indent=2, ensure_ascii=False, default=str)))
    else:
        print("\n".join(_text(told, None if arguments.all else _SHOWN)))
    return int(any(told.values()))


Views = tuple[View, View]


def _header(views: Views, _: Match) -> Iterator[Line]:
    a, b = (view.stored for view in views)
    yield from _differing(_container(a), _container(b))
    if a.format == b.format:
        yield from _differing(a.metadata, b.metadata, lambda key: key.startswith("tokenizer."))


def _container(artifact: Artifact) -> dict[str, Any]:
    return {
        "format": artifact.format,
        "version": ", ".join(dict.fromkeys(str(one.version) for one in artifact.containers)),
        "files": len(artifact.containers),
        "bytes": sum(one.size for one in artifact.containers),
        "tensors": len(artifact.tensors),
    }


def _config(views: Views, _: Match) -> Iterator[Line]:
    """Hyper-parameters by what their family calls them, whatever the container; files of one format by key too."""
    a, b = views
    names = [view.architecture.name if view.architecture is not None else None for view in views]
    if names[0] != names[1] and a.family is not b.family:
        yield "architecture", names[0], names[1]
    declared = [{key: one.value for key, one in view.declared.items()} for view in views]
    yield from _differing(declared[0], declared[1])
    if a.stored.config is not None and b.stored.config is not None:
        yield from (
            (f"config.json {what}", one, other) for what, one, other in _differing(a.stored.config, b.stored.config)
        )


def _tokenizer(views: Views, _: Match) -> Iterator[Line]:
    a, b = (view.artifact.tokenizer for view in views)
    if a is None or b is None:
        if a is not b:
            there = ["there" if one is not None else _NOTHING for one in (a, b)]
            yield "tokenizer", there[0], there[1]
        return
    for what in ("algorithm", "size", "pre", "add_bos", "add_eos"):
        if (one := getattr(a, what)) != (other := getattr(b, what)):
            yield what, one, other
    for at in range(max(a.size, b.size)):
        if (token := a.stored(at)) != (another := b.stored(at)):
            yield f"token {at}", _some(token), _some(another)
    special = [{name: at for name, (at, _) in one.special_ids.items()} for one in (a, b)]
    yield from _differing(special[0], special[1])
    merges = (a.merges or (), b.merges or ())
    if len(merges[0]) != len(merges[1]):
        yield "merges", len(merges[0]), len(merges[1])
    differing = (at for at, pair in enumerate(zip(*merges, strict=False)) if tuple(pair[0]) != tuple(pair[1]))
    for at in differing:
        yield f"merge {at}", merges[0][at], merges[1][at]
    templates = [view.artifact.chat_template for view in views]
    if templates[0] != templates[1]:
        lengths = [f"{len(one):,} characters" if one is not None else _NOTHING for one in templates]
        yield "chat template", lengths[0], lengths[1]


def _some(value: Any) -> Any:
    return _NOTHING if value is None else value


def _tensors(views: Views, found: Match) -> Iterator[Line]:
    for tensor in found.missing:
        yield tensor.name, _NOTHING, f"{tensor.dtype} {list(tensor.shape)}"
    for extra in found.extra:
        yield extra.tensor.name, f"{extra.tensor.dtype} {list(extra.tensor.shape)}", _NOTHING
    types: dict[tuple[str, str], list[str]] = {}
    for name, pairing in found.pairings.items():
        a, b = pairing.target, pairing.source
        if a.shape != b.shape:
            yield name, f"{a.dtype} {list(a.shape)}", f"{b.dtype} {list(b.shape)}"
        elif a.dtype != b.dtype:
            types.setdefault((a.dtype, b.dtype), []).append(name)
    for (one, other), names in types.items():
        yield names[0] + (f" and {plural(len(names) - 1, 'tensor')} more" if len(names) > 1 else ""), one, other
    for tensor in (*found.undecided, *found.absent):
        yield tensor.name, "not known to answer to another", found.unknown or found.absence


def _values(view: View, found: Match) -> Iterator[Line]:
    """Tensors whose values differ, the furthest first."""
    swept = swept_of(view.artifact, found)
    differing = [(name, pair) for name, pair in swept.pairs.items() if pair.differing or pair.nonfinite_differing]
    for name, pair in sorted(differing, key=lambda one: -one[1].relative_rmse):
        told = f"relative RMSE {number(pair.relative_rmse)}, smallest row cosine {number(pair.min_row_cosine)}"
        yield name, f"{plural(pair.differing, 'value')} of {pair.count:,} differ", told
    for name, reason in swept.uncompared.items():
        yield name, "not compared", reason


_LEVELS: dict[str, Callable[[Views, Match], Iterator[Line]]] = {
    "header": _header,
    "config": _config,
    "tokenizer": _tokenizer,
    "tensors": _tensors,
}


def _differing(
    a: Mapping[str, Any], b: Mapping[str, Any], apart: Callable[[str], bool] = lambda key: False
) -> Iterator[Line]:
    """Keys of either side whose values are not equal, but for those that another level is about."""
    for key in dict.fromkeys((*a, *b)):
        one, other = a.get(key, _NOTHING), b.get(key, _NOTHING)
        if not apart(key) and (one is _NOTHING or other is _NOTHING or not _equal(one, other)):
            yield key, one, other


def _equal(one: Any, other: Any) -> bool:
    try:
        if isinstance(one, float) and isinstance(other, float):
            return one == other or single(one) == single(other)  # GGUF keeps four bytes of a number
        return bool(one == other)
    except (ValueError, TypeError):  # arrays, or whatever compares in its own way
        return list(one) == list(other)


def single(value: float) -> bytes:
    """A number as GGUF keeps it, in four bytes (in eight where it does not fit)."""
    try:
        return pack("<f", value)
    except (error, OverflowError):
        return pack("<d", value)


def _plain(value: Any) -> Any:
    from model_contracts.outcome import jsonable

    return None if value is _NOTHING else jsonable(value)


def _text(told: Mapping[str, list[Line]], most: int | None) -> Iterator[str]:
    for level, lines in told.items():
        yield f"{level}: {plural(len(lines), 'difference') if lines else 'the same'}"
        for what, a, b in lines[:most]:
            yield f"  {safe(what)}: {_shown(a)} | {_shown(b)}"
        if most is not None and len(lines) > most:
            yield f"  and {len(lines) - most:,} more (--all)"


def _shown(value: Any) -> str:
    return "–" if value is _NOTHING else number(value)
