"""Owns the comparisons of what a configuration declares of packed weights with what is stored, block by block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from model_contracts.anatomy.storage.quantization import Quantisation, declares, lookup, replace_key
from model_contracts.anatomy.storage.recognised import Storage
from model_contracts.artifact import Artifact
from model_contracts.outcome import Comparison, Place, Uncompared
from model_contracts.scheme import Value

#: Keys that two configurations are compared by, and what a group of compressed-tensors calls them.
_SAID = ("group_size", "bits", "kv_cache_quant_algo")
_WITHIN = {"bits": "num_bits"}
Comparisons = Iterator[Comparison | Uncompared]


def claims_of(artifact: Artifact, storage: Storage) -> Comparisons:
    """Every block declares weights that are there, as they can be; and weights that are packed are declared."""
    for block in storage.declared:
        yield from _block(artifact, storage, block)
        yield from _possible(storage, block)
    yield from _agree(storage.declared)
    yield from _undeclared(artifact, storage)


def _block(artifact: Artifact, storage: Storage, block: Quantisation) -> Comparisons:
    """A block that declares packed weights has some, of a layout that it may mean."""
    own = [weight for weight in storage.weights if weight.block and weight.block.scheme is block.scheme]
    if block.scheme is None:
        yield Uncompared(place=block.place, reason=f"no scheme is shipped for the quantisation method {block.method!r}")
        return
    layouts = [
        layout for layout in block.scheme.layouts.values() for e in block.entries if declares(layout, e.settings)
    ]
    if own:
        titles = Counter(weight.title for weight in own)
        observed = ", ".join(f"{count} of {title}" for title, count in titles.most_common(4))
        yield _declared(block, f"packed weights ({block.method})", observed, True)
    elif block.entries and not layouts:
        yield Uncompared(place=block.place, reason=f"no layout is known that {block.method!r} declares there")
    elif block.dense or artifact.refused or not artifact.tensors:
        reason = "the block itself says that nothing is packed yet"
        yield Uncompared(place=block.place, reason=reason if block.dense else "not all tensors could be read")
    elif not block.entries:
        yield _declared(block, "no packed weight (no group declares one)", "none", not storage.weights)
    else:
        types = Counter(t.dtype for t in artifact.tensors.values() if len(t.shape) > 1)
        observed = ", ".join(f"{count} matrices of {dtype}" for dtype, count in types.most_common(3)) or "no matrix"
        note = f"{block.place.key or block.place.file} says {block.method}, and no tensor is packed in a layout of it"
        yield _declared(block, f"packed weights ({block.method})", observed, False, note)


def _possible(storage: Storage, block: Quantisation) -> Iterator[Comparison]:
    """Settings have values that the layout can have, once for each that is declared."""
    told: set[tuple[str, str]] = set()
    for weight in storage.weights:
        if weight.block is not block or weight.entry is None:
            continue
        for name, setting in weight.layout.settings.items():
            at = replace_key(weight.entry.place, next(iter(setting.keys), name))
            if not setting.only or (weight.layout.title, str(at)) in told:
                continue
            told.add((weight.layout.title, str(at)))
            value = weight.settings.get(name)
            yield Comparison(
                measure=f"quantization_{name}",
                place=at,
                expected=list(setting.only) if len(setting.only) > 1 else setting.only[0],
                observed=value if not isinstance(value, str) else value[:80],
                holds=value in setting.only,
                note=None if value in setting.only else f"layout {weight.title} holds no other {name}",
            )


def _declared(block: Quantisation, expected: str, observed: str, holds: bool, note: str | None = None) -> Comparison:
    return Comparison(
        measure="quantization_declared",
        place=block.place,
        expected=expected,
        observed=observed,
        holds=holds,
        note=note,
    )


def _agree(blocks: tuple[Quantisation, ...]) -> Iterator[Comparison]:
    """Two configurations of one artifact say the same, of all that both speak of."""
    for block in blocks[1:]:
        if block.scheme is None or blocks[0].scheme is None:
            continue
        first, second = (lookup(b.block, "quant_algo") or b.method.lower() for b in (blocks[0], block))
        holds = first == second if block.scheme is blocks[0].scheme else False
        yield _agrees(blocks[0], block, "configurations_agree", None, first, second, holds)
        if block.scheme is blocks[0].scheme:
            for key in _SAID:
                ours, theirs = (_said(b, key) for b in (blocks[0], block))
                if ours is not None and theirs is not None:
                    yield _agrees(blocks[0], block, "configurations_agree", key, ours, theirs, ours == theirs)


def _said(block: Quantisation, key: str) -> Value:
    """What a block says under a key, or the first of its groups."""
    own = lookup(block.block, key)
    if own is not None or not block.entries:
        return own
    settings = block.entries[0].settings
    return next(
        (found for at in (key, f"weights.{_WITHIN.get(key, key)}") if (found := lookup(settings, at)) is not None), None
    )


def _agrees(
    first: Quantisation, block: Quantisation, measure: str, key: str | None, ours: Value, theirs: Value, holds: bool
) -> Comparison:
    return Comparison(
        measure=measure,
        place=block.place if key is None else replace_key(block.place, key),
        expected=f"{ours} (as {first.place} says)",
        observed=str(theirs)[:80],
        holds=holds,
    )


def _undeclared(artifact: Artifact, storage: Storage) -> Comparisons:
    """Packed weights that no configuration declares, or that are of another layout than it declares."""
    lone = [weight for weight in storage.weights if weight.block is None]
    known = [block for block in storage.declared if block.scheme is not None]
    if not lone or len(known) < len(storage.declared):
        return
    first = lone[0]
    place = Place(file=next(iter(first.parts.values())).file.name, tensor=first.name)
    if known:
        yield Comparison(
            measure="storage_layout",
            place=place,
            expected=f"a layout of {known[0].method}, as {known[0].place} says",
            observed=first.title,
            holds=False,
            note=f"{len(lone):,} weights are packed in a layout that the configuration does not declare",
        )
    elif artifact.config is None or first.scheme.self_described:
        reason = f"layout {first.title}: no configuration is there that says how it is packed"
        yield Uncompared(place=place, count=len(lone), reason=reason)
    else:
        key = "quantization" if first.scheme.methods == ("mlx",) else "quantization_config"
        sidecar = artifact.sidecars.get("config")
        yield Comparison(
            measure="quantization_declared",
            place=Place(file=sidecar.path.name if sidecar else "config.json", key=key),
            expected=f"how the {len(lone):,} packed weights are to be read",
            observed="missing",
            holds=False,
            note=f"{first.name} and others are packed; without {key} readers take their parts for other tensors",
        )
