"""Kinds of checks: Artifact (or two) to Comparisons. One file a kind, one line a kind in this table."""

from __future__ import annotations

from model_contracts.anatomy.budgets import Budgets
from model_contracts.checks import (
    beside,
    bijection,
    chat_template,
    claimed_types,
    container,
    elementwise,
    family_shapes,
    family_tensors,
    hyperparameters,
    layers_differ,
    marked_tokens,
    merges,
    merges_pair,
    moments_preserved,
    pair_hyperparameters,
    pair_types,
    rope_frequencies,
    same_pieces,
    special_ids,
    storage,
    tied_embeddings,
    tokenizer_flags,
    tokenizer_pair,
    tokenizer_present,
    values_alive,
    values_finite,
    vocabulary,
)
from model_contracts.checks.interface import Kind, NoParameters

#: Kinds that need the pass over the bytes.
READS_VALUES = frozenset({"elementwise", "layers_differ", "moments_preserved", "values_alive", "values_finite"})
#: Kinds that wait for it: the container's ledger takes in what reading the bytes and the tokenizer brought up.
AFTER_THE_PASS = READS_VALUES | {"container", "source_container"}

KINDS: dict[str, Kind] = {
    "beside": Kind(beside.Parameters, beside.beside),
    "bijection": Kind(NoParameters, bijection.bijection),
    "claimed_types": Kind(claimed_types.Parameters, claimed_types.claimed_types),
    "container": Kind(container.Parameters, container.container),
    "elementwise": Kind(Budgets, elementwise.elementwise),
    "family_shapes": Kind(NoParameters, family_shapes.family_shapes),
    "family_tensors": Kind(NoParameters, family_tensors.family_tensors),
    "hyperparameters": Kind(NoParameters, hyperparameters.hyperparameters),
    "layers_differ": Kind(layers_differ.Parameters, layers_differ.layers_differ),
    "marked_tokens": Kind(NoParameters, marked_tokens.marked_tokens),
    "merges": Kind(NoParameters, merges.merges),
    "moments_preserved": Kind(Budgets, moments_preserved.moments_preserved),
    "one_template": Kind(NoParameters, chat_template.one_template),
    "pair_hyperparameters": Kind(pair_hyperparameters.Parameters, pair_hyperparameters.pair_hyperparameters),
    "pair_shapes": Kind(NoParameters, bijection.pair_shapes),
    "pair_types": Kind(NoParameters, pair_types.pair_types),
    "rope_frequencies": Kind(rope_frequencies.Parameters, rope_frequencies.rope_frequencies),
    "same_flags": Kind(NoParameters, tokenizer_flags.same_flags),
    "same_merges": Kind(NoParameters, merges_pair.same_merges),
    "same_pieces": Kind(NoParameters, same_pieces.same_pieces),
    "same_template": Kind(chat_template.TemplateParameters, chat_template.same_template),
    "same_vocabulary": Kind(NoParameters, tokenizer_pair.same_vocabulary),
    "source_container": Kind(container.Parameters, container.source_container),
    "special_ids": Kind(special_ids.Parameters, special_ids.special_ids_check),
    "storage": Kind(NoParameters, storage.storage),
    "tied_embeddings": Kind(NoParameters, tied_embeddings.tied_embeddings),
    "tokenizer_present": Kind(NoParameters, tokenizer_present.tokenizer_present),
    "values_alive": Kind(values_alive.Parameters, values_alive.values_alive),
    "values_finite": Kind(NoParameters, values_finite.values_finite),
    "vocabulary": Kind(NoParameters, vocabulary.vocabulary),
}
