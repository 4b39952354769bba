"""Owns which stored tensors are one weight: grouped by the names of their parts, under what the configuration says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

from model_contracts.anatomy.storage.packed import PackedReading, PackedWeight, packed_weight
from model_contracts.anatomy.storage.quantization import Quantisation, declares, quantisations
from model_contracts.artifact import Artifact, Tensor
from model_contracts.formats.documents import collector_paused
from model_contracts.scheme import Scheme, StorageLayout
from model_contracts.sweep.reads import Files

#: Types of weights that are not packed; I64 and BOOL are those of buffers.
_PLAIN = frozenset(("BF16", "F16", "F32", "F64", "I64", "BOOL"))
_FLOATS = frozenset(("BF16", "F16", "F32", "F64"))


@dataclass(frozen=True)
class Storage:
    """An artifact as weights: the packed ones, what declares them, and the artifact with each of them as one tensor."""

    artifact: Artifact
    declared: tuple[Quantisation, ...] = ()
    weights: tuple[PackedWeight, ...] = ()
    #: Tensors that belong to a scheme and to no weight (scales of a key-value cache).
    beside: tuple[Tensor, ...] = ()

    @cached_property
    def parts(self) -> frozenset[str]:
        """Names of all stored tensors that are parts of packed weights or belong beside them."""
        names = {part.name for weight in self.weights for part in weight.parts.values()}
        return frozenset(names | {tensor.name for tensor in self.beside})


def storage(artifact: Artifact) -> Storage:
    """The weights of an artifact; nothing is looked into where no key and no element type hints at packed ones."""
    if not artifact.form.packs or not _hints(artifact):
        return Storage(artifact)
    from model_contracts.definitions import load_schemes

    with collector_paused(), closing(Files()) as files:
        return _understood(artifact, load_schemes(), files)


def _understood(artifact: Artifact, schemes: Sequence[Scheme], files: Files) -> Storage:
    declared = quantisations(artifact, schemes)
    groups = _Parts.of(schemes).groups(artifact.tensors)
    stated = {container.path: container.metadata for container in artifact.containers}
    known: _Known = {}
    readings = ((module, _reading(module, parts, declared, schemes, known)) for module, parts in groups.items())
    weights = tuple(
        packed_weight(module, groups[module], reading, files, stated)
        for module, reading in readings
        if reading is not None
    )
    taken = {part.name for weight in weights for part in weight.parts.values()}
    ends = tuple(end for block in declared if block.scheme is not None for end in block.scheme.beside)
    beside = tuple(t for name, t in artifact.tensors.items() if ends and name.endswith(ends) and name not in taken)
    return Storage(_logical(artifact, weights, beside), declared, weights, beside)


def _hints(artifact: Artifact) -> bool:
    config = artifact.config or {}
    if artifact.quantization or any("quantization" in key or key == "compression_config" for key in config):
        return True
    if any(isinstance(value, dict) and "quantization_config" in value for value in config.values()):
        return True
    return any(
        tensor.dtype not in _PLAIN or (tensor.dtype == "I64" and len(tensor.shape) > 1 and tensor.shape[0] > 1)
        for tensor in artifact.tensors.values()
    )


@dataclass(frozen=True)
class _Parts:
    """The ends of names that are parts of weights, to find the module that a tensor is of."""

    dotted: Mapping[str, tuple[str, ...]]
    others: tuple[str, ...]

    @classmethod
    def of(cls, schemes: Sequence[Scheme]) -> _Parts:
        layouts = [layout for scheme in schemes for layout in scheme.layouts.values()]
        ends = {end for layout in layouts for part in layout.parts for end in part.names if end}
        dotted: dict[str, list[str]] = {}
        for end in sorted((end for end in ends if end.startswith(".")), key=len, reverse=True):
            dotted.setdefault(end.rpartition(".")[2], []).append(end)
        others = tuple(sorted((end for end in ends if not end.startswith(".")), key=len, reverse=True))
        return cls({word: tuple(found) for word, found in dotted.items()}, others)

    def groups(self, tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
        """Module to the ends and tensors found of it; a name that is itself a module with parts is its part ''."""
        found: dict[str, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            end = self._end(name)
            if end is not None:
                found.setdefault(name[: -len(end)], {})[end] = tensor
        for module, parts in found.items():
            if module in tensors and any(end in self.others for end in parts):
                parts[""] = tensors[module]
        return found

    def _end(self, name: str) -> str | None:
        candidates = self.dotted.get(name.rpartition(".")[2], ())
        end = next((end for end in candidates if name.endswith(end)), None)
        return end or next((end for end in self.others if name.endswith(end)), None)


@dataclass(slots=True)
class _Choice:
    """One layout that a module's parts may have, and how well it explains them."""

    scheme: Scheme
    layout: StorageLayout
    block: Quantisation | None


#: What was chosen for modules whose parts bear the same ends and types, under the same settings.
_Known = dict[tuple[object, ...], PackedReading | None]


def _reading(
    module: str, parts: dict[str, Tensor], declared: Sequence[Quantisation], schemes: Sequence[Scheme], known: _Known
) -> PackedReading | None:
    """How a module is read, in the layout that explains most of its parts; None where it is a plain one."""
    if parts.keys() <= {".weight"} and all(tensor.dtype in _FLOATS for tensor in parts.values()):
        return None
    entries = tuple(id(block.of(module)) for block in declared)
    key = (*entries, *sorted((end, tensor.dtype) for end, tensor in parts.items()))
    if key not in known:
        known[key] = _chosen(module, parts, declared, schemes)
    return known[key]


def _chosen(
    module: str, parts: dict[str, Tensor], declared: Sequence[Quantisation], schemes: Sequence[Scheme]
) -> PackedReading | None:
    choices = [choice for choice in _choices(module, declared, schemes) if _shown(choice, parts)]
    if not choices:
        return None
    # What is declared and may be meant stands; another layout is looked for only where it cannot be.
    choices = [choice for choice in choices if choice.block is not None] or choices
    best = max(choices, key=lambda choice: _score(choice, parts))
    certain = best.block is not None or len(choices) == 1
    return PackedReading.of(module, best.scheme, best.layout, best.block, certain)


def _choices(module: str, declared: Sequence[Quantisation], schemes: Sequence[Scheme]) -> Iterator[_Choice]:
    for block in declared:
        if block.scheme is None:
            continue
        entry = block.of(module)
        settings = entry.settings if entry is not None else block.block
        for layout in block.scheme.layouts.values():
            if declares(layout, settings):
                yield _Choice(block.scheme, layout, block)
    for scheme in schemes:
        for layout in scheme.layouts.values():
            yield _Choice(scheme, layout, None)


def _shown(choice: _Choice, parts: Mapping[str, Tensor]) -> bool:
    """Whether the parts show the layout: where nothing declares it, by a sign and by the type of the values too."""
    layout = choice.layout
    values = next((parts[end] for end in layout.parts[0].names if end in parts), None)
    typed = values is not None and (not layout.parts[0].types or values.dtype in layout.parts[0].types)
    signed = any(sign in parts for sign in layout.signs)
    if choice.block is None:
        ends = [part.names for part in layout.parts if not part.optional]
        signed = signed or (len(ends) > 1 and all(any(end in parts for end in names) for names in ends))
        own = not {".weight", ""} & set(layout.parts[0].names)
        return typed and signed and values is not None and (own or values.dtype not in _FLOATS)
    if values is not None and values.dtype not in _FLOATS:
        return typed or signed or any(end in parts for end in _companions(layout))
    return signed or any(end in parts for end in _companions(layout))


def _companions(layout: StorageLayout) -> set[str]:
    """Parts that only a packed weight has: not its values, and not what it may be without."""
    return {end for part in layout.parts[1:] if not part.optional for end in part.names}


def _score(choice: _Choice, parts: Mapping[str, Tensor]) -> tuple[int, int]:
    """How many parts fit less those unknown, missing and of other types, and how many have its types."""
    ends = {end: part for part in choice.layout.parts for end in part.names}
    known = [end for end in parts if end in ends]
    typed = sum(not ends[end].types or parts[end].dtype in ends[end].types for end in known)
    missing = sum(
        not part.optional and not part.unless and not any(end in parts for end in part.names)
        for part in choice.layout.parts
    )
    return len(known) + typed - len(parts) - missing, typed


def _logical(artifact: Artifact, weights: Sequence[PackedWeight], beside: Sequence[Tensor]) -> Artifact:
    """The same artifact with each packed weight as one tensor, where its values stood."""
    if not weights and not beside:
        return artifact
    place: dict[int, Tensor] = {}
    gone: set[int] = {id(tensor) for tensor in beside}
    for weight in weights:
        parts = list(weight.parts.values())
        gone.update(map(id, parts))
        place[id(parts[0])] = _tensor(weight)
    containers = tuple(
        replace(
            container,
            tensors=tuple(place.get(id(t), t) for t in container.tensors if id(t) not in gone or id(t) in place),
        )
        for container in artifact.containers
    )
    return replace(artifact, containers=containers, read_tokenizer=lambda: artifact.tokenizer)


def _tensor(weight: PackedWeight) -> Tensor:
    parts = tuple(weight.parts.values())
    first = parts[0]
    return Tensor(
        name=weight.name,
        dtype=first.dtype,
        shape=weight.shape if weight.shape is not None else (prod(first.shape),),
        file=first.file,
        offset=first.offset,
        nbytes=sum(part.nbytes for part in parts),
        readable=all(part.readable for part in parts),
        packed=weight.packed,
    )
