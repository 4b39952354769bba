"""Owns the parts of a sentence model: how it pools, what its dense layers are, and that a GGUF has the same."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from model_contracts import door
from model_contracts.anatomy.parts.part_tensors import WIDTH_KEYS
from model_contracts.anatomy.view import View
from model_contracts.artifact import Artifact, Module, Tensor
from model_contracts.checks.interface import Comparisons
from model_contracts.formats.documents import read_object
from model_contracts.ledger import Ledger
from model_contracts.outcome import Comparison, Place, Uncompared, jsonable
from model_contracts.sweep.rows import MOST_VALUES, read_rows

#: llama.cpp's `enum llama_pooling_type`, by the flag of a pooling part's config.json.
_POOLING = {
    "pooling_mode_mean_tokens": 1,
    "pooling_mode_cls_token": 2,
    "pooling_mode_lasttoken": 3,
}
#: The same by the word that sentence-transformers 5 writes under `pooling_mode`.
_MODES = {"mean": 1, "cls": 2, "lasttoken": 3}
#: What the width of a transformer's output is called in config.json; distilbert says dim, T5 d_model, GPT-2 n_embd.
_WIDTHS = ("hidden_size", "d_model", "dim", "n_embd")
#: Parts that give vectors as wide as those they take.
_KEEPING = ("Normalize", "LayerNorm", "Dropout")
#: Where sentence-transformers up to 5 says how long a text may be; what stands for no limit.
_SETTINGS, _UNLIMITED = "sentence_bert_config.json", 1_000_000
#: Relative RMSE that a float type costs.
_BUDGET = {"F64": 1e-12, "F32": 1e-6, "F16": 5e-4, "BF16": 0.003}


def parts_whole(view: View) -> Comparisons:
    """Compare what modules.json declares with what lies in the folders of its parts."""
    artifact = view.artifact
    yield from _in_order(artifact)
    yield from _widths(artifact)
    yield from _longest(view)
    for module in artifact.modules:
        place = Place(file=module.path or "modules.json")
        if module.kind == "Pooling":
            modes = _modes(module)
            yield Comparison(
                measure="pooling",
                place=place,
                expected="a config.json that names how tokens are pooled",
                observed=modes or None,
                holds=bool(modes),
            )
        elif module.kind == "Dense":
            config = module.config or {}
            sizes = [config.get("out_features"), config.get("in_features")]
            weight = _weight(module)
            yield Comparison(
                measure="dense",
                place=place,
                expected=sizes,
                observed=list(weight.shape) if weight else None,
                holds=weight is not None and list(weight.shape) == sizes,
                note=None if weight else "modules.json declares a dense part and its folder has no linear.weight",
            )


def _in_order(artifact: Artifact) -> Comparisons:
    """The transformer makes the vectors of tokens that a pooling takes: it stands before it."""
    kinds = [module.kind for module in artifact.modules]
    if {"Transformer", "Pooling"} <= {*kinds}:
        first, second = kinds.index("Transformer"), kinds.index("Pooling")
        yield Comparison(
            measure="order_of_parts",
            place=Place(file="modules.json"),
            expected="Transformer before Pooling",
            observed=list(kinds),
            holds=first < second,
        )


def _widths(artifact: Artifact) -> Comparisons:
    """Each part takes vectors as wide as the one before it gives them; past one that nothing here knows, none is."""
    width: int | None = None
    for module in artifact.modules:
        config = module.config or {}
        if module.kind == "Transformer":
            own = artifact.config if module.path == "" else config
            width = next((own[key] for key in _WIDTHS if type(own.get(key)) is int), None) if own else None
        elif module.kind == "Pooling":
            key = next((key for key in WIDTH_KEYS if key in config), None)
            if key is not None:
                yield from _width(module, key, width)
            modes = len(_modes(module))
            width = width * modes if width is not None and modes else None
        elif module.kind == "Dense":
            if "in_features" in config:
                yield from _width(module, "in_features", width)
            width = out if type(out := config.get("out_features")) is int else None
        elif module.kind not in _KEEPING:
            width = None


def _width(module: Module, key: str, width: int | None) -> Comparisons:
    if width is None:
        return
    declared = (module.config or {}).get(key)
    holds = type(declared) is int and declared == width
    yield Comparison(
        measure=key,
        place=Place(file=f"{module.path}/config.json", key=key),
        expected=width,
        observed=jsonable(declared),
        holds=holds,
        note=None if holds else "it would take vectors of another width than the part before it gives",
    )


def _longest(view: View) -> Comparisons:
    """A text is cut at so many tokens, of which each needs a position that was learnt."""
    positions, artifact = view.by_canonical.get("position_embd.weight"), view.artifact
    if not artifact.modules or positions is None or len(positions.shape) != 2 or not artifact.files:
        return
    path = artifact.files[0].parent / _SETTINGS
    said = read_object(path, Ledger()) if door.is_regular(path) else None
    for file, key, document in (
        (_SETTINGS, "max_seq_length", said),
        ("tokenizer_config.json", "model_max_length", artifact.tokenizer_config),
    ):
        longest = (document or {}).get(key)
        # Tokenizers without a limit say 10**30.
        if type(longest) is int and 0 < longest < _UNLIMITED:
            yield Comparison(
                measure=key,
                place=Place(file=file, key=key),
                expected=f"at most {positions.shape[0]:,}, the rows of {positions.name}",
                observed=longest,
                holds=longest <= positions.shape[0],
                note=None if longest <= positions.shape[0] else "a longer text would index past the positions",
            )
            return


def _folders(target: Artifact, source: Artifact) -> Comparisons:
    """The parts of two folders, one by one in their order: of the same kind, and with the same settings."""
    ours = list(target.modules)
    for number, module in enumerate(source.modules):
        place = Place(file=module.path or "modules.json", key=f"modules[{number}]")
        other = ours[number] if number < len(ours) else None
        same = other is not None and other.kind == module.kind
        yield Comparison(
            measure="sentence_part",
            place=place,
            expected=module.kind,
            observed=other.kind if other is not None else None,
            holds=same,
            note=None if same else "sentences are embedded otherwise",
        )
        if other is None or not same or module.kind == "Transformer":
            continue
        for key, expected, observed in _settings(module, other):
            yield Comparison(
                measure=key,
                place=Place(file=module.path or "modules.json", key=key),
                expected=jsonable(expected),
                observed=jsonable(observed),
                holds=expected == observed,
                note=None if expected == observed else "sentences are embedded otherwise",
            )
        if module.kind == "Dense":
            yield Uncompared(place=place, reason="the values of a dense part are not compared between two folders")


def _settings(module: Module, other: Module) -> list[tuple[str, object, object]]:
    """What decides in the settings of two parts of one kind: modes by their meaning, sizes by their keys."""
    theirs, ours = module.config or {}, other.config or {}
    keys = (*WIDTH_KEYS, "in_features", "out_features", "activation_function")
    found: list[tuple[str, object, object]] = [
        (key, theirs.get(key), ours.get(key)) for key in keys if key in theirs and key in ours
    ]
    return [("pooling", _words(module), _words(other)), *found] if module.kind == "Pooling" else found


def parts_kept(target: View, source: View) -> Comparisons:
    """Compare the source's parts with a GGUF's pooling key and dense tensors."""
    if target.artifact.form.beside:
        yield from _folders(target.artifact, source.artifact)
    if not target.artifact.form.prefixed_keys:
        return
    arch = str(target.artifact.metadata.get("general.architecture", ""))
    dense = 1
    for module in source.artifact.modules:
        place = Place(file=module.path or "modules.json")
        if module.kind == "Pooling":
            yield from _pooling(module, target.artifact, arch)
        elif module.kind == "Dense":
            dense += 1
            yield from _dense(module, target.artifact, f"dense_{dense}.weight")
        elif module.kind not in ("Transformer", "Normalize"):
            yield Uncompared(place=place, reason=f"a part of kind {module.kind}: what a GGUF makes of it is not known")
    for name in (name for name in target.artifact.tensors if name.startswith(("dense_2.", "dense_3."))):
        if int(name[6]) > dense:
            reason = "the source has no modules.json that declares this dense part"
            yield Uncompared(place=Place(file=target.artifact.path.name, tensor=name), reason=reason)


def _pooling(module: Module, target: Artifact, arch: str) -> Comparisons:
    modes = _modes(module)
    place = Place(file=target.path.name, key=f"{arch}.pooling_type")
    if len(modes) != 1 or next(iter(modes.values())) is None:
        yield Uncompared(place=place, reason=f"{module.path} pools by {', '.join(modes) or 'nothing it names'}")
        return
    mode, expected = next(iter(modes.items()))
    observed = target.metadata.get(f"{arch}.pooling_type")
    holds = observed == expected and not isinstance(observed, bool)
    yield Comparison(
        measure="pooling_type",
        place=place,
        expected=expected,
        observed=observed if isinstance(observed, int) else None,
        holds=holds,
        note=None if holds else f"{module.path} of the source pools by {mode}; readers would pool otherwise, or chat",
    )


def _dense(module: Module, target: Artifact, name: str) -> Comparisons:
    theirs, ours = _weight(module), target.tensors.get(name)
    place = Place(file=target.path.name, tensor=name)
    if theirs is None:
        yield Uncompared(place=place, reason=f"{module.path} of the source has no linear.weight")
        return
    if ours is None or ours.shape != theirs.shape:
        yield Comparison(
            measure="dense",
            place=place,
            expected=list(theirs.shape),
            observed=list(ours.shape) if ours else None,
            holds=False,
            note=f"{module.path} of the source maps each embedding through a dense layer",
        )
        return
    yield from _values(ours, theirs, place)
    bias = next((t for t in module.container.tensors if t.name.endswith("bias")), None) if module.container else None
    if bias is not None and name.replace(".weight", ".bias") not in target.tensors:
        yield Comparison(
            measure="dense",
            place=Place(file=target.path.name, tensor=name.replace(".weight", ".bias")),
            expected=list(bias.shape),
            observed=None,
            holds=False,
            note=f"the bias of {module.path} was dropped",
        )


def _values(ours: Tensor, theirs: Tensor, place: Place) -> Comparisons:
    budget = _BUDGET.get(ours.dtype)
    if budget is None or theirs.dtype not in _BUDGET or theirs.elements > MOST_VALUES:
        reason = f"no budget is given for a dense part in {ours.dtype} made from {theirs.dtype}"
        yield Uncompared(place=place, count=max(ours.elements, 1), reason=reason)
        return
    a, b = read_rows(ours, 0, ours.rows), read_rows(theirs, 0, theirs.rows)
    scale = float(np.sqrt(np.mean(np.square(b, dtype=np.float64))))
    error = float(np.sqrt(np.mean(np.square(a - b, dtype=np.float64))))
    distance = error / scale if scale else error
    yield Comparison(
        measure="dense_relative_rmse",
        place=place,
        expected=0.0,
        observed=distance,
        holds=distance <= budget,
        tolerance=budget,
        smallest_passing_tolerance=distance,
        count=max(ours.elements, 1),
    )


def _modes(module: Module) -> dict[str, int | None]:
    """The ways a pooling part names, and llama.cpp's number of each (None: it has none)."""
    config = module.config or {}
    word = config.get("pooling_mode")
    if isinstance(word, str):
        return {word: _MODES.get(word)}
    if isinstance(word, list) and word and all(isinstance(one, str) for one in word):
        return {one: _MODES.get(one) for one in word}
    return {key: _POOLING.get(key) for key, said in config.items() if key.startswith("pooling_mode_") and said is True}


def _words(module: Module) -> list[str]:
    """The ways a pooling part names, each as the one word that both spellings share (mean, cls, lasttoken …)."""
    names = (name.removeprefix("pooling_mode_") for name in _modes(module))
    return sorted(name.removesuffix("_tokens").removesuffix("_token") for name in names)


def _weight(module: Module) -> Tensor | None:
    tensors: Iterator[Tensor] = iter(module.container.tensors if module.container is not None else ())
    return next((tensor for tensor in tensors if tensor.name.endswith("linear.weight")), None)
