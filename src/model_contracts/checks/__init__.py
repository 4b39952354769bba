"""Kinds of checks: Artifact (or two) to Comparisons. One file a kind, one line a kind in this table.

`static/` reads bytes, `running/` needs a session; both are one kind of thing with one signature (`interface.Kind`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import cast

from model_contracts import plugins
from model_contracts.checks.interface import Kind

#: Name to the module and the constant of a kind, which is imported when it is first looked up.
_TABLE: dict[str, tuple[str, str]] = {
    "added_token_ids": ("running.added_tokens", "ADDED_TOKEN_IDS"),
    "beside": ("static.beside", "BESIDE"),
    "bijection": ("static.bijection", "BIJECTION"),
    "claimed_types": ("static.claimed_types", "CLAIMED_TYPES"),
    "container": ("static.container", "CONTAINER"),
    "decoded_text": ("running.tokenizer_texts", "DECODED_TEXT"),
    "elementwise": ("static.elementwise", "ELEMENTWISE"),
    "family_shapes": ("static.family_shapes", "FAMILY_SHAPES"),
    "family_tensors": ("static.family_tensors", "FAMILY_TENSORS"),
    "file_digest": ("static.declared_by_others", "FILE_DIGEST"),
    "golden_answers": ("running.golden_agreement", "GOLDEN_ANSWERS"),
    "hyperparameters": ("static.hyperparameters", "HYPERPARAMETERS"),
    "ids_in_range": ("running.tokenizer_texts", "IDS_IN_RANGE"),
    "key_value": ("static.declared_by_others", "KEY_VALUE"),
    "layers_differ": ("static.layers_differ", "LAYERS_DIFFER"),
    "marked_tokens": ("static.marked_tokens", "MARKED_TOKENS"),
    "merges": ("static.merges", "MERGES"),
    "moments_preserved": ("static.moments_preserved", "MOMENTS_PRESERVED"),
    "one_template": ("static.chat_template", "ONE_TEMPLATE"),
    "pair_hyperparameters": ("static.pair_hyperparameters", "PAIR_HYPERPARAMETERS"),
    "pair_shapes": ("static.bijection", "PAIR_SHAPES"),
    "pair_types": ("static.pair_types", "PAIR_TYPES"),
    "recorded_keys": ("static.recorded", "RECORDED_KEYS"),
    "recorded_moments": ("static.recorded", "RECORDED_MOMENTS"),
    "recorded_tensors": ("static.recorded", "RECORDED_TENSORS"),
    "recorded_tokenizer": ("static.recorded", "RECORDED_TOKENIZER"),
    "rope_frequencies": ("static.rope_frequencies", "ROPE_FREQUENCIES"),
    "same_continuations": ("running.continuations", "SAME_CONTINUATIONS"),
    "same_distributions": ("running.golden_rule", "SAME_DISTRIBUTIONS"),
    "same_flags": ("static.tokenizer_flags", "SAME_FLAGS"),
    "same_framing": ("running.continuations", "SAME_FRAMING"),
    "same_merges": ("static.merges_pair", "SAME_MERGES"),
    "same_pieces": ("static.same_pieces", "SAME_PIECES"),
    "same_prompt_tokens": ("running.golden_rule", "SAME_PROMPT_TOKENS"),
    "same_rendering": ("running.chat_templates", "SAME_RENDERING"),
    "same_template": ("static.chat_template", "SAME_TEMPLATE"),
    "same_token_ids": ("running.tokenizer_texts", "SAME_TOKEN_IDS"),
    "same_token_ids_llama_cpp": ("running.tokenizer_texts", "SAME_TOKEN_IDS_LLAMA_CPP"),
    "same_vocabulary": ("static.tokenizer_pair", "SAME_VOCABULARY"),
    "source_container": ("static.container", "SOURCE_CONTAINER"),
    "special_ids": ("static.special_ids", "SPECIAL_IDS"),
    "storage": ("static.storage", "STORAGE"),
    "tensors_counted": ("static.tensors_declared", "TENSORS_COUNTED"),
    "tensors_digest": ("static.tensors_valued", "TENSORS_DIGEST"),
    "tensors_equal": ("static.tensors_valued", "TENSORS_EQUAL"),
    "tensors_measured": ("static.tensors_valued", "TENSORS_MEASURED"),
    "tensors_shaped": ("static.tensors_declared", "TENSORS_SHAPED"),
    "tensors_typed": ("static.tensors_declared", "TENSORS_TYPED"),
    "tied_embeddings": ("static.tied_embeddings", "TIED_EMBEDDINGS"),
    "tokenizer_present": ("static.tokenizer_present", "TOKENIZER_PRESENT"),
    "unknown_dtype_refused": ("static.headers", "UNKNOWN_DTYPE_REFUSED"),
    "values_alive": ("static.values_alive", "VALUES_ALIVE"),
    "values_finite": ("static.values_finite", "VALUES_FINITE"),
    "vocabulary": ("static.vocabulary", "VOCABULARY"),
}


OUR_KINDS = tuple(_TABLE)


@cache
def _plugged(offer: plugins.Offer) -> Kind:
    from model_contracts.checks.plugged import plugged

    return plugged(offer)


class _Kinds(Mapping[str, Kind]):
    """The table, and what plugins that were named give; each kind is imported when it is first looked up."""

    def __getitem__(self, name: str) -> Kind:
        if name not in _TABLE and (offer := plugins.offer("kinds", name)) is not None:
            return _plugged(offer)
        module, constant = _TABLE[name]
        return cast("Kind", getattr(import_module(f"{__name__}.{module}"), constant))

    def __iter__(self) -> Iterator[str]:
        return iter((*_TABLE, *plugins.names("kinds")))

    def __len__(self) -> int:
        return len(_TABLE) + len(plugins.names("kinds"))


KINDS: Mapping[str, Kind] = _Kinds()
