"""Kinds `key_value` and `file_digest`: a key with its values, and a file beside the weights with its digest."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any

from blake3 import blake3
from pydantic import Field, model_validator

from model_contracts import door
from model_contracts.anatomy.pairing.same_values import same, shown
from model_contracts.checks.interface import Comparisons, Examination, Where, not_owed, static
from model_contracts.checks.static.custom.selected import Digest, Interval, KeyPlaces, declared_at, within
from model_contracts.outcome import Comparison, Place, Record, Uncompared
from model_contracts.paths import stays_in

Plain = str | int | float | bool
#: A name below the artifact's folder: no root, no step up, no other system's separator.
Below = Annotated[str, Field(pattern=r"^[^/\\\x00-\x1f:][^\\\x00-\x1f:]*$", max_length=200)]


class KeyValueParameters(KeyPlaces):
    """A key and what it may be."""

    values: tuple[Plain | tuple[Plain, ...], ...] = Field((), description="The values that it may have.")
    within: Interval | None = Field(None, description="The numbers that it may be.")
    required: bool = Field(True, description="It is missing where it is not declared; else nothing is owed then.")

    @model_validator(mode="after")
    def _one(self) -> KeyValueParameters:
        if bool(self.values) == (self.within is not None):
            raise ValueError("values or within, and not both")
        return self


class FileDigestParameters(Record):
    """A file of the artifact's folder and its digest."""

    file: Below = Field(description="Its path from the artifact's folder.")
    digest: Digest
    required: bool = Field(True, description="It is missing where it is not there; else nothing is owed then.")

    @model_validator(mode="after")
    def _inside(self) -> FileDigestParameters:
        if any(step in ("", ".", "..") for step in self.file.split("/")):
            raise ValueError("a path without steps up")
        return self


def key_value(examination: Examination, parameters: KeyValueParameters, where: Where) -> Comparisons:
    """Compare what is declared with what may be."""
    value, place = declared_at(examination.target, parameters)
    if value is None and not parameters.required:
        raise not_owed(f"{place} is not declared, and need not be")
    line = where("within" if parameters.within is not None else "values")
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if parameters.within is not None and number:
        yield within("declared_value", place, float(max(min(value, 1e308), -1e308)), parameters.within, line)
        return
    expected: Any = str(parameters.within) if parameters.within is not None else [list_of(v) for v in parameters.values]
    told = tuple(value) if isinstance(value, list) else value
    holds = value is not None and any(same_value(told, one) for one in parameters.values)
    yield Comparison(
        measure="declared_value",
        place=place,
        expected=expected[0] if isinstance(expected, list) and len(expected) == 1 else expected,
        observed=shown(told),
        holds=holds,
        bound_from=line,
    )


def list_of(value: Plain | tuple[Plain, ...]) -> Any:
    """A value as evidence holds it."""
    return list(value) if isinstance(value, tuple) else value


def same_value(declared: Any, wanted: Plain | tuple[Plain, ...]) -> bool:
    """Whether two values are one; a list is no single value, and letters keep their size."""
    if isinstance(declared, tuple) != isinstance(wanted, tuple):
        return False
    if isinstance(declared, tuple) and isinstance(wanted, tuple):
        return len(declared) == len(wanted) and all(map(same_value, declared, wanted))
    if isinstance(declared, str) or isinstance(wanted, str):
        return bool(declared == wanted)
    return same(declared, wanted, 0.0)[0]


def file_digest(examination: Examination, parameters: FileDigestParameters, where: Where) -> Comparisons:
    """Compare the digest of a file that lies beside the weights; links that leave the folder are not followed."""
    path = examination.target.path
    folder = path if path.is_dir() else path.parent
    file, place = folder / parameters.file, Place(file=parameters.file)
    if (reason := _unreadable(folder, file)) is not None:
        yield Uncompared(place=place, reason=reason)
        return
    seen = _digest(file, parameters.digest.partition(":")[0]) if door.is_regular(file) else None
    if seen is None and not parameters.required:
        raise not_owed(f"{parameters.file} is not there, and need not be")
    yield Comparison(
        measure="file_digest",
        place=place,
        expected=parameters.digest,
        observed=seen,
        holds=seen == parameters.digest,
        bound_from=where("digest"),
    )


def _unreadable(folder: Path, file: Path) -> str | None:
    if not stays_in(folder, file):
        return "a link that leaves the folder"
    return door.unreadable(file)


def _digest(file: Path, algorithm: str) -> str:
    digest: Any = blake3(max_threads=blake3.AUTO) if algorithm == "blake3" else hashlib.sha256()
    door.fed(file, digest)
    return f"{algorithm}:{digest.hexdigest()}"


KEY_VALUE = static(KeyValueParameters, key_value)
FILE_DIGEST = static(FileDigestParameters, file_digest)
