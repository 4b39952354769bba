"""Owns what custom invariants choose by: tensors by bounded globs, keys by their place, bounds on numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from model_contracts.artifact import Artifact, Tensor
from model_contracts.checks.drafts import Gap, gap
from model_contracts.checks.interface import Examination, Where, missing_input
from model_contracts.outcome import Comparison, Place, Record, Uncompared

#: A name in which `*` stands for any run of characters (at most 8 of them) and `?` for one.
Glob = Annotated[str, Field(pattern=r"^[^*\x00-\x1f\x7f]*(\*[^*\x00-\x1f\x7f]*){0,8}$", min_length=1, max_length=200)]
#: `algorithm:hex` of bytes.
Digest = Annotated[str, Field(pattern=r"^(blake3|sha256):[0-9a-f]{64}$")]


def matched(pattern: str, name: str) -> tuple[str, ...] | None:
    """What each `*` of a glob stands for in a name; None where it does not match.

    Only the last star is ever moved, so that no pattern takes more than len(pattern) x len(name) steps.
    """
    first, *rest = pattern.split("*")
    if not rest:
        return () if _alike(pattern, name) else None
    if len(name) < len(first) or not _alike(first, name[: len(first)]):
        return None
    found, at = [], len(first)
    for piece in rest[:-1]:
        start = next((i for i in range(at, len(name) - len(piece) + 1) if _alike(piece, name[i : i + len(piece)])), -1)
        if start < 0:
            return None
        found.append(name[at:start])
        at = start + len(piece)
    end = len(name) - len(rest[-1])
    if end < at or not _alike(rest[-1], name[end:]):
        return None
    return (*found, name[at:end])


def _alike(piece: str, text: str) -> bool:
    if "?" not in piece:
        return piece == text
    return len(piece) == len(text) and all(a in ("?", b) for a, b in zip(piece, text, strict=True))


class Selector(Record):
    """Which tensors are meant."""

    tensors: tuple[Glob, ...] = Field(
        min_length=1,
        max_length=50,
        description="Globs of names, as the file spells them or, of a known family, as GGUF does; * and ? match.",
    )
    but: tuple[Glob, ...] = Field((), max_length=50, description="Globs of names that are left out again.")


class Interval(Record):
    """The smallest and the largest number that holds."""

    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _some(self) -> Interval:
        if self.at_least is None and self.at_most is None:
            raise ValueError("at_least, at_most or both")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError("at_least that is no more than at_most")
        return self

    def __str__(self) -> str:
        ends = (("at least", self.at_least), ("at most", self.at_most))
        return " and ".join(f"{word} {end:g}" for word, end in ends if end is not None)

    def holds(self, value: float) -> bool:
        """Whether a number lies within (NaN never does)."""
        above = self.at_least is None or value >= self.at_least
        return above and (self.at_most is None or value <= self.at_most) and value == value  # noqa: PLR0124 -- NaN


def within(measure: str, place: Place, value: float, bounds: Interval, where: str, count: int = 1) -> Comparison:
    """A number and the bounds it is held to."""
    holds = bounds.holds(value)
    return Comparison(
        measure=measure, place=place, expected=str(bounds), observed=value, holds=holds, count=count, bound_from=where
    )


def chosen(examination: Examination, selector: Selector) -> tuple[dict[str, Tensor], list[Uncompared]]:
    """The tensors that are meant, in the order of the file, and a gap for each glob that matches nothing."""
    canonical = examination.view.canonical
    found: dict[str, Tensor] = {}
    met: set[str] = set()
    for name, tensor in examination.target.tensors.items():
        spelled = [one for one in (name, canonical.get(name)) if one is not None]
        globs = [glob for glob in selector.tensors if _any(glob, spelled)]
        met.update(globs)
        if globs and not any(_any(glob, spelled) for glob in selector.but):
            found[name] = tensor
    return found, [unmatched(glob) for glob in selector.tensors if glob not in met]


def unmatched(glob: str) -> Uncompared:
    """What a glob owed that no tensor answers to."""
    return Uncompared(place=Place(tensor=glob), reason="no tensor has such a name")


def _any(glob: str, names: Iterable[str]) -> bool:
    return any(matched(glob, name) is not None for name in names)


def place_of(tensor: Tensor) -> Place:
    """Where a tensor stands."""
    return Place(file=tensor.file.name, tensor=tensor.name)


def unread_tensor(tensor: Tensor, reason: str = "its values were not read, or nothing decodes them") -> Gap:
    """The values of a tensor that stay unknown."""
    return gap(tensor, reason, max(tensor.elements, 1))


class KeyPlaces(Record):
    """Where a value is declared; the first key that is there counts."""

    config: tuple[str, ...] = Field((), description="Dotted paths in config.json.")
    gguf: tuple[str, ...] = Field((), description="KeyPlaces of GGUF metadata; `{arch}` is general.architecture.")
    apr: tuple[str, ...] = Field((), description="KeyPlaces of .apr metadata.")

    @model_validator(mode="after")
    def _said(self) -> KeyPlaces:
        if not (self.config or self.gguf or self.apr):
            raise ValueError("a key of config, gguf or apr")
        return self


def declared_at(artifact: Artifact, keys: KeyPlaces) -> tuple[Any, Place]:
    """The value that an artifact declares (None: none of the keys is there) and where; Skip where none can be asked."""
    form = artifact.form
    paths: tuple[str, ...] = getattr(keys, form.keys)
    if not paths:
        raise missing_input(f"no key of {form.keys} is named, and this is {artifact.format}")
    sidecar = artifact.sidecars.get("config")
    if form.beside and artifact.config is None:
        raise missing_input("there is no config.json to look into")
    file = sidecar.path.name if form.beside and sidecar is not None else artifact.path.name
    document: Mapping[str, Any] = (artifact.config or {}) if form.beside else artifact.metadata
    architecture = str(artifact.metadata.get(form.architecture_key))[:100]
    spelled = [path.replace("{arch}", architecture) for path in paths]
    for key in spelled:
        value = _at(document, key) if form.beside else document.get(key)
        if value is not None:
            return value, Place(file=file, key=key)
    return None, Place(file=file, key=spelled[0])


def _at(document: Mapping[str, Any], path: str) -> Any:
    """The value under a dotted path; a key with a dot in it counts where it stands whole."""
    if path in document:
        return document[path]
    value: Any = document
    for step in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value


def bound_lines(parameters: Record, names: Iterable[str], where: Where) -> Iterator[tuple[str, Interval, str]]:
    """The bounds that are given, each with its name and its line."""
    for name in names:
        bounds = getattr(parameters, name)
        if bounds is not None:
            yield name, bounds, where(name)
