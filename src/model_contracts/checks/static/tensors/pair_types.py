"""Kind `pair_types` (I-3): a type differs from the source's only where a recipe asked for it."""

from __future__ import annotations

from collections import Counter
from functools import partial

from model_contracts.anatomy.claims import Claim, expected_types, kept
from model_contracts.checks.drafts import Draft
from model_contracts.checks.interface import Comparisons, Examination, NoParameters, Where, static
from model_contracts.outcome import Comparison, Place, Uncompared
from model_contracts.sweep.interface import Pairing


def pair_types(examination: Examination, parameters: NoParameters, where: Where) -> Comparisons:
    """Compare each pair's types with the request, else the target's own claim, else equality."""
    intent = examination.intent
    vectors = _of_vectors(examination)
    plain = _beside_packed(examination) if intent is None else ()
    for name, pairing in examination.match.pairings.items():
        if pairing.target.packed is not None or pairing.source.packed is not None:
            yield _packed(examination, pairing)
            continue
        canonical = examination.view.canonical[name]
        expected = tuple(dict.fromkeys((*_expected(examination, intent, canonical, pairing, vectors), *plain)))
        holds = pairing.target.dtype in expected
        yield Draft(holds, partial(_compared, examination, pairing, intent, expected, holds))


def _compared(
    examination: Examination, pairing: Pairing, intent: Claim | None, expected: tuple[str, ...], holds: bool
) -> Comparison:
    return Comparison(
        measure="tensor_type",
        place=Place(file=pairing.target.file.name, tensor=pairing.target.name),
        expected=list(expected) if len(expected) > 1 else expected[0],
        observed=pairing.target.dtype,
        holds=holds,
        bound_from=examination.recipes.where("recipes", intent.label) if intent else None,
        note=None if holds else _what_happened(pairing, intent),
    )


def _packed(examination: Examination, pairing: Pairing) -> Comparison | Uncompared:
    """A packed weight has the layout that its configuration asked for, or that the source has."""
    target, source = pairing.target.packed, pairing.source.packed
    place = Place(file=pairing.target.file.name, tensor=pairing.target.name)
    blocks = [block.place for block in examination.view.storage.declared]
    if source is None and target is not None and blocks:
        said = f"{blocks[0]} asks for it"
        return Comparison(
            measure="tensor_layout", place=place, expected=said, observed=target.layout, holds=True, bound_from=said
        )
    if source is not None and target is not None and source.layout == target.layout:
        return Comparison(
            measure="tensor_layout", place=place, expected=source.layout, observed=target.layout, holds=True
        )
    if source is not None and target is None:
        return _unpacked(examination, pairing, source.layout)
    ours, theirs = (side.layout if side else "plain values" for side in (target, source))
    return Uncompared(place=place, reason=f"nothing says whether {theirs} may become {ours}")


def _unpacked(examination: Examination, pairing: Pairing, layout: str) -> Comparison:
    """A weight that was unpacked has the type that was asked for, or that of the source's other weights, or F32."""
    intent = examination.intent
    if intent is None or intent.recipe is None:
        others = examination.source_view.artifact.tensors.values()
        plain = Counter(one.dtype for one in others if one.packed is None and one.kind == "float")
        types = tuple(dict.fromkeys((*(dtype for dtype, _ in plain.most_common(2)), "F32")))
    else:
        canonical = examination.view.canonical[pairing.target.name]
        types = expected_types(intent.recipe, examination.recipes, canonical, pairing.target)
    holds = pairing.target.dtype in types
    return _compared(examination, pairing, intent, types, holds).model_copy(update={"note": f"unpacked from {layout}"})


def _expected(
    examination: Examination, intent: Claim | None, canonical: str | None, pairing: Pairing, vectors: tuple[str, ...]
) -> tuple[str, ...]:
    source = pairing.source.dtype
    if intent is None or intent.recipe is None:
        small = len(pairing.target.shape) < 2 or kept(examination.recipes, canonical, pairing.target)
        return tuple(dict.fromkeys((source, *(vectors if small else ()))))
    types = expected_types(intent.recipe, examination.recipes, canonical, pairing.target)
    if examination.target.form.free_vectors and len(pairing.target.shape) < 2:
        types = tuple(dict.fromkeys((*intent.recipe.types, source)))
    return types


#: How config.json says an element type.
_WORDS = {"bfloat16": "BF16", "float16": "F16", "float32": "F32"}


def _beside_packed(examination: Examination) -> tuple[str, ...]:
    """A model that its writer packed keeps what is not packed in the type that its configuration declares."""
    config = examination.target.config or {}
    if not examination.view.storage.weights or not examination.view.storage.declared:
        return ()
    word = config.get("dtype", config.get("torch_dtype"))
    return (_WORDS[word],) if isinstance(word, str) and word in _WORDS else ()


def _of_vectors(examination: Examination) -> tuple[str, ...]:
    """GGUF keeps vectors in float32 whatever the matrices are (llama.cpp's converter); out of it they may go back."""
    if (fixed := examination.target.form.vectors) is not None:
        return (fixed,)
    if examination.source is None or examination.source.form.vectors is None:
        return ()
    matrices = Counter(tensor.dtype for tensor in examination.source.tensors.values() if len(tensor.shape) > 1)
    return tuple(dtype for dtype, _ in matrices.most_common(1))


def _what_happened(pairing: Pairing, intent: Claim | None) -> str:
    target, source = pairing.target, pairing.source
    if target.type.kind == "quantised" and source.type.kind != "quantised":
        verb = "quantised"
    elif target.type.bits > source.type.bits:
        verb = "upcast"
    elif target.type.bits < source.type.bits:
        verb = "narrowed"
    else:
        verb = "changed"
    asked = f"{intent.place} says {intent.words}" if intent else "nothing asked for it"
    return f"{verb} from {source.dtype} to {target.dtype} ({target.type.bits / source.type.bits:.2f} x); {asked}"


PAIR_TYPES = static(NoParameters, pair_types)
