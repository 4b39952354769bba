"""Owns what a set of files owes itself: index, shard headers and files agree in every direction."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model_contracts.artifact import Container, Lost
from model_contracts.formats.discovery import is_other
from model_contracts.formats.documents import read_object
from model_contracts.formats.safetensors import Header
from model_contracts.ledger import KEPT, Ledger
from model_contracts.outcome import Place
from model_contracts.paths import inside, may_be_indexed, numbered, stays_in

#: Files of one set that are opened; the largest published sets have some 300.
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Index:
    """`model.safetensors.index.json`: which shard holds which tensor, and how many bytes all of them take."""

    path: Path
    weight_map: Mapping[str, str]
    total_size: object = None
    #: Names that the index gives twice.
    repeated: tuple[str, ...] = ()
    #: Tensors whose shard is given by something other than a string.
    unnamed: tuple[tuple[str, object], ...] = field(default=())

    @property
    def shards(self) -> tuple[str, ...]:
        """The distinct file names of the map, sorted."""
        return tuple(sorted(set(self.weight_map.values())))


def read_index(path: Path, ledger: Ledger) -> Index | None:
    """Parse an index; None where it is none, and the ledger says why."""
    repeated: list[str] = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) < len(pairs):
            seen: set[str] = set()
            repeated.extend(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        return members

    document = read_object(path, ledger, unique)
    if document is None:
        return None
    found, metadata = document.get("weight_map"), document.get("metadata")
    holds = ledger.compare(
        "shards",
        "index_form",
        isinstance(found, dict),
        expected="an object weight_map",
        observed=found,
        place=Place(file=path.name, key="weight_map"),
    )
    if not holds or not isinstance(found, dict):
        return None
    named = {tensor: shard for tensor, shard in found.items() if isinstance(shard, str)}
    unnamed = tuple((tensor, shard) for tensor, shard in found.items() if not isinstance(shard, str))
    total = metadata.get("total_size") if isinstance(metadata, dict) else None
    return Index(path, named, total, tuple(repeated), unnamed)


def shard_files(index: Index, folder: Path, ledger: Ledger) -> dict[str, Path]:
    """The shards that an index names and that may be opened: plain names of files that stay in the folder.

    Nothing is opened, and a name that leads elsewhere is not followed.
    """
    found: dict[str, Path] = {}
    shards = index.shards
    place = Place(file=index.path.name, key="weight_map")
    if len(shards) > _MOST:
        ledger.compare(
            "shards", "index_form", False, expected=f"at most {_MOST:,} files", observed=len(shards), place=place
        )
    for name in shards[:_MOST]:
        path = inside(folder, name)
        if path is None:
            ledger.compare(
                "shards", "shard_name_plain", False, expected="a plain file name", observed=name, place=place
            )
            continue
        if contained(folder, path, ledger):
            there = os.path.lexists(path)
            ledger.compare("shards", "shard_present", there, expected=name, observed="no such file", place=place)
            if there:
                found[name] = path
    return found


def contained(folder: Path, path: Path, ledger: Ledger) -> bool:
    """Whether a file of a set stays in its folder; where it is a link that leaves, the ledger says so."""
    holds = stays_in(folder, path)
    return ledger.compare(
        "shards",
        "shard_name_plain",
        holds,
        expected="a file of this folder",
        observed=None if holds else f"a link to {os.path.realpath(path)}",
        place=Place(file=path.name),
        note="it is not followed: a model does not reach outside its folder",
    )


def compare_index(index: Index, headers: Mapping[str, Header], listing: Iterable[str], ledger: Ledger) -> None:
    """Hold index, headers and files against each other. `headers`: of the shards that were opened, by file name."""
    file = index.path.name
    for tensor, shard in index.unnamed:
        ledger.compare(
            "shards", "index_form", False, expected="a file name", observed=shard, place=Place(file=file, tensor=tensor)
        )
    for tensor in index.repeated:
        place = Place(file=file, tensor=tensor)
        ledger.compare("shards", "tensor_once", False, expected="one shard", observed="named twice", place=place)
    readable = {name: header for name, header in headers.items() if header.container.readable}
    owed = [(shard, tensor) for tensor, shard in index.weight_map.items() if shard in readable]
    lacking = [(shard, tensor) for shard, tensor in owed if tensor not in readable[shard].names]
    _tell(ledger, "tensor_in_shard", len(owed), lacking, "in the header of the shard that the index names", "not there")
    compare_tensors(readable, ledger, index.weight_map)
    found = [(name, tensor) for name, header in readable.items() for tensor in header.names]
    unlisted = [(name, tensor) for name, tensor in found if tensor not in index.weight_map]
    _tell(ledger, "tensor_indexed", len(found), unlisted, f"an entry in {file}", "none")
    _strays(index, listing, ledger)
    _total(index, readable, ledger)


def compare_tensors(headers: Mapping[str, Header], ledger: Ledger, placed: Mapping[str, str] | None = None) -> None:
    """Every tensor stands in exactly one file of the set; `placed`: in which, as an index says, else the first."""
    holder: dict[str, str] = {}
    found = [(name, tensor) for name, header in headers.items() for tensor in header.names]
    for name, tensor in found:
        if tensor not in holder or (placed or {}).get(tensor) == name:
            holder[tensor] = name
    again = [(name, tensor) for name, tensor in found if holder[tensor] != name]

    def observed(tensor: str) -> str:
        by_index = " (there the index places it)" if (placed or {}).get(tensor) == holder[tensor] else ""
        return f"a copy of it: {holder[tensor]} holds it too{by_index}"

    _tell(ledger, "tensor_once", len(found), again, "one file that holds it", observed)


def _tell(
    ledger: Ledger,
    measure: str,
    compared: int,
    broken: list[tuple[str, str]],
    expected: str,
    observed: str | Callable[[str], str],
) -> None:
    """Count what held at once, because a set has up to 100,000 tensors; `broken` are (file, tensor)."""
    if compared > len(broken):
        ledger.held["shards", measure] += compared - len(broken)
    for file, tensor in sorted(broken)[:KEPT]:
        place = Place(file=file, tensor=tensor[:400])
        seen = observed if isinstance(observed, str) else observed(tensor)
        ledger.compare("shards", measure, False, expected=expected, observed=seen, place=place)
    if len(broken) > KEPT:
        ledger.violated["shards", measure] += len(broken) - KEPT


def _strays(index: Index, listing: Iterable[str], ledger: Ledger) -> None:
    used = set(index.weight_map.values())
    for name in listing:
        if not may_be_indexed(name):
            continue
        if is_other(name) and name not in used:
            ledger.note(f"{name} lies beside the set and is no part of it")
            continue
        ledger.compare(
            "shards",
            "file_indexed",
            name in used,
            expected=f"tensors of it in {index.path.name}",
            observed="no tensor",
            place=Place(file=name),
        )


def _total(index: Index, readable: Mapping[str, Header], ledger: Ledger) -> None:
    if index.total_size is None:
        return
    sizes = [readable[name].data_bytes if name in readable else None for name in index.shards]
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes):
        ledger.note(f"total_size of {index.path.name} was not compared: a shard is missing or could not be read")
        return
    # transformers writes the bytes of all tensors, mlx those of all files; no loader goes by the number.
    if index.total_size == sum(readable[name].container.size for name in index.shards):
        ledger.note(f"total_size of {index.path.name} is the sum of the files; transformers writes that of the tensors")
        return
    ledger.compare(
        "portability",
        "total_size",
        type(index.total_size) in (int, float) and index.total_size == sum(known),
        expected=sum(known),
        observed=index.total_size,
        place=Place(file=index.path.name, key="metadata.total_size"),
        note="expected is the sum over the tensors of all shards; no loader goes by it",
    )


def lost_files(index: Index | None, headers: Mapping[str, Header]) -> Lost | None:
    """Files of a set that were not opened: those that its index names, else those that the numbers of others count."""
    if index is not None:
        tensors = frozenset(name for name, shard in index.weight_map.items() if shard not in headers)
        files = tuple(shard for shard in index.shards if shard not in headers)
        tensors |= {name for name, _ in index.unnamed}
        return Lost(files or ("a shard",), tensors) if tensors else None
    found = [at for name in headers if (at := numbered(name)) is not None]
    if not found:
        return None
    base, _, count = found[0]
    present = {number for _, number, _ in found}
    missing = (number for number in range(1, min(count, _MOST) + 1) if number not in present)
    files = tuple(f"{base}-{number:05d}-of-{count:05d}" for number in missing)
    return Lost(files, None) if files else None


def compare_numbers(names: Iterable[str], ledger: Ledger) -> None:
    """Every number of a numbered set has its file; a file without a number is a whole set."""
    found = [at for name in names if (at := numbered(name)) is not None]
    if not found:
        ledger.compare("shards", "files_of_the_set", True)
        return
    base, _, count = found[0]
    present = {number for _, number, _ in found}
    ledger.compare("shards", "files_of_the_set", len(present) == count, expected=count, observed=len(present))
    for number in range(1, count + 1):
        place = Place(file=f"{base}-{number:05d}-of-{count:05d}")
        there = number in present
        ledger.compare("shards", "shard_present", there, expected="this file", observed="no such file", place=place)
    for number in sorted(present - set(range(1, count + 1))):
        ledger.compare("shards", "shard_number", False, expected=f"from 1 to {count}", observed=number)


def compare_splits(containers: Iterable[Container], ledger: Ledger) -> None:
    """The split keys of GGUF files against the files: how many, which of them, and how many tensors in all."""
    containers = tuple(containers)
    keyed = [container for container in containers if "split.count" in container.metadata]
    if not keyed:
        if len(containers) > 1:
            note = "the names are numbered, and no file says that it is a part"
            ledger.compare("shards", "split_count", False, expected=len(containers), observed=None, note=note)
        return
    tensors = sum(len(container.tensors) for container in containers)
    complete = True
    for container in containers:
        at = numbered(container.path.name)
        count = at[2] if at else 1
        complete = complete and len(containers) == count and container.readable
        _split(container, "split.count", count, ledger)
        if at is not None:
            _split(container, "split.no", at[1] - 1, ledger)
    for container in containers if complete else ():
        _split(container, "split.tensors.count", tensors, ledger)


def _split(container: Container, key: str, expected: int, ledger: Ledger) -> None:
    observed = container.metadata.get(key)
    if not container.readable or (observed is None and key == "split.tensors.count"):
        return
    place = Place(file=container.path.name, key=key)
    ledger.compare(
        "shards", key.replace(".", "_"), observed == expected, expected=expected, observed=observed, place=place
    )
