"""Kind `pair_hyperparameters` (I-3): every declared value has an equal in the other file, or is said to have none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field

from model_contracts.anatomy.declared.declared_keys import DeclaredSide
from model_contracts.anatomy.declared.key_table import key_table
from model_contracts.anatomy.families.multimodal import text_config
from model_contracts.anatomy.parts.drafts import draft_of
from model_contracts.anatomy.towers import TowerView
from model_contracts.anatomy.view import View
from model_contracts.checks.interface import Comparisons, Examination, Where, static
from model_contracts.checks.static.configuration.declared_rest import compare_rest
from model_contracts.checks.static.configuration.declared_values import Pair, compare_value
from model_contracts.checks.static.configuration.pair_towers import towers_declared
from model_contracts.checks.static.configuration.sentence_parts import parts_kept
from model_contracts.checks.static.tokenizers.pair_special_ids import same_special_ids
from model_contracts.definitions import load_keys
from model_contracts.outcome import Comparison, Place, Record, Uncompared

#: A tied flag is no converter's to keep where the container has none; G0-EMBEDDING-001 looks at what it means.
_ELSEWHERE = {"tie_word_embeddings"}
#: What tensors of factors carry in a GGUF.
_SCALING = {"rope_scaling_type", "rope_scaling_factor", "rope_original_context", "rope_attention_factor"}


class PairHyperparametersParameters(Record):
    """How near two declared numbers are the same."""

    relative: float = Field(1e-6, ge=0, description="GGUF keeps float32: 1e-06 is stored as 9.999999974752427e-07.")


def pair_hyperparameters(
    examination: Examination, parameters: PairHyperparametersParameters, where: Where
) -> Comparisons:
    """Compare every hyper-parameter, every other key and every special id that either side declares."""
    target, source = examination.view, examination.source_view
    if isinstance(target, TowerView):
        yield from towers_declared(target, source, parameters.relative, where("relative"))
        return
    if target.part.name == "draft":
        yield from draft_of(target.artifact, text_config(source.artifact.config))
        return
    yield from _architecture(target, source)
    pair = pair_of(target, source, parameters.relative, where("relative"))
    scaled = _scaled_by_tensor(target, source)
    for name in pair.target.table:
        if not _elsewhere(name, pair) and not (name in _SCALING and scaled):
            yield from compare_value(name, pair)
    yield from compare_rest(pair)
    yield from parts_kept(target, source)
    if not pair.across and pair.target.kind == "config":
        yield from compare_rest(pair_of(target, source, parameters.relative, where("relative"), "generation_config"))
    yield from same_special_ids(target, source)


def _elsewhere(name: str, pair: Pair) -> bool:
    """Whether a value is compared by its meaning: only config.json has a default for the tie, others go by the head."""
    if name not in _ELSEWHERE:
        return False
    one_says = name not in pair.target.said or (pair.target.kind != "config" and name not in pair.source.said)
    return pair.across or one_says


def pair_of(target: View, source: View, relative: float, bound_from: str, document: Any = "config") -> Pair:
    """Both sides, read through the table of their families."""
    keys = load_keys()
    table = key_table(keys, source.family, target.family) if document == "config" else {}
    ours, theirs = (DeclaredSide(view, keys, table, document) for view in (target, source))
    return Pair(ours, theirs, relative, bound_from)


def _architecture(target: View, source: View) -> Iterator[Comparison | Uncompared]:
    said, theirs = target.architecture, source.architecture
    if said is None or theirs is None:
        missing = source if theirs is None else target
        reason = f"{missing.artifact.name} does not say what architecture it is"
        yield Uncompared(place=Place(file=missing.artifact.path.name), reason=reason)
        return
    family = source.family
    if family is None:
        if target.artifact.format == source.artifact.format:
            yield Comparison(
                measure="architecture",
                place=said.place,
                expected=theirs.name,
                observed=said.name,
                holds=said.name == theirs.name,
            )
        else:
            reason = f"no family is known for {theirs.name}: what its architecture is called elsewhere is not known"
            yield Uncompared(place=said.place, reason=reason)
        return
    words = tuple(dict.fromkeys((*family.gguf, *family.architectures, *family.model_types)))
    shared = target.family is not None and source.artifact.form.prefixed_keys and theirs.name in target.family.gguf
    yield Comparison(
        measure="architecture",
        place=said.place,
        # Families share words of GGUF: a folder of Mistral is held to a GGUF that says llama by its word there.
        expected=list(words) if not shared else f"an architecture that GGUF calls {theirs.name}",
        observed=said.name,
        holds=said.name in words or shared,
        bound_from=family.where("gguf"),
    )


def _scaled_by_tensor(target: View, source: View) -> bool:
    """llama3 and longrope scaling: tensors of a GGUF carry them, and F-CONTRACT-I3-006 looks at those."""
    said = (view.declared.get("rope_scaling_type") for view in (target, source))
    kinds = {str(one.value).lower() for one in said if one is not None}
    gguf = next((view for view in (target, source) if view.artifact.form.rope_tensors), None)
    if gguf is None or target.artifact.format == source.artifact.format:
        return False
    tensors = gguf.artifact.tensors
    if kinds & {"longrope", "su"}:
        return "rope_factors_long.weight" in tensors
    return "llama3" in kinds and (gguf is target or "rope_freqs.weight" in tensors)


PAIR_HYPERPARAMETERS = static(PairHyperparametersParameters, pair_hyperparameters)
