"""Owns what a GGUF of towers (mmproj) declares, held to the folder that it was made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from model_contracts.anatomy.families.hyperparameters import at
from model_contracts.anatomy.pairing.same_values import same
from model_contracts.anatomy.view import View
from model_contracts.checks.interface import missing_input
from model_contracts.formats.documents import read_object
from model_contracts.ledger import Ledger
from model_contracts.outcome import Comparison, Place, Uncompared, jsonable

Seen = Iterator[Comparison | Uncompared]
#: Keys of the container itself, of which other gates tell.
_PROJECTORS = ("clip.projector_type", "clip.vision.projector_type", "clip.audio.projector_type")
#: A GGUF's key to where the folder says the same of how an image is made ready (transformers' image processors).
_PROCESSED = {
    "clip.vision.image_mean": "image_mean",
    "clip.vision.image_std": "image_std",
    "clip.vision.preproc_image_size": "size.longest_edge",
}
_PROCESSORS = ("processor_config.json", "preprocessor_config.json")
#: What each flag says of the activation, as the folder's word begins (clip.cpp: none of them is QuickGELU).
_ACTIVATIONS = {"clip.use_gelu": "gelu", "clip.use_silu": "silu"}
_ENCODERS = {"clip.has_vision_encoder": "v.", "clip.has_audio_encoder": "a."}


def towers_declared(target: View, source: View, relative: float, bound_from: str) -> Seen:
    """Compare every `clip.` key with what the folder says; what only one side says is told, and not passed over."""
    if target.family is None or not target.artifact.form.prefixed_keys or not source.artifact.form.beside:
        raise missing_input("what two files of towers, or folders of such, owe each other is not known")
    taken = {key for key in target.artifact.metadata if not key.startswith("clip.")}
    yield from _projector(target, source, taken)
    yield from _family_values(target, source, relative, bound_from, taken)
    yield from _processed(target, source, relative, taken)
    yield from _flags(target, source, taken)
    for key in target.artifact.metadata:
        if key not in taken:
            yield Uncompared(
                place=_place(target, key), reason="what it means, and what the source says of it, is not known"
            )


def _place(target: View, key: str) -> Place:
    return Place(file=target.artifact.path.name, key=key)


def _projector(target: View, source: View, taken: set[str]) -> Seen:
    said = target.architecture
    for key in _PROJECTORS:
        taken.add(key)
    if said is None or source.family is None:
        return
    words = source.family.gguf
    yield Comparison(
        measure="projector_type",
        place=said.place,
        expected=list(words) if words else f"no GGUF of {source.family.title}: llama.cpp converts none",
        observed=said.name,
        holds=said.name in words,
        bound_from=source.family.where("gguf"),
    )


def _family_values(target: View, source: View, relative: float, bound_from: str, taken: set[str]) -> Seen:
    assert target.family is not None
    theirs: Mapping[str, Any] = {**source.numbers, **source.layered}
    for name, parameter in target.family.hyperparameters.items():
        said = target.declared.get(name)
        key = next((one for one in parameter.gguf if one in target.artifact.metadata), None)
        if key is None and parameter.owed and name in source.declared:
            yield Comparison(
                measure=name, place=_place(target, parameter.gguf[0]), expected=jsonable(theirs[name]), observed=None,
                holds=False, note="llama.cpp reads no file of towers without it",
            )  # fmt: skip
        if key is None:
            continue
        taken.add(key)
        if parameter.alone is not None:
            yield Comparison(measure=name, place=_place(target, key), holds=True, note=parameter.alone)
        elif said is None and name in target.layered:
            yield from _layers_listed(name, key, target, source)
        elif said is not None and name in theirs:
            number = isinstance(said.value, int | float) and isinstance(theirs[name], int | float)
            holds = same(said.value, theirs[name], relative)[0] if number else said.value == theirs[name]
            holds = holds or (name == "num_hidden_layers" and said.value == source.layers_taken)
            yield Comparison(
                measure=name, place=said.place, expected=jsonable(theirs[name]), observed=jsonable(said.value),
                holds=holds, bound_from=bound_from,
            )  # fmt: skip
        elif name == "is_deepstack_layers":
            yield from _layers_listed(name, key, target, source)
        else:
            yield Uncompared(place=_place(target, key), reason=f"the source does not say its {name}")


def _layers_listed(name: str, key: str, target: View, source: View) -> Seen:
    """A flag for each layer, and the list of the layers that have it."""
    said = target.artifact.metadata.get(key)
    listed = source.layered.get("deepstack_visual_indexes", source.numbers.get("deepstack_visual_indexes"))
    numbers = listed if isinstance(listed, list | tuple) else (listed,)
    if listed is None or not isinstance(said, list | tuple) or len(said) > 10_000:
        yield Uncompared(place=_place(target, key), reason="the source lists no such layers")
        return
    observed = [layer for layer, has in enumerate(said) if has]
    expected = sorted(one for one in numbers if isinstance(one, int))
    yield Comparison(
        measure=name, place=_place(target, key), expected=expected, observed=observed, holds=observed == expected
    )


def _processed(target: View, source: View, relative: float, taken: set[str]) -> Seen:
    """What is done to an image before it is looked at."""
    keys = [key for key in _PROCESSED if key in target.artifact.metadata]
    documents = list(_documents(source)) if keys else []
    for key in keys:
        taken.add(key)
        found = ((name, at(document, _PROCESSED[key])) for name, document in documents)
        name, value = next(((name, value) for name, value in found if value is not None), (None, None))
        observed = target.artifact.metadata[key]
        if name is None:
            reason = f"the source has no {' or '.join(_PROCESSORS)} that says {_PROCESSED[key]}"
            yield Uncompared(place=_place(target, key), reason=reason)
            continue
        yield Comparison(
            measure=key.rpartition(".")[2],
            place=_place(target, key),
            expected=jsonable(value),
            observed=jsonable(observed),
            holds=_alike(observed, value, relative),
            note=f"{name} says {_PROCESSED[key]}",
        )


def _alike(observed: object, expected: object, relative: float) -> bool:
    ours = observed if isinstance(observed, list | tuple) else (observed,)
    theirs = expected if isinstance(expected, list | tuple) else (expected,)
    numbers = (*ours, *theirs)
    if not 0 < len(ours) == len(theirs) <= 16 or not all(type(one) in (int, float) for one in numbers):
        return False
    return all(same(a, b, relative)[0] for a, b in zip(ours, theirs, strict=True))


def _documents(source: View) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What the folder says of images: processor_config.json of transformers 5, else preprocessor_config.json."""
    folder = source.stored.files[0].parent if source.stored.files else Path(source.stored.path)
    for name in _PROCESSORS:
        path = folder / name
        if path.is_file() and (document := read_object(path, Ledger())) is not None:
            yield name, document
            if isinstance(own := document.get("image_processor"), Mapping):
                yield name, own


def _flags(target: View, source: View, taken: set[str]) -> Seen:
    metadata, tensors = target.artifact.metadata, target.artifact.tensors
    for key, letter in _ENCODERS.items():
        if key in metadata:
            taken.add(key)
            there = any(name.startswith(letter) for name in tensors)
            yield Comparison(
                measure=key.rpartition(".")[2], place=_place(target, key), expected=there,
                observed=jsonable(metadata[key]), holds=metadata[key] is there,
            )  # fmt: skip
    if (key := "clip.vision.n_wa_pattern") in metadata and isinstance(
        full := _vision(source, "fullatt_block_indexes"), list
    ):
        taken.add(key)
        # One layer of each so many attends to all (llama.cpp's clip.cpp): the first of those that are listed says it.
        expected = full[0] + 1 if full and type(full[0]) is int else None
        yield Comparison(
            measure="n_wa_pattern", place=_place(target, key), expected=expected, observed=jsonable(metadata[key]),
            holds=metadata[key] == expected,
        )  # fmt: skip
    word = next((one for key in ("hidden_act", "hidden_activation") if (one := _vision(source, key)) is not None), None)
    for key, begins in _ACTIVATIONS.items():
        if key not in metadata:
            continue
        taken.add(key)
        if not isinstance(word, str):
            yield Uncompared(place=_place(target, key), reason="the source does not say which activation it has")
            continue
        holds = metadata[key] is word.startswith(begins)
        yield Comparison(
            measure="activation", place=_place(target, key), expected=word[:80], observed=jsonable(metadata[key]),
            holds=holds,
        )  # fmt: skip


def _vision(source: View, key: str) -> object:
    return at(source.artifact.config or {}, f"vision_config.{key}")
