"""Owns draft heads, which guess tokens for a larger model: EAGLE and EAGLE-3 (one layer), Medusa (several heads).

Names and shapes are those that the published heads have and that vLLM and SGLang load: `fc` takes the embedding beside
the last hidden state (EAGLE), or hidden states of several layers (EAGLE-3); a head of Medusa is blocks and a matrix.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal

from model_contracts.artifact import Artifact
from model_contracts.outcome import Comparison, Place, Uncompared, jsonable

Seen = Iterator[Comparison | Uncompared]
Kind = Literal["eagle", "eagle3", "medusa"]
_HEAD = re.compile(r"(?:medusa_head\.)?(\d{1,3})\.(\d{1,3})\.(linear\.)?(weight|bias)")
_LAYER = {"eagle": "layers.0.", "eagle3": "midlayer."}
_MOST = 256
#: Shapes, by names of sizes.
_SHAPES: dict[str, tuple[str, ...]] = {
    "self_attn.q_proj.weight": ("heads", "input"),
    "self_attn.k_proj.weight": ("groups", "input"),
    "self_attn.v_proj.weight": ("groups", "input"),
    "self_attn.o_proj.weight": ("hidden_size", "heads"),
    "mlp.gate_proj.weight": ("intermediate_size", "hidden_size"),
    "mlp.up_proj.weight": ("intermediate_size", "hidden_size"),
    "mlp.down_proj.weight": ("hidden_size", "intermediate_size"),
    "post_attention_layernorm.weight": ("hidden_size",),
}
_OF_EAGLE3: dict[str, tuple[str, ...]] = {
    "input_layernorm.weight": ("hidden_size",),
    "hidden_norm.weight": ("hidden_size",),
}
#: Beside the layer; those of the second are there in some heads only.
_BESIDE: dict[str, dict[str, tuple[str, ...]]] = {
    "eagle": {},
    "eagle3": {"norm.weight": ("hidden_size",), "lm_head.weight": ("draft_vocab_size", "hidden_size")},
}
_MAYBE: dict[str, tuple[str, ...]] = {
    "fc.bias": ("hidden_size",),
    "embed_tokens.weight": ("vocab_size", "hidden_size"),
    "lm_head.weight": ("draft_vocab_size", "hidden_size"),
    "norm.weight": ("hidden_size",),
    "d2t": ("draft_vocab_size",),
    "t2d": ("vocab_size",),
}


def kind_of(names: Collection[str], config: Mapping[str, Any]) -> Kind | None:
    """What draft head tensors of these names are (None: no such thing)."""
    plain = {name.removeprefix("model.") for name in names}
    if "fc.weight" in plain and any(name.startswith("midlayer.") for name in plain):
        return "eagle3"
    if "fc.weight" in plain and any(name.startswith("layers.0.self_attn.") for name in plain):
        return None if any(name.startswith("layers.2.") for name in plain) else "eagle"
    numbered = bool(names) and all(_HEAD.fullmatch(name) for name in names)
    return "medusa" if numbered and ("medusa_num_heads" in config or any("linear" in name for name in names)) else None


def draft_tensors(artifact: Artifact) -> Seen:
    """Compare the tensors with those that such a head is made of."""
    owed, known = _owed(artifact)
    there = _named(artifact)
    for name in owed:
        yield Comparison(
            measure="tensor_present", place=Place(tensor=name), expected="there",
            observed="there" if name in there else "missing", holds=name in there,
        )  # fmt: skip
    yield from _maps(artifact, there)
    for name, own in there.items():
        if name not in known:
            place = Place(file=artifact.tensors[own].file.name, tensor=own)
            yield Uncompared(place=place, reason="heads of this kind have no such tensor: what it is of is not known")


def draft_shapes(artifact: Artifact) -> Seen:
    """Compare shapes with what the configuration declares; a size that it does not declare is not compared."""
    _, known = _owed(artifact)
    for name, own in _named(artifact).items():
        tensor, expected = artifact.tensors[own], known.get(name, ())
        if not expected or tensor.packed is not None:
            reason = "what shape it has is not known" if not expected else "packed"
            yield Uncompared(place=Place(file=tensor.file.name, tensor=own), reason=reason)
            continue
        pairs = list(zip(expected, tensor.shape, strict=False))
        holds = len(expected) == len(tensor.shape) and all(size in (None, axis) for size, axis in pairs)
        yield Comparison(
            measure="shape", place=Place(file=tensor.file.name, tensor=own), expected=jsonable(list(expected)),
            observed=jsonable(list(tensor.shape)), holds=holds, count=max(len(expected), 1),
        )  # fmt: skip


def draft_sizes(artifact: Artifact) -> Seen:
    """What the configuration declares of the head is a number, and as many layers or heads as there are."""
    config, kind = artifact.config or {}, kind_of(artifact.tensors, artifact.config or {})
    file = artifact.sidecars["config"].path.name if "config" in artifact.sidecars else None
    if kind == "medusa":
        heads = {int(match[1]) for name in artifact.tensors if (match := _HEAD.fullmatch(name))}
        said, key, there = config.get("medusa_num_heads"), "medusa_num_heads", len(heads)
    else:
        said, key, there = config.get("num_hidden_layers"), "num_hidden_layers", 1
    if said is None:
        yield Uncompared(place=Place(file=file, key=key), reason="nothing declares it")
        return
    yield Comparison(
        measure=key, place=Place(file=file, key=key), expected=there, observed=jsonable(said), holds=said == there
    )


def draft_of(artifact: Artifact, base: Mapping[str, Any]) -> Seen:
    """A head takes hidden states of its base, and guesses tokens of its vocabulary: `base` is that model's config."""
    config = artifact.config or {}
    sizes = _sizes(artifact)
    file = artifact.sidecars["config"].path.name if "config" in artifact.sidecars else None
    widths = (("target_hidden_size", "hidden_size"),) if "target_hidden_size" in config else (("hidden_size",) * 2,)
    for ours, theirs in (*widths, ("vocab_size", "vocab_size")):
        said, expected = sizes.get(ours), base.get(theirs)
        if type(said) is not int or type(expected) is not int:
            yield Uncompared(place=Place(file=file, key=ours), reason=f"one of the two does not say its {theirs}")
            continue
        yield Comparison(
            measure=ours, place=Place(file=file, key=ours), expected=expected, observed=said, holds=said == expected,
            note=None if said == expected else "it was trained for another model",
        )  # fmt: skip


def _named(artifact: Artifact) -> dict[str, str]:
    """Names without what some tools put before all of them, to the tensors' own."""
    return {name.removeprefix("model.").removeprefix("medusa_head."): name for name in artifact.tensors}


def _owed(artifact: Artifact) -> tuple[list[str], dict[str, tuple[int | None, ...]]]:
    """Names that are owed, and the shape of each that is known (None: a size that nothing declares)."""
    kind = kind_of(artifact.tensors, artifact.config or {})
    if kind == "medusa":
        return _of_medusa(artifact)
    if kind is None:
        return [], {}
    sizes, layer = _sizes(artifact), _LAYER[kind]
    own = _SHAPES | (_OF_EAGLE3 if kind == "eagle3" else {})
    owed = {f"{layer}{name}": shape for name, shape in own.items()} | _BESIDE[kind]
    fc = {"fc.weight": ("hidden_size", "taken")}
    biases = {
        f"{layer}{name.removesuffix('weight')}bias": shape[:1] for name, shape in _SHAPES.items() if len(shape) == 2
    }
    maybe = {**_MAYBE, **biases, f"{layer}input_layernorm.weight": ("hidden_size",)}
    every = {**maybe, **owed, **fc}
    known = {name: tuple(sizes.get(one) for one in shape) for name, shape in every.items()}
    return [*fc, *owed], known


def _of_medusa(artifact: Artifact) -> tuple[list[str], dict[str, tuple[int | None, ...]]]:
    config, sizes = artifact.config or {}, _sizes(artifact)
    numbers = [(int(match[1]), int(match[2])) for name in artifact.tensors if (match := _HEAD.fullmatch(name))]
    heads, layers = config.get("medusa_num_heads"), config.get("medusa_num_layers")
    heads = heads if type(heads) is int and 0 < heads <= _MOST else 1 + max(head for head, _ in numbers)
    layers = layers if type(layers) is int and 0 <= layers <= _MOST else max(layer for _, layer in numbers)
    width, vocabulary = sizes.get("hidden_size"), sizes.get("vocab_size")
    known: dict[str, tuple[int | None, ...]] = {}
    for head in range(min(heads, _MOST)):
        for layer in range(min(layers, _MOST)):
            known[f"{head}.{layer}.linear.weight"] = (width, width)
            known[f"{head}.{layer}.linear.bias"] = (width,)
        known[f"{head}.{layers}.weight"] = (vocabulary, width)
    return list(known), known


def _sizes(artifact: Artifact) -> dict[str, int | None]:
    config = artifact.config or {}
    number = {key: value for key, value in config.items() if type(value) is int}
    width, heads = number.get("hidden_size"), number.get("num_attention_heads")
    groups = number.get("num_key_value_heads", heads)
    each = number.get("head_dim", width // heads if width and heads else None)
    eagle3 = kind_of(artifact.tensors, config) == "eagle3"
    target = number.get("target_hidden_size", width)
    listed = _layers_taken(config)
    taken = (target * listed if target else None) if eagle3 else (2 * width if width else None)
    return {
        **{key: number.get(key) for key in ("hidden_size", "intermediate_size", "vocab_size")},
        "target_hidden_size": target,
        "draft_vocab_size": number.get("draft_vocab_size", number.get("vocab_size")),
        "heads": heads * each if heads and each else None,
        "groups": groups * each if groups and each else None,
        "input": (2 * width if eagle3 else width) if width else None,
        "taken": taken,
    }


def _layers_taken(config: Mapping[str, Any]) -> int:
    """Of how many layers of the base an EAGLE-3 head takes the hidden states: three, unless it lists them."""
    own = config.get("eagle_config")
    for said in (own if isinstance(own, Mapping) else {}, config):
        listed = said.get("eagle_aux_hidden_state_layer_ids")
        if isinstance(listed, list) and listed:
            return len(listed)
    return 3


def _maps(artifact: Artifact, there: Mapping[str, str]) -> Seen:
    """A head with a vocabulary of its own needs the maps between it and the base's."""
    sizes = _sizes(artifact)
    if "draft_vocab_size" not in (artifact.config or {}) or sizes["draft_vocab_size"] == sizes["vocab_size"]:
        return
    yield Comparison(
        measure="tensor_present", place=Place(tensor="d2t"), expected="there: draft_vocab_size is not vocab_size",
        observed="there" if "d2t" in there else "missing", holds="d2t" in there,
        note="tokens of the head's vocabulary mean tokens of the base's by this map",
    )  # fmt: skip
