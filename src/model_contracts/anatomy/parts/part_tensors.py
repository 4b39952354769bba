"""Owns what the tensors of a part of a model owe: both halves of every factor, ranks, the sizes that it declares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from model_contracts.anatomy.parts import adapter_kinds
from model_contracts.anatomy.parts.adapter_claims import declared_of
from model_contracts.anatomy.parts.components import component_sizes, declared_components
from model_contracts.anatomy.parts.drafts import draft_shapes, draft_sizes, draft_tensors
from model_contracts.anatomy.parts.projectors import layers_of
from model_contracts.anatomy.parts.recognised import LORA, Part
from model_contracts.artifact import Artifact, Tensor
from model_contracts.outcome import Comparison, Place, Uncompared, jsonable

Seen = Iterator[Comparison | Uncompared]
#: What a pooling calls the width that it takes: sentence-transformers up to 5, and 6.
WIDTH_KEYS = ("word_embedding_dimension", "embedding_dimension")
#: The halves of a factor, each spelling with its other half.
_OTHER_HALF = {"A": "B", "B": "A", "a": "b", "b": "a", "down": "up", "up": "down"}
_FIRST = ("A", "a", "down")
#: What else an adapter of the low-rank kind may hold beside its factors.
_BESIDE_FACTORS = ("lora_magnitude_vector", "lora_magnitude_vector.weight", ".alpha", ".dora_scale")


def tensors_of(artifact: Artifact, part: Part) -> Seen:
    """Compare the tensors of a part with what parts of its kind are made of."""
    if part.name == "vocabulary":
        yield from _vocabulary(artifact, part)
        return
    yield Comparison(
        measure="tensor_present",
        place=Place(file=artifact.path.name),
        expected=f"{part.words} with a tensor at least",
        observed=f"{len(artifact.tensors):,} tensors" if artifact.tensors else "no tensor at all",
        holds=bool(artifact.tensors),
    )
    if part.name == "adapter":
        yield from _adapter(artifact)
    elif part.name == "imatrix":
        yield from _imatrix(artifact)
    elif part.name == "dense":
        yield from _dense(artifact)
    elif part.name == "draft":
        yield from draft_tensors(artifact)
    else:
        yield from _not_known(artifact, f"no family is shipped for {part}: which tensors it has is not known")


def shapes_of(artifact: Artifact, part: Part) -> Seen:
    """Compare the shapes of a part with each other."""
    if part.name == "adapter" and _low_rank(artifact):
        yield from _ranks_agree(artifact)
    elif part.name == "adapter" and adapter_kinds.known(kind := _kind(artifact)):
        yield from adapter_kinds.shapes(artifact, kind)
    elif part.name == "dense":
        yield from _dense_shapes(artifact)
    elif part.name == "draft":
        yield from draft_shapes(artifact)
    else:
        yield from _not_known(artifact, f"no family is shipped for {part}: the shapes of its tensors are not known")


def sizes_of(artifact: Artifact, part: Part) -> Seen:
    """Compare what a part declares of its sizes with its tensors."""
    if part.name == "adapter" and _low_rank(artifact):
        yield from _declared_ranks(artifact)
    elif part.name == "adapter" and adapter_kinds.known(kind := _kind(artifact)):
        yield from adapter_kinds.sizes(artifact, kind)
    elif part.name == "dense":
        yield from _dense_shapes(artifact)
    elif part.name == "pooling":
        yield from _pooling(artifact)
    elif part.name == "draft":
        yield from draft_sizes(artifact)
    elif part.name == "repository":
        yield from declared_components(artifact)
    else:
        if part.name == "component":
            yield from component_sizes(artifact)
        if part.name == "projector":
            yield from layers_of(artifact)
        yield from _not_known(artifact, f"no family is shipped for {part}: which sizes it declares is not known")


def _not_known(artifact: Artifact, reason: str) -> Seen:
    for name, tensor in artifact.tensors.items():
        yield Uncompared(place=Place(file=tensor.file.name, tensor=name), reason=reason)


def _vocabulary(artifact: Artifact, part: Part) -> Seen:
    """A file without tensors is a vocabulary where its name says so; else a model may have lost them all."""
    if part.named:
        yield Comparison(measure="no_tensors", place=Place(file=artifact.path.name), expected=0, observed=0, holds=True)
    else:
        reason = "it holds no tensor: a vocabulary alone, or a model that lost them all, which nothing in it tells"
        yield Uncompared(place=Place(file=artifact.path.name), reason=reason)


def _kind(artifact: Artifact) -> object:
    return (artifact.config or {}).get("peft_type")


def _low_rank(artifact: Artifact) -> bool:
    kind = (artifact.config or {}).get("peft_type", "LORA")
    return kind in ("LORA", "lora") and artifact.metadata.get("adapter.type", "lora") == "lora"


def _factors(artifact: Artifact) -> dict[tuple[str, str], dict[str, Tensor]]:
    """Module and kind of factor to its halves, the first (rank, in) as `A`, the second (out, rank) as `B`."""
    factors: dict[tuple[str, str], dict[str, Tensor]] = {}
    for name, tensor in artifact.tensors.items():
        if (match := LORA.match(name)) is not None and not name.endswith(_BESIDE_FACTORS):
            half = "A" if match["half"] in _FIRST else "B"
            factors.setdefault((match["module"], match["embedding"] or ""), {})[half] = tensor
    return factors


def _adapter(artifact: Artifact) -> Seen:
    kind = _kind(artifact)
    if adapter_kinds.known(kind):
        yield from adapter_kinds.tensors(artifact, kind)
        yield from _strangers(artifact, lambda name: adapter_kinds.own(name, kind))
        return
    if not _low_rank(artifact):
        yield from _not_known(artifact, f"what an adapter of the kind {jsonable(kind)} is made of is not known")
        return
    for (module, _), halves in _factors(artifact).items():
        whole = len(halves) == 2
        there = next(iter(halves.values()))
        yield Comparison(
            measure="lora_pair",
            place=Place(file=there.file.name, tensor=there.name),
            expected="both halves of the factor",
            observed="both" if whole else f"half {'B' if 'A' in halves else 'A'} is missing",
            holds=whole,
            note=None if whole else f"{module} would be left as it is, or the adapter is refused",
        )
    yield from declared_of(artifact, [module for module, _ in _factors(artifact)])
    yield from _strangers(artifact, lambda name: LORA.match(name) is not None or name.endswith(_BESIDE_FACTORS))


def _strangers(artifact: Artifact, own: Callable[[str], bool]) -> Seen:
    saved = (artifact.config or {}).get("modules_to_save")
    modules = [name for name in saved if isinstance(name, str)] if isinstance(saved, list) else []
    for name, tensor in artifact.tensors.items():
        if not own(name):
            yield _beside(artifact, name, tensor, modules)


def _beside(artifact: Artifact, name: str, tensor: Tensor, modules: list[str]) -> Comparison | Uncompared:
    """A tensor that is no factor: one of a module that the config says was saved whole, or nobody's."""
    place = Place(file=tensor.file.name, tensor=name)
    if any(f".{module}." in f".{name}." for module in modules):
        return Comparison(measure="module_saved", place=place, expected=list(modules[:32]), observed=name, holds=True)
    if artifact.form.beside:
        return Uncompared(place=place, reason="the adapter's kind has none such, and its config names no such module")
    expected = "names that end in .lora_a and .lora_b"
    return Comparison(measure="tensor_known", place=place, expected=expected, observed=name, holds=False)


def _ranks_agree(artifact: Artifact) -> Seen:
    for (module, embedding), halves in _factors(artifact).items():
        if len(halves) < 2:
            continue  # tensors_of tells of a half that is missing
        a, b = halves["A"].shape, halves["B"].shape
        turned = embedding == "" and "token_embd" in module and len(a) == len(b) == 2 and a[-1] == b[-1]
        holds = len(a) > 1 and len(b) > 1 and (a[0] == b[1] or turned)
        yield Comparison(
            measure="lora_rank",
            place=Place(file=halves["A"].file.name, tensor=halves["B"].name),
            expected=f"[out, {a[0] if a else '?'}], for A is {list(a)}",
            observed=list(b),
            holds=holds,
        )


def _declared_ranks(artifact: Artifact) -> Seen:
    config = artifact.config or {}
    ranks = _ranks(config)
    if artifact.format == "gguf":
        alpha = artifact.metadata.get("adapter.lora.alpha")
        holds = isinstance(alpha, int | float) and not isinstance(alpha, bool) and 0 < alpha < 1e6
        place = Place(key="adapter.lora.alpha")
        yield Comparison(
            measure="lora_alpha", place=place, expected="a number above 0", observed=jsonable(alpha), holds=holds
        )
        return
    if not ranks:
        yield from _not_known(artifact, "no adapter_config.json says of which rank it is")
        return
    for halves in _factors(artifact).values():
        if (first := halves.get("A")) is None or len(first.shape) < 2:
            continue  # tensors_of and shapes_of tell of those
        rank = first.shape[0]
        yield Comparison(
            measure="lora_rank",
            place=Place(file=first.file.name, tensor=first.name),
            expected=sorted(ranks) if len(ranks) > 1 else next(iter(ranks)),
            observed=rank,
            holds=rank in ranks,
            note="the scale of the update is alpha / r" if rank not in ranks else None,
        )


def _ranks(config: Mapping[str, Any]) -> set[int]:
    pattern = config.get("rank_pattern")
    values = [config.get("r"), *(pattern.values() if isinstance(pattern, dict) else ())]
    return {value for value in values if isinstance(value, int) and not isinstance(value, bool)}


def _imatrix(artifact: Artifact) -> Seen:
    names = artifact.tensors
    for name, tensor in names.items():
        ends = (".in_sum2", ".counts")
        other = next((name.removesuffix(end) + ends[1 - at] for at, end in enumerate(ends) if name.endswith(end)), None)
        yield Comparison(
            measure="imatrix_pair",
            place=Place(file=tensor.file.name, tensor=name),
            expected=other or "a name that ends in .in_sum2 or .counts",
            observed=other if other in names else "missing" if other else name,
            holds=other in names,
        )


def _dense(artifact: Artifact) -> Seen:
    config = artifact.config or {}
    owed = ["linear.weight", *(["linear.bias"] if config.get("bias", True) is not False else [])]
    for name in owed:
        there = name in artifact.tensors
        observed = "there" if there else "missing"
        place = Place(tensor=name)
        yield Comparison(measure="tensor_present", place=place, expected="there", observed=observed, holds=there)
    for name, tensor in artifact.tensors.items():
        if name not in owed:
            place = Place(file=tensor.file.name, tensor=name)
            yield Comparison(measure="tensor_known", place=place, expected=list(owed), observed=name, holds=False)


def _dense_shapes(artifact: Artifact) -> Seen:
    config = artifact.config or {}
    rows, columns = config.get("out_features"), config.get("in_features")
    for name, expected in (("linear.weight", [rows, columns]), ("linear.bias", [rows])):
        if (tensor := artifact.tensors.get(name)) is not None:
            shape = list(tensor.shape)
            yield Comparison(
                measure="shape",
                place=Place(file=tensor.file.name, tensor=name),
                expected=jsonable(expected),
                observed=jsonable(shape),
                holds=shape == expected,
            )


def _pooling(artifact: Artifact) -> Seen:
    config = artifact.config or {}
    key = next((key for key in WIDTH_KEYS if key in config), WIDTH_KEYS[0])
    width = config.get(key)
    modes = [key for key, value in config.items() if key.startswith("pooling_mode_") and value is True]
    named = config.get("pooling_mode")
    place = artifact.sidecars["config"].path.name if "config" in artifact.sidecars else None
    whole = isinstance(width, int) and not isinstance(width, bool) and width > 0
    yield Comparison(
        measure=key,
        place=Place(file=place, key=key),
        expected="a whole number above 0",
        observed=jsonable(width),
        holds=whole,
    )
    yield Comparison(
        measure="pooling_mode",
        place=Place(file=place, key="pooling_mode"),
        expected="a mode at least",
        observed=jsonable(modes or named),
        holds=bool(modes or named),
    )
